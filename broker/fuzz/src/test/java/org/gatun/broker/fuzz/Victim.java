package org.gatun.broker.fuzz;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.gatun.broker.Broker;
import org.gatun.broker.DeviceRequest;
import org.gatun.broker.Grant;
import org.gatun.broker.GrantState;
import org.gatun.broker.Quota;
import org.gatun.pci.Bar;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.Interrupts.Kind;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PortIo;
import org.gatun.pci.Vector;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.simulated.HardwareConfig;
import org.gatun.simulated.SimulatedBus;
import org.gatun.simulated.SpecimenModel;

/** A guest that sits still, with something in each place of its device, and sees what changes. */
final class Victim {
  /** One of the things that {@link #check} compares. */
  enum Change {
    CONFIG("config space"),
    REGISTER("registers"),
    DIRECT_REGISTER("registers"),
    PORT("registers"),
    MSIX_TABLE("registers"),
    BUFFER("DMA memory"),
    CHOSEN_BUFFER("DMA memory"),
    MAPPING("usage"),
    INTERRUPT("vectors"),
    DENIED_ACCESS("denied accesses"),
    REVOCATION("grant");

    private final String seenAs;

    Change(String seenAs) {
      this.seenAs = seenAs;
    }

    /** What the check says. */
    String seenAs() {
      return seenAs;
    }
  }

  private static final long CHOSEN = 0x4000_0000;
  private static final int PAGE = 4096;
  private static final int FREE_REGISTERS = 0x40;

  private final SimulatedBus bus;
  private final DeviceName name;
  private final Grant grant;
  private final PciDevice device;
  private final List<Vector> vectors;
  private final List<DmaBuffer> buffers;
  private final PciDevice.Usage usage;
  private final byte[] config;
  private final long[] registers;
  private final byte[] data;

  /**
   * @param memory native, two pages of its own
   */
  Victim(SimulatedBus bus, Broker broker, DeviceName name, MemorySegment memory) {
    this.bus = bus;
    this.name = name;
    this.grant = broker.grant("victim", Quota.DEFAULT, List.of(DeviceRequest.of(name)));
    this.device = grant.connect().getFirst();
    device.config().write8(ConfigRegisters.CACHE_LINE_SIZE, 0x10);
    device.busMaster(true);
    vectors = device.interrupts().enable(Kind.MSIX, 2);
    // The attacker's buffers are likely to be at the bus addresses of the first.
    buffers =
        List.of(
            device.dma().allocate(2 * PAGE, PAGE),
            device.dma().mapAt(CHOSEN, memory, DmaDirection.BIDIRECTIONAL));
    fill();
    usage = device.usage();
    config = config();
    registers = registers();
    data = data();
  }

  /** Where its device reaches its memory. */
  List<Long> busAddresses() {
    return buffers.stream().map(DmaBuffer::busAddress).toList();
  }

  /** All is as it was. */
  void check(String when) {
    assertThat(grant.state()).as("grant, %s", when).isEqualTo(GrantState.CONNECTED);
    assertThat(Arrays.mismatch(config(), config)).as("config space, %s", when).isEqualTo(-1);
    assertThat(Arrays.mismatch(registers(), registers)).as("registers, %s", when).isEqualTo(-1);
    assertThat(Arrays.mismatch(data(), data)).as("DMA memory, %s", when).isEqualTo(-1);
    assertThat(device.usage()).as("usage, %s", when).isEqualTo(usage);
    assertThat(grant.counters().deniedAccesses()).as("denied accesses, %s", when).isZero();
    assertThat(vectors).as("vectors, %s", when).noneMatch(Vector::poll);
  }

  /** Changes that one thing. */
  void suffer(Change change) {
    switch (change) {
      case CONFIG -> bus.hardware(name).poke(ConfigRegisters.CACHE_LINE_SIZE, 1, 0x20);
      case REGISTER -> write(SpecimenModel.REGISTERS, FREE_REGISTERS, -1);
      case DIRECT_REGISTER -> write(SpecimenModel.MEMORY, SpecimenModel.MEMORY_SIZE - 4, -1);
      case PORT -> bar(SpecimenModel.PORTS).ports().write8(3, 0x7f);
      case MSIX_TABLE -> vectors.get(1).mask(true);
      case BUFFER -> buffers.getFirst().putByte(2 * PAGE - 1, (byte) 0x7f);
      case CHOSEN_BUFFER -> buffers.getLast().putByte(2 * PAGE - 1, (byte) 0x7f);
      case MAPPING -> bar(SpecimenModel.SMALL).map(0, 0x100);
      case INTERRUPT -> write(SpecimenModel.REGISTERS, SpecimenModel.INTERRUPT, 1);
      case DENIED_ACCESS -> device.config().write16(ConfigRegisters.VENDOR_ID, 0);
      case REVOCATION -> grant.revoke(Duration.ZERO);
    }
  }

  private void write(int bar, long offset, int value) {
    Bar memory = bar(bar);
    Bar.Range range =
        memory.ranges().stream().filter(r -> r.contains(offset, 4)).findFirst().orElseThrow();
    try (Mmio mapped = memory.map(range.offset(), range.length())) {
      mapped.write32(offset - range.offset(), value);
    }
  }

  /** Its device still does what it is told. */
  void checkThatItWorks() {
    DmaBuffer buffer = buffers.getFirst();
    try (Mmio mapped = bar(SpecimenModel.REGISTERS).map(0, 0x100)) {
      buffer.putLong(0, 0x0123_4567_89ab_cdefL);
      mapped.write64(SpecimenModel.DMA_ADDRESS, buffer.busAddress());
      mapped.write32(SpecimenModel.DMA_LENGTH, 8);
      mapped.write32(SpecimenModel.DMA_COMMAND, SpecimenModel.DMA_READ);
      assertThat(bus.peek(name, SpecimenModel.MEMORY, 0, 8)).isEqualTo(0x0123_4567_89ab_cdefL);
      mapped.write32(SpecimenModel.INTERRUPT, 1);
      assertThat(vectors.get(1).poll()).isTrue();
    }
  }

  private void fill() {
    long pattern = 0x5a00_0000_0000_0001L;
    for (Bar bar : device.bars()) {
      if (bar.kind() == Bar.Kind.IO) {
        PortIo ports = bar.ports();
        for (long offset = 0; offset < ports.size(); offset += 4) {
          ports.write32(offset, (int) pattern++);
        }
        continue;
      }
      for (Bar.Range range : bar.ranges()) {
        boolean control = range.access() == Bar.Access.TRAPPED && bar.size() > PAGE;
        long end = control ? Math.min(range.length(), 0x100) : range.length();
        try (Mmio mapped = bar.map(range.offset(), range.length())) {
          for (long at = control ? FREE_REGISTERS : 0; at < end; at += 8) {
            if (range.offset() != SpecimenModel.MSIX_TABLE || bar.index() != 0) {
              mapped.write64(at, pattern++);
            }
          }
        }
      }
    }
    for (DmaBuffer buffer : buffers) {
      for (long at = 0; at < buffer.size(); at += 8) {
        buffer.putLong(at, pattern++);
      }
    }
  }

  private byte[] config() {
    HardwareConfig hardware = bus.hardware(name);
    byte[] bytes = new byte[hardware.size()];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) hardware.read8(i);
    }
    return bytes;
  }

  /** What is behind its BARs. */
  private long[] registers() {
    List<Long> values = new ArrayList<>();
    for (Bar bar : device.bars()) {
      int width = bar.kind() == Bar.Kind.IO ? 4 : 8;
      for (long offset = 0; offset < bar.size(); offset += width) {
        values.add(bus.peek(name, bar.index(), offset, width));
      }
    }
    return values.stream().mapToLong(Long::longValue).toArray();
  }

  private byte[] data() {
    byte[] bytes = new byte[buffers.size() * 2 * PAGE];
    for (int i = 0; i < buffers.size(); i++) {
      byte[] part = new byte[2 * PAGE];
      buffers.get(i).copyOut(0, part);
      System.arraycopy(part, 0, bytes, i * part.length, part.length);
    }
    return bytes;
  }

  private Bar bar(int index) {
    return device.bar(index).orElseThrow();
  }
}
