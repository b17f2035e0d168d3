package org.gatun.broker.fuzz;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.gatun.broker.Broker;
import org.gatun.broker.DeviceRequest;
import org.gatun.broker.DeviceRequest.BarPart;
import org.gatun.broker.Grant;
import org.gatun.broker.GrantState;
import org.gatun.broker.GuestOperation;
import org.gatun.broker.GuestOperation.ConfigRead;
import org.gatun.broker.GuestOperation.ConfigWrite;
import org.gatun.broker.GuestOperation.DisableMsi;
import org.gatun.broker.GuestOperation.DisableMsix;
import org.gatun.broker.GuestOperation.EnableMsi;
import org.gatun.broker.GuestOperation.EnableMsix;
import org.gatun.broker.GuestOperation.Reset;
import org.gatun.broker.Quota;
import org.gatun.broker.policy.ConfigPolicy;
import org.gatun.pci.Bar;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.Event;
import org.gatun.pci.Interrupts.Kind;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PciException;
import org.gatun.pci.PortIo;
import org.gatun.pci.Vector;
import org.gatun.simulated.SimulatedBus;
import org.gatun.simulated.SpecimenModel;

/**
 * A guest that does with its device whatever can be said through the public interface, sensible or
 * not. It knows where its victim's memory is. Errors that the interface documents are what it
 * expects; any other is the broker's fault, and comes out of {@link #act}.
 */
final class HostileGuest {
  private static final Quota QUOTA = new Quota(8 << 20, 64);
  private static final List<DmaDirection> DIRECTIONS = List.of(DmaDirection.values());
  private static final List<Kind> KINDS = List.of(Kind.values());
  private static final int KEPT = 16;
  private static final int HEADER_SIZE = 0x40;
  private static final int CONFIG_SIZE = 0x1000;
  private static final long PAGE = 4096;

  private final SimulatedBus bus;
  private final Broker broker;
  private final DeviceName name;
  private final MemorySegment memory;
  private final List<Long> targets;
  private final Choices choices;

  private final Deque<Mmio> mappings = new ArrayDeque<>();
  private final Deque<DmaBuffer> buffers = new ArrayDeque<>();
  private List<Vector> vectors = List.of();
  private Grant grant;
  private PciDevice device;
  private long accepted;

  /**
   * @param memory native pages of its own
   * @param targets bus addresses at which another guest's device reaches memory
   */
  HostileGuest(
      SimulatedBus bus,
      Broker broker,
      DeviceName name,
      MemorySegment memory,
      List<Long> targets,
      Choices choices) {
    this.bus = bus;
    this.broker = broker;
    this.name = name;
    this.memory = memory;
    this.targets = targets;
    this.choices = choices;
    this.grant = broker.grant("attacker", QUOTA, List.of(DeviceRequest.of(name)));
    this.device = grant.connect().getFirst();
  }

  /** Does something. */
  void act() {
    int choice = choices.below(64);
    if (choice < 4) {
      // Never throws: an error is an answer.
      vectors = grant.operate(operation()).vectors();
      return;
    }
    if (choice == 4 && choices.below(32) == 0) {
      comeAgain();
      return;
    }
    try {
      act(choice);
      accepted++;
    } catch (PciException
        | IllegalArgumentException
        | IllegalStateException
        | IndexOutOfBoundsException _) {
      // Refused, as the interface says.
    }
  }

  /** How much of what it did was not refused. */
  long accepted() {
    return accepted;
  }

  /** The device is taken from it; nothing of it stays. */
  void end() {
    grant.revoke(Duration.ZERO);
    assertThat(device.usage()).isEqualTo(PciDevice.Usage.NONE);
    assertThat(broker.devices())
        .filteredOn(d -> d.name().equals(name))
        .allSatisfy(d -> assertThat(d.quarantine()).isEmpty());
  }

  private void act(int choice) {
    switch (choice) {
      case 5 -> device.busMaster(choices.below(4) != 0);
      case 6 -> resetSometimes();
      case 7 -> device.dma().limitTo((int) choices.oneOf(12, 32, 40, 64, 64, 64, 64, 0));
      case 8, 9 -> map();
      case 10 -> unmap();
      case 11 -> allocate();
      case 12, 13 -> mapMemory();
      case 14 -> free();
      case 15 -> enable();
      case 16 -> device.interrupts().disable();
      case 17, 18 -> useVector();
      case 19 -> bus.time().sleep(Duration.ofNanos(choices.below(5_000)));
      case 20 -> look();
      case 21, 22, 23 -> port();
      case 24, 25, 26, 27, 28, 29, 30, 31 -> transfer();
      case 32, 33, 34, 35, 36, 37, 38, 39 -> readConfig();
      case 40, 41, 42, 43, 44, 45, 46, 47 -> writeConfig();
      case 48, 49, 50, 51 -> useBuffer();
      default -> useRegisters();
    }
  }

  // Config space

  private void readConfig() {
    int width = width();
    device.config().read(configOffset(width), width);
  }

  private void writeConfig() {
    int width = width();
    device.config().write(configOffset(width), width, value());
  }

  private int configOffset(int width) {
    int end = choices.below(2) == 0 ? HEADER_SIZE : CONFIG_SIZE;
    return choices.below(16) == 0 ? (int) choices.bits() : choices.below(end) & -width;
  }

  private int width() {
    return choices.below(64) == 0 ? (int) choices.oneOf(0, 3, 8, -1) : 1 << choices.below(3);
  }

  private int value() {
    return switch (choices.below(4)) {
      case 0 -> -1;
      case 1 -> 0;
      case 2 -> 1 << choices.below(32);
      default -> (int) choices.bits();
    };
  }

  private GuestOperation operation() {
    int slot = choices.below(8) == 0 ? (int) choices.bits() : 0;
    int width = width();
    return switch (choices.below(8)) {
      case 0, 1 -> new ConfigRead(slot, configOffset(width), width);
      case 2, 3 -> new ConfigWrite(slot, configOffset(width), width, value());
      case 4 -> choices.below(2) == 0 ? new EnableMsi(slot) : new DisableMsi(slot);
      case 5 -> new EnableMsix(slot, entries());
      case 6 -> new DisableMsix(slot);
      default -> choices.below(8) == 0 ? new Reset(slot) : new ConfigRead(slot, 0, 4);
    };
  }

  private List<Integer> entries() {
    int count = choices.below(SpecimenModel.VECTORS + 2);
    List<Integer> entries = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      entries.add(choices.below(16) == 0 ? (int) choices.bits() : i);
    }
    return entries;
  }

  // BARs

  private Bar bar() {
    int index = choices.below(16) == 0 ? (int) choices.bits() : choices.below(6);
    return device.bar(index).orElseThrow(() -> new IllegalArgumentException("no such BAR"));
  }

  private void map() {
    Bar bar = bar();
    long offset = choices.below(8) == 0 ? choices.bits() : choices.below(16) * PAGE;
    long length =
        switch (choices.below(8)) {
          case 0 -> choices.bits();
          case 1 -> bar.size() - offset;
          case 2 -> 4L * choices.below(0x100);
          default -> PAGE;
        };
    mappings.addLast(bar.map(offset, length));
    if (mappings.size() > KEPT) {
      mappings.removeFirst().close();
    }
  }

  private void unmap() {
    Mmio mapping = mappings.pollFirst();
    if (mapping != null) {
      mapping.close();
      mapping.close();
    }
  }

  private void look() {
    Bar bar = bar();
    bar.ranges();
    bar.share(new Bar.Range(choices.bits(), choices.bits(), Bar.Access.DIRECT));
    device.usage();
    device.dma().usableRanges();
    device.interrupts().count(Kind.MSIX);
  }

  private void port() {
    PortIo ports = choices.below(8) == 0 ? bar().ports() : portBar().ports();
    long offset = choices.below(16) == 0 ? choices.bits() : choices.below((int) ports.size());
    switch (choices.below(6)) {
      case 0 -> ports.read8(offset);
      case 1 -> ports.read16(offset);
      case 2 -> ports.read32(offset);
      case 3 -> ports.write8(offset, value());
      case 4 -> ports.write16(offset, value());
      default -> ports.write32(offset, value());
    }
  }

  private Bar portBar() {
    return device
        .bar(SpecimenModel.PORTS)
        .orElseThrow(() -> new IllegalArgumentException("not granted"));
  }

  private void useRegisters() {
    Mmio mapping = nextMapping();
    long offset =
        choices.below(16) == 0
            ? choices.bits()
            : choices.below((int) Math.min(mapping.size(), 0x10000));
    switch (choices.below(9)) {
      case 0 -> mapping.read8(offset);
      case 1 -> mapping.read16(offset & -2);
      case 2 -> mapping.read32(offset & -4);
      case 3 -> mapping.read64(offset & -8);
      case 4 -> mapping.readDiscard32(offset & -4);
      case 5 -> mapping.write8(offset, value());
      case 6 -> mapping.write16(offset & -2, value());
      case 7 -> mapping.write32(offset & -4, value());
      default -> mapping.write64(offset & -8, choices.bits());
    }
  }

  private Mmio nextMapping() {
    Mmio mapping = mappings.pollFirst();
    if (mapping == null) {
      mapping = device.bar(0).orElseThrow(IllegalArgumentException::new).map(0, PAGE);
    }
    mappings.addLast(mapping);
    return mapping;
  }

  // DMA

  private void allocate() {
    long size =
        choices.below(8) == 0
            ? choices.oneOf(0, -1, Long.MIN_VALUE, Long.MAX_VALUE, Long.MAX_VALUE - 4095, 1L << 40)
            : 1 + choices.below(0x10000);
    long alignment = choices.below(8) == 0 ? choices.bits() : 1L << choices.below(24);
    keep(device.dma().allocate(size, alignment));
  }

  private void mapMemory() {
    long offset = choices.below((int) (memory.byteSize() / PAGE)) * PAGE;
    long length =
        choices.below(16) == 0 ? 1 + choices.below((int) PAGE) : PAGE * (1 + choices.below(4));
    MemorySegment part = memory.asSlice(offset, Math.min(length, memory.byteSize() - offset));
    DmaDirection direction = DIRECTIONS.get(choices.below(DIRECTIONS.size()));
    keep(
        choices.below(2) == 0
            ? device.dma().map(part, direction)
            : device.dma().mapAt(busAddress() & -PAGE, part, direction));
  }

  private void keep(DmaBuffer buffer) {
    buffers.addLast(buffer);
    if (buffers.size() > KEPT) {
      buffers.removeFirst().close();
    }
  }

  private void free() {
    DmaBuffer buffer = buffers.pollFirst();
    if (buffer != null) {
      buffer.close();
      buffer.close();
    }
  }

  private void useBuffer() {
    DmaBuffer buffer = buffers.pollFirst();
    if (buffer == null) {
      return;
    }
    buffers.addLast(buffer);
    long offset = choices.below(16) == 0 ? choices.bits() : choices.below((int) PAGE) & -8;
    if (choices.below(2) == 0) {
      buffer.getLongAcquire(offset);
    } else {
      buffer.putLongRelease(offset, choices.bits());
    }
  }

  /** The device reads or writes the host's memory, or tries to. */
  private void transfer() {
    Mmio registers = device.bar(0).orElseThrow(IllegalArgumentException::new).map(0, 0x100);
    try (registers) {
      registers.write64(SpecimenModel.DMA_ADDRESS, busAddress());
      registers.write32(
          SpecimenModel.DMA_LENGTH,
          choices.below(16) == 0 ? (int) choices.bits() : choices.below(0x4000));
      registers.write32(SpecimenModel.DMA_COMMAND, choices.below(8));
      if (choices.below(4) == 0) {
        registers.write32(SpecimenModel.INTERRUPT, choices.below(SpecimenModel.VECTORS + 2));
      }
    }
  }

  /** Its own, its victim's, or any. */
  private long busAddress() {
    return switch (choices.below(4)) {
      case 0 -> buffers.isEmpty() ? 0 : buffers.getLast().busAddress() + choices.below(0x2000);
      case 1 -> targets.get(choices.below(targets.size())) + choices.below(0x2000) - PAGE;
      case 2 -> choices.oneOf(0, -1, -PAGE, 0xfee0_0000L, 0xfedf_f000L, 1L << 39, Long.MIN_VALUE);
      default -> choices.bits();
    };
  }

  // Interrupts

  private void enable() {
    Kind kind = KINDS.get(choices.below(KINDS.size()));
    int count =
        choices.below(8) == 0 ? (int) choices.bits() : 1 + choices.below(SpecimenModel.VECTORS);
    vectors = device.interrupts().enable(kind, count);
  }

  private void useVector() {
    if (vectors.isEmpty()) {
      return;
    }
    Vector vector = vectors.get(choices.below(vectors.size()));
    switch (choices.below(8)) {
      case 0, 1 -> vector.mask(true);
      case 2, 3 -> vector.mask(false);
      case 4 -> vector.await(Duration.ofNanos(choices.below(3_000)));
      case 5 -> vector.connect(new Deaf());
      default -> vector.poll();
    }
  }

  private static final class Deaf implements Event {
    @Override
    public void signal() {}

    @Override
    public <T> Optional<T> unwrap(Class<T> exactType) {
      return Optional.empty();
    }
  }

  // Life cycle

  private void resetSometimes() {
    if (choices.below(8) == 0) {
      device.reset();
    }
  }

  /** Gives the device back, or has it taken, and asks for it again under another policy. */
  private void comeAgain() {
    if (choices.below(2) == 0) {
      device.close();
    } else {
      grant.revoke(Duration.ZERO);
    }
    assertThat(grant.state()).isEqualTo(GrantState.CLOSED);
    end();
    // What is left of the last time is dead, and stays with the guest, which tries it.
    grant = broker.grant("attacker", QUOTA, List.of(request()));
    device = grant.connect().getFirst();
  }

  private DeviceRequest request() {
    Set<String> show =
        Stream.of("vendor-specific", "sr-iov", "ats")
            .filter(_ -> choices.below(2) == 0)
            .filter(HostileGuest::isHidden)
            .collect(Collectors.toSet());
    ConfigPolicy policy =
        new ConfigPolicy(choices.below(2) == 0, choices.below(2) == 0, show, List.of());
    DeviceRequest request =
        DeviceRequest.of(name).withConfig(policy).withVectors(choices.below(10));
    return choices.below(4) == 0
        ? request.withBars(
            Map.of(
                0, List.of(new BarPart(8L * choices.below(32), 8L * (1 + choices.below(0x800))))))
        : request;
  }

  private static boolean isHidden(String capability) {
    try {
      return new ConfigPolicy(false, false, Set.of(capability), List.of()).show().size() == 1;
    } catch (IllegalArgumentException _) {
      return false;
    }
  }
}
