package org.gatun.cli;

import picocli.CommandLine.Command;

/** {@code gatun nvme}. */
@Command(
    name = "nvme",
    mixinStandardHelpOptions = true,
    description = "Drives NVMe disks.",
    subcommands = {
      NvmeListCommand.class,
      NvmeIdentifyCommand.class,
      NvmeSmartCommand.class,
      NvmeLogCommand.class,
      NvmeFeaturesCommand.class,
      NvmeReadCommand.class,
      NvmeWriteCommand.class,
      NvmeCopyCommand.class,
      NvmeTrimCommand.class,
      NvmeFormatCommand.class,
      NvmePassthroughCommand.class,
      NvmePerfCommand.class
    })
final class NvmeCommand {}
