package org.gatun.simulated;

import java.util.LinkedHashMap;
import java.util.Map;
import org.gatun.pci.DeviceName;

/** Reads a model and its options from the text of a device name: {@code edu}. */
final class ModelText {
  private static final String MODELS = "there are: edu";

  private ModelText() {}

  static DeviceModel parse(DeviceName name) {
    String[] parts = name.text().split(",", -1);
    Map<String, String> options = new LinkedHashMap<>();
    for (int i = 1; i < parts.length; i++) {
      int equals = parts[i].indexOf('=');
      if (equals <= 0) {
        throw new IllegalArgumentException(
            "%s: '%s' is not an option: write NAME=VALUE".formatted(name, parts[i]));
      }
      if (options.put(parts[i].substring(0, equals), parts[i].substring(equals + 1)) != null) {
        throw new IllegalArgumentException(
            "%s: '%s' is given twice".formatted(name, parts[i].substring(0, equals)));
      }
    }
    if (parts[0].equals("edu")) {
      return new EduModel();
    }
    throw new IllegalArgumentException(
        "%s: there is no simulated model '%s'; %s".formatted(name, parts[0], MODELS));
  }
}
