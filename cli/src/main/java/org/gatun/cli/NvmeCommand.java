package org.gatun.cli;

import picocli.CommandLine.Command;

/** {@code gatun nvme}. */
@Command(
    name = "nvme",
    mixinStandardHelpOptions = true,
    description = "Drives NVMe disks.",
    subcommands = {
      NvmeIdentifyCommand.class,
      NvmeReadCommand.class,
      NvmeWriteCommand.class,
      NvmePerfCommand.class
    })
final class NvmeCommand {}
