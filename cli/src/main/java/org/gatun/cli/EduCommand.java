package org.gatun.cli;

import picocli.CommandLine.Command;

/** {@code gatun edu}. */
@Command(
    name = "edu",
    mixinStandardHelpOptions = true,
    description = "Drives edu, the device that QEMU has for teaching.",
    subcommands = EduFactorialCommand.class)
final class EduCommand {}
