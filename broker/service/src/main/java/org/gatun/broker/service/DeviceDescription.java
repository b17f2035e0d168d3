package org.gatun.broker.service;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.gatun.broker.Quota;
import org.gatun.pci.Bar;
import org.gatun.pci.Interrupts;
import org.gatun.pci.PciDevice;
import org.gatun.pci.config.PciId;

/**
 * What stands beside a socket in a {@linkplain GrantDirectory grant directory}, so that a client
 * can choose its driver before it connects. Addresses and ids are hexadecimal text, as JSON's
 * numbers end at 53 bits; sizes and counts are numbers.
 *
 * @param device its name, for messages
 * @param vendor as in config space; likewise the following
 * @param usableBusAddresses first and last of each range
 * @param interrupts how many of each kind
 * @param quota of the guest, over all its devices
 */
record DeviceDescription(
    String device,
    String vendor,
    @JsonProperty("device-id") String deviceId,
    @JsonProperty("class") String pciClass,
    List<BarDescription> bars,
    @JsonProperty("usable-bus-addresses") List<List<String>> usableBusAddresses,
    Map<String, Integer> interrupts,
    QuotaDescription quota) {
  private static final ObjectMapper MAPPER = new ObjectMapper();

  /**
   * A BAR.
   *
   * @param kind {@code memory} or {@code io}
   * @param size in bytes
   */
  record BarDescription(int index, String kind, long size, List<RangeDescription> ranges) {
    static BarDescription of(Bar bar) {
      return new BarDescription(
          bar.index(),
          lower(bar.kind()),
          bar.size(),
          bar.kind() == Bar.Kind.IO
              ? List.of()
              : bar.ranges().stream().map(range -> RangeDescription.of(bar, range)).toList());
    }
  }

  /**
   * A part of a BAR.
   *
   * @param mapped whether a client can map it; else it is reached by messages
   */
  record RangeDescription(String offset, long length, boolean mapped) {
    static RangeDescription of(Bar bar, Bar.Range range) {
      return new RangeDescription(
          hex(range.offset()), range.length(), bar.share(range).isPresent());
    }
  }

  /** What the guest may use of the host. */
  record QuotaDescription(
      @JsonProperty("dma-bytes") long dmaBytes, @JsonProperty("dma-mappings") int dmaMappings) {}

  static DeviceDescription of(PciDevice device, Quota quota) {
    PciId id = device.id();
    Map<String, Integer> interrupts = new LinkedHashMap<>();
    Arrays.stream(Interrupts.Kind.values())
        .forEach(kind -> interrupts.put(lower(kind), device.interrupts().count(kind)));
    return new DeviceDescription(
        device.name().toString(),
        "%04x".formatted(id.vendor()),
        "%04x".formatted(id.device()),
        "%06x".formatted(device.pciClass().code()),
        device.bars().stream().map(BarDescription::of).toList(),
        device.dma().usableRanges().stream()
            .map(range -> List.of(hex(range.first()), hex(range.last())))
            .toList(),
        interrupts,
        new QuotaDescription(quota.dmaBytes(), quota.dmaMappings()));
  }

  String json() {
    try {
      return MAPPER.writerWithDefaultPrettyPrinter().writeValueAsString(this) + "\n";
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("no JSON for " + this, e);
    }
  }

  private static String hex(long address) {
    return "0x" + Long.toHexString(address);
  }

  private static String lower(Enum<?> value) {
    return value.name().toLowerCase(java.util.Locale.ROOT);
  }
}
