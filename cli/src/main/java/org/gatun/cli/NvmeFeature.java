package org.gatun.cli;

import java.time.Instant;
import java.util.Locale;
import org.gatun.driver.nvme.NvmeFeatures;
import org.gatun.specs.nvme.FeatureTimestamp;
import org.gatun.specs.nvme.Features;
import org.gatun.specs.nvme.IdentifyController;

/** A feature that has a name on the command line, and what its value means (Base 5.27.1). */
enum NvmeFeature implements Numbered {
  ARBITRATION(Features.ARBITRATION),
  POWER_MANAGEMENT(Features.POWER_MANAGEMENT),
  TEMPERATURE_THRESHOLD(Features.TEMPERATURE_THRESHOLD),
  ERROR_RECOVERY(Features.ERROR_RECOVERY),
  WRITE_CACHE(Features.VOLATILE_WRITE_CACHE),
  QUEUES(Features.NUMBER_OF_QUEUES),
  INTERRUPT_COALESCING(Features.INTERRUPT_COALESCING),
  INTERRUPT_VECTOR(Features.INTERRUPT_VECTOR_CONFIGURATION),
  WRITE_ATOMICITY(Features.WRITE_ATOMICITY_NORMAL),
  EVENTS(Features.ASYNCHRONOUS_EVENT_CONFIGURATION),
  TIMESTAMP(Features.TIMESTAMP);

  private final int number;

  NvmeFeature(int number) {
    this.number = number;
  }

  @Override
  public int number() {
    return number;
  }

  /** Whether a controller has it: to ask one that has not makes an entry in its error log. */
  boolean isOf(IdentifyController identity) {
    return switch (this) {
      case WRITE_CACHE -> (identity.vwc() & IdentifyController.VWC_PRESENT) != 0;
      case TIMESTAMP -> (identity.oncs() & IdentifyController.ONCS_TIMESTAMP) != 0;
      default -> true; // mandatory for I/O controllers
    };
  }

  /** What a value means, in words; "-" if that is not known here. */
  String meaning(NvmeFeatures.Value value) {
    int dword = value.dword();
    int low = dword & 0xffff;
    return switch (this) {
      case POWER_MANAGEMENT -> "power state " + Features.powerState(dword);
      case TEMPERATURE_THRESHOLD ->
          low == 0 ? "none" : "%d °C".formatted(low - NvmeHealth.ZERO_CELSIUS);
      case ERROR_RECOVERY ->
          low == 0 ? "tries again without limit" : "tries again for %d ms".formatted(low * 100);
      case WRITE_CACHE -> (dword & Features.WRITE_CACHE_ENABLE) != 0 ? "on" : "off";
      case QUEUES ->
          "%d to submit, %d to complete"
              .formatted(Features.submissionQueues(dword), Features.completionQueues(dword));
      case INTERRUPT_COALESCING ->
          low == 0
              ? "off"
              : "after %d completions or %d us".formatted((low & 0xff) + 1, (low >> 8) * 100);
      case WRITE_ATOMICITY -> (dword & 1) != 0 ? "only across loss of power" : "always";
      case TIMESTAMP ->
          Instant.ofEpochMilli(FeatureTimestamp.read(value.data()).millis()).toString();
      case ARBITRATION, INTERRUPT_VECTOR, EVENTS -> "-";
    };
  }

  /** As it is typed. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }
}
