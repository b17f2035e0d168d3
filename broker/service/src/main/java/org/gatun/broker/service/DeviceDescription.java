package org.gatun.broker.service;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Locale;
import java.util.Optional;
import org.gatun.broker.Quota;
import org.gatun.pci.Bar;
import org.gatun.pci.BusRange;
import org.gatun.pci.Interrupts;
import org.gatun.pci.PciDevice;
import org.gatun.pci.SharedRange;
import org.gatun.pci.config.PciId;

/**
 * What stands beside a socket in a {@linkplain GrantDirectory grant directory}, so that a client
 * can choose its driver before it connects. Ids and addresses are hexadecimal text, as the numbers
 * of JSON end at 53 bits; sizes and counts are numbers.
 */
final class DeviceDescription {
  private DeviceDescription() {}

  static String of(PciDevice device, Quota quota) {
    PciId id = device.id();
    ObjectNode json =
        JsonNodeFactory.instance
            .objectNode()
            .put("device", device.name().toString())
            .put("vendor", "%04x".formatted(id.vendor()))
            .put("device-id", "%04x".formatted(id.device()))
            .put("class", "%06x".formatted(device.pciClass().code()));
    ArrayNode bars = json.putArray("bars");
    device.bars().forEach(bar -> describe(bar, bars.addObject()));
    ArrayNode usable = json.putArray("usable-bus-addresses");
    for (BusRange range : device.dma().usableRanges()) {
      usable.addArray().add(hex(range.first())).add(hex(range.last()));
    }
    ObjectNode interrupts = json.putObject("interrupts");
    for (Interrupts.Kind kind : Interrupts.Kind.values()) {
      interrupts.put(lower(kind), device.interrupts().count(kind));
    }
    json.putObject("quota")
        .put("dma-bytes", quota.dmaBytes())
        .put("dma-mappings", quota.dmaMappings());
    return json.toPrettyString() + "\n";
  }

  private static void describe(Bar bar, ObjectNode json) {
    json.put("index", bar.index()).put("kind", lower(bar.kind())).put("size", bar.size());
    if (bar.kind() == Bar.Kind.IO) {
      return;
    }
    ArrayNode ranges = json.putArray("ranges");
    for (Bar.Range range : bar.ranges()) {
      ranges
          .addObject()
          .put("offset", hex(range.offset()))
          .put("length", range.length())
          .put("mapped", canBeMapped(bar, range));
    }
  }

  /** Found out by doing it, as its server will. */
  private static boolean canBeMapped(Bar bar, Bar.Range range) {
    Optional<SharedRange> shared = bar.share(range);
    shared.ifPresent(SharedRange::close);
    return shared.isPresent();
  }

  private static String hex(long address) {
    return "0x" + Long.toHexString(address);
  }

  private static String lower(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT);
  }
}
