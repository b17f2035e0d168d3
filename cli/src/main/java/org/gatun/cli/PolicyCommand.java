package org.gatun.cli;

import picocli.CommandLine.Command;

/** {@code gatun policy}. */
@Command(
    name = "policy",
    mixinStandardHelpOptions = true,
    description = "Shows what guests may do with devices. Grants nothing.",
    subcommands = {PolicyExplainCommand.class, PolicyCheckCommand.class})
final class PolicyCommand {}
