package org.gatun.simulated.nvme;

import java.util.Map;
import java.util.TreeMap;
import org.gatun.specs.nvme.Features;

/** The features of the controller, by their dword 11 (Base 5.27.1). Guarded by its monitor. */
final class FeatureValues {
  /** 70 degrees Celsius in kelvins: over temperature. */
  private static final int TEMPERATURE = 343;

  private final Map<Integer, Integer> defaults;
  private final Map<Integer, Integer> values;

  FeatureValues(int queues) {
    defaults =
        Map.ofEntries(
            Map.entry(Features.ARBITRATION, 0),
            Map.entry(Features.POWER_MANAGEMENT, 0),
            Map.entry(Features.TEMPERATURE_THRESHOLD, TEMPERATURE),
            Map.entry(Features.ERROR_RECOVERY, 0),
            Map.entry(Features.VOLATILE_WRITE_CACHE, Features.WRITE_CACHE_ENABLE),
            Map.entry(Features.NUMBER_OF_QUEUES, Features.numberOfQueues(queues, queues)),
            Map.entry(Features.INTERRUPT_COALESCING, 0),
            Map.entry(Features.INTERRUPT_VECTOR_CONFIGURATION, 0),
            Map.entry(Features.WRITE_ATOMICITY_NORMAL, 0),
            Map.entry(Features.ASYNCHRONOUS_EVENT_CONFIGURATION, 0));
    values = new TreeMap<>(defaults);
  }

  boolean has(int feature) {
    return defaults.containsKey(feature);
  }

  int get(int feature, boolean byDefault) {
    Integer value = (byDefault ? defaults : values).get(feature);
    return value == null ? 0 : value;
  }

  void set(int feature, int value) {
    values.put(feature, value);
  }

  void reset() {
    values.putAll(defaults);
  }
}
