package org.gatun.cli;

import picocli.CommandLine.Command;

/** {@code gatun guest}. */
@Command(
    name = "guest",
    mixinStandardHelpOptions = true,
    description = "Runs guests: modules that do their work with a device.",
    subcommands = {GuestRunCommand.class, GuestStartCommand.class, GuestStopCommand.class})
final class GuestCommand {}
