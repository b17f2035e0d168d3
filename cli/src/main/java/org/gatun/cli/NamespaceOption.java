package org.gatun.cli;

import picocli.CommandLine.Option;

/** The namespace that a command uses. A mixin. */
final class NamespaceOption {
  @Option(
      names = "--namespace",
      paramLabel = "ID",
      defaultValue = "1",
      description = "The namespace; default: ${DEFAULT-VALUE}.")
  NamespaceId id;
}
