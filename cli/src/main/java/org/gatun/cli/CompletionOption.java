package org.gatun.cli;

import org.gatun.driver.nvme.Completion;
import picocli.CommandLine.Option;

/** How an NVMe command learns of completions. A mixin. */
final class CompletionOption {
  @Option(
      names = "--completion",
      paramLabel = "HOW",
      defaultValue = "poll",
      description = "${COMPLETION-CANDIDATES}; default: ${DEFAULT-VALUE}.")
  Completion how;
}
