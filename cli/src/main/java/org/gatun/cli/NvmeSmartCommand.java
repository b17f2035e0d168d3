package org.gatun.cli;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.driver.nvme.NvmeOptions;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code gatun nvme smart}. */
@Command(
    name = "smart",
    mixinStandardHelpOptions = true,
    description = {
      "Shows the health of an NVMe disk, and what to do about it: lines with ! are its critical"
          + " warnings, those with - should be known.",
      "The exit status is 4 if there is a critical warning."
    })
final class NvmeSmartCommand implements Callable<Integer> {
  @Mixin private final DeviceOption device = new DeviceOption();
  @Mixin private final Output output = new Output();
  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    try (HeldDevice held = device.open(spec);
        NvmeController controller = held.openNvme(NvmeOptions.defaults())) {
      NvmeHealth health = new NvmeHealth(controller.logs().smart(), controller.identity());
      Map<String, Object> json = new LinkedHashMap<>();
      json.put("device", controller.name().toString());
      json.putAll(health.json());
      output.print(json, health::print);
      return health.warnings().isEmpty() ? ExitCode.OK : ExitCode.WARNING;
    }
  }
}
