package org.gatun.cli;

import picocli.CommandLine.Command;

/** {@code gatun broker}. */
@Command(
    name = "broker",
    mixinStandardHelpOptions = true,
    description = "Owns devices and grants them to guests.",
    subcommands = BrokerRunCommand.class)
final class BrokerCommand {}
