package org.gatun.simulated.nvme;

import java.util.HashMap;
import java.util.Map;
import org.gatun.specs.nvme.Features;

/**
 * The features of the controller (Base 5.27.1), by identifier and, of features with several values,
 * by part. Guarded by its monitor.
 */
final class FeatureValues {
  /** The parts of {@link Features#TEMPERATURE_THRESHOLD}. */
  static final int OVER_TEMPERATURE = 0;

  static final int UNDER_TEMPERATURE = 1;

  /** In kelvins: 70 degrees Celsius, and no limit. */
  private static final int OVER_THRESHOLD = 343;

  private static final int UNDER_THRESHOLD = 0;

  private record Key(int feature, int part) {}

  private final Map<Integer, Integer> defaults;
  private final Map<Key, Integer> values = new HashMap<>();

  FeatureValues(int queues) {
    defaults =
        Map.ofEntries(
            Map.entry(Features.ARBITRATION, 0),
            Map.entry(Features.POWER_MANAGEMENT, 0),
            Map.entry(Features.TEMPERATURE_THRESHOLD, OVER_THRESHOLD),
            Map.entry(Features.ERROR_RECOVERY, 0),
            Map.entry(Features.VOLATILE_WRITE_CACHE, Features.WRITE_CACHE_ENABLE),
            Map.entry(Features.NUMBER_OF_QUEUES, Features.numberOfQueues(queues, queues)),
            Map.entry(Features.INTERRUPT_COALESCING, 0),
            Map.entry(Features.INTERRUPT_VECTOR_CONFIGURATION, 0),
            Map.entry(Features.WRITE_ATOMICITY_NORMAL, 0),
            Map.entry(Features.ASYNCHRONOUS_EVENT_CONFIGURATION, 0));
  }

  boolean has(int feature) {
    return defaults.containsKey(feature);
  }

  int get(int feature, int part) {
    return values.getOrDefault(new Key(feature, part), byDefault(feature, part));
  }

  int byDefault(int feature, int part) {
    return switch (feature) {
      case Features.TEMPERATURE_THRESHOLD ->
          part == OVER_TEMPERATURE ? OVER_THRESHOLD : UNDER_THRESHOLD;
      case Features.INTERRUPT_VECTOR_CONFIGURATION -> part; // its own number, and coalescing
      default -> defaults.getOrDefault(feature, 0);
    };
  }

  void set(int feature, int part, int value) {
    values.put(new Key(feature, part), value);
  }

  void reset() {
    values.clear();
  }
}
