package org.gatun.cli;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.gatun.pci.PciAddress;
import org.jspecify.annotations.Nullable;

/** What bind and unbind say to scripts. */
final class Driver {
  private Driver() {}

  static Map<String, Object> json(
      PciAddress address, @Nullable String driver, Optional<String> former) {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("address", address.toString());
    json.put("driver", driver);
    json.put("formerDriver", former.orElse(null));
    return json;
  }
}
