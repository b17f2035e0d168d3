package org.gatun.broker;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.gatun.broker.GuestOperation.Answer;
import org.gatun.broker.GuestOperation.ConfigRead;
import org.gatun.broker.GuestOperation.ConfigWrite;
import org.gatun.broker.GuestOperation.EnableMsix;
import org.gatun.broker.policy.ConfigLayout;
import org.gatun.broker.policy.ConfigPolicy;
import org.gatun.broker.policy.DeviceSnapshot;
import org.gatun.pci.Bar;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.DmaException;
import org.gatun.pci.Interrupts.Kind;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PciException;
import org.gatun.pci.Vector;
import org.gatun.pci.config.Capabilities;
import org.gatun.pci.config.Capability;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.pci.config.ConfigSnapshot;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.pci.config.PciClass;
import org.gatun.pci.spi.Hazard;
import org.gatun.simulated.DeviceModel;
import org.gatun.simulated.EduModel;
import org.gatun.simulated.FunctionDescription;
import org.gatun.simulated.FunctionDescription.BarDescription;
import org.gatun.simulated.FunctionDescription.InterruptDescription;
import org.gatun.simulated.HardwareConfig;
import org.gatun.simulated.ModelContext;
import org.gatun.simulated.RunningModel;
import org.gatun.simulated.SpecimenModel;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Advisories about PCI passthrough, each a class of faults: the attack is made, and its target is
 * looked at. Others of their kind are in {@link FailureInjectionTest} (XSA-450, XSA-458, XSA-460).
 */
class AdvisoriesTest {
  private static final ConfigPolicy PERMISSIVE = new ConfigPolicy(true, true, Set.of(), List.of());

  private final Site site = Site.realTime();
  private final DeviceName name = site.seize("device", new SpecimenModel());

  @AfterEach
  void close() {
    site.close();
  }

  @Test
  void xsa43And130And157Cve2015_8552AFloodOfFailuresDoesNotFillTheLog() {
    AtomicInteger lines = new AtomicInteger();
    Handler counter =
        new Handler() {
          @Override
          public void publish(LogRecord line) {
            lines.incrementAndGet();
          }

          @Override
          public void flush() {}

          @Override
          public void close() {}
        };
    Logger logger = Logger.getLogger("org.gatun");
    logger.addHandler(counter);
    try {
      Grant grant = site.grant("guest", name);
      PciDevice device = grant.connect().getFirst();
      Mmio table =
          device.bar(SpecimenModel.REGISTERS).orElseThrow().map(SpecimenModel.MSIX_TABLE, 0x1000);
      int before = lines.get();
      for (int i = 0; i < 100_000; i++) {
        grant.operate(new ConfigWrite(0, i * 4 & 0xffc, 4, i));
        grant.operate(new ConfigRead(0, -i, 4));
        table.write32(0, i);
      }
      assertThat(lines.get() - before).isLessThanOrEqualTo(2);
      assertThat(grant.counters().deniedAccesses()).isGreaterThan(150_000);
    } finally {
      logger.removeHandler(counter);
    }
  }

  @Test
  void xsa120And126MemoryDecodeStaysOn() {
    PciDevice device = connect(PERMISSIVE);
    Mmio registers = device.bar(SpecimenModel.REGISTERS).orElseThrow().map(0, 0x100);
    registers.write32(0x40, 7);

    device.config().write16(ConfigRegisters.COMMAND, 0);
    device.config().write8(ConfigRegisters.COMMAND, 0);
    device.config().write32(ConfigRegisters.COMMAND, 0);

    assertThat(hardware().read16(ConfigRegisters.COMMAND) & ConfigRegisters.COMMAND_MEMORY)
        .isNotZero();
    assertThat(registers.read32(0x40)).isEqualTo(7);
  }

  @Test
  void xsa124UndocumentedRegistersAreClosed() {
    ConfigLayout layout = layout(ConfigPolicy.STRICT);
    ConfigSpace guest = connect(ConfigPolicy.STRICT).config();
    int found = 0;
    for (int offset = ConfigRegisters.HEADER_END; offset < guest.size(); offset += 4) {
      int writable = hardware().writable(offset, 4);
      if (writable != 0 && layout.writeMask(offset) == 0 && layout.writeMask(offset + 2) == 0) {
        int before = hardware().read32(offset);
        writeAnyhow(guest, offset, 4, ~before);
        assertThat(hardware().read32(offset)).as("0x%x", offset).isEqualTo(before);
        found++;
      }
    }
    assertThat(found).as("registers that somebody else could write").isGreaterThan(100);
  }

  @Test
  void xsa128AWideWriteReachesOnlyWhatEachOfItsBytesMay() {
    for (ConfigPolicy policy : List.of(ConfigPolicy.STRICT, PERMISSIVE)) {
      ConfigLayout layout = layout(policy);
      ConfigSpace guest = connect(policy).config();
      long seed = System.nanoTime();
      Random random = new Random(seed);
      for (int width : new int[] {1, 2, 4}) {
        for (int offset = 0; offset < guest.size(); offset += width) {
          for (int value : new int[] {-1, 0, random.nextInt(), random.nextInt()}) {
            ConfigSnapshot before = ConfigSnapshot.of(hardware());
            writeAnyhow(guest, offset, width, value);
            assertOnlyChanged(layout, before, offset, width, seed);
          }
        }
      }
      site.broker.grants().getFirst().revoke(Duration.ZERO);
    }
  }

  @Test
  void xsa129MaskBitsOfMsiAreNotTheGuests() {
    ConfigSpace guest = connect(PERMISSIVE).config();
    int msi = capability(Capability.MSI);
    int mask = msi + 16;
    int before = hardware().read32(mask);
    assertThat(hardware().writable(mask, 4)).as("the hardware has mask bits").isNotZero();

    guest.write32(mask, ~before);
    guest.write8(mask, ~before);

    assertThat(hardware().read32(mask)).isEqualTo(before);
  }

  @Test
  void xsa131AllOnesEverywhereChangeNothingThatIsNotTheGuests() {
    ConfigLayout layout = layout(ConfigPolicy.STRICT);
    ConfigSpace guest = connect(ConfigPolicy.STRICT).config();
    ConfigSnapshot before = ConfigSnapshot.of(hardware());
    for (int offset = 0; offset < guest.size(); offset += 4) {
      writeAnyhow(guest, offset, 4, -1);
    }
    for (int offset = 0; offset < guest.size(); offset++) {
      assertThat((before.read8(offset) ^ hardware().read8(offset)) & ~layout.writeMask(offset))
          .as("0x%x", offset)
          .isZero();
    }
  }

  @Test
  void xsa155WhatWasCheckedIsWhatIsDone() throws InterruptedException {
    Grant grant = site.grant("guest", name);
    grant.connect();
    List<Integer> shared = new CopyOnWriteArrayList<>(List.of(0));
    AtomicBoolean done = new AtomicBoolean();
    Thread liar =
        Thread.ofPlatform()
            .start(
                () -> {
                  while (!done.get()) {
                    shared.add(1);
                    shared.set(0, 1 << 20);
                    shared.removeLast();
                    shared.set(0, 0);
                  }
                });
    Set<Integer> enabled = new HashSet<>();
    for (int i = 0; i < 20_000; i++) {
      EnableMsix request = new EnableMsix(0, shared);
      List<Integer> entries = List.copyOf(request.entries());
      boolean fits = entries.getFirst() == 0;
      assertThat(grant.operate(request).error()).isEqualTo(fits ? 0 : Answer.INVALID_ARGUMENT);
      int vectors = fits ? entries.size() : 0;
      assertThat(vectorsOfTheHardware()).as("of %s", entries).isEqualTo(vectors);
      enabled.add(vectors);
      grant.operate(new GuestOperation.DisableMsix(0));
    }
    done.set(true);
    liar.join();
    assertThat(enabled).as("numbers of vectors").containsExactlyInAnyOrder(0, 1, 2);
  }

  /** How many entries of its MSI-X table send messages: those that are not masked. */
  private int vectorsOfTheHardware() {
    int control = hardware().read16(capability(Capability.MSIX) + 2);
    if ((control & 1 << 15) == 0) {
      return 0;
    }
    int vectors = 0;
    for (int i = 0; i < SpecimenModel.VECTORS; i++) {
      vectors += (entry(16 * i + 12) & 1) == 0 ? 1 : 0;
    }
    return vectors;
  }

  @Test
  void xsa164EntriesBeyondTheTableAreRefused() {
    Grant grant = site.grant("guest", name);
    PciDevice device = grant.connect().getFirst();

    assertThat(grant.operate(new EnableMsix(0, List.of(SpecimenModel.VECTORS))).error())
        .isEqualTo(Answer.INVALID_ARGUMENT);
    assertThat(device.usage().vectors()).isZero();
  }

  @Test
  void cve2016_9083CountsDoNotOverflow() {
    PciDevice device = connect(ConfigPolicy.STRICT);
    for (int count : new int[] {-1, 0, Integer.MIN_VALUE, Integer.MAX_VALUE, 1 << 30}) {
      for (Kind kind : Kind.values()) {
        assertThatThrownBy(() -> device.interrupts().enable(kind, count))
            .isInstanceOf(IllegalArgumentException.class);
      }
    }
    for (long size : new long[] {-1, 0, Long.MIN_VALUE, Long.MAX_VALUE, Long.MAX_VALUE - 4095}) {
      assertThatThrownBy(() -> device.dma().allocate(size, 4096))
          .isInstanceOfAny(IllegalArgumentException.class, DmaException.class);
    }
    assertThat(device.usage()).isEqualTo(PciDevice.Usage.NONE);
  }

  @Test
  void xsa332AFloodOfOneGuestLeavesTheOthersServed() throws InterruptedException {
    DeviceName other = site.seize("other", new SpecimenModel());
    Grant flooder = site.grant("flooder", name);
    PciDevice device = flooder.connect().getFirst();
    device.busMaster(true);
    device.interrupts().enable(Kind.MSIX, 1);
    Mmio registers = device.bar(SpecimenModel.REGISTERS).orElseThrow().map(0, 0x100);
    List<Throwable> unexpected = new ArrayList<>();
    AtomicBoolean done = new AtomicBoolean();
    AtomicInteger floods = new AtomicInteger();
    Runnable attack =
        () -> {
          registers.write32(SpecimenModel.INTERRUPT, 0);
          flooder.operate(new ConfigWrite(0, 0, 4, 1));
          device.dma().allocate(4096, 4096).close();
          floods.incrementAndGet();
        };
    Thread flood = Thread.ofPlatform().start(() -> repeat(attack, done, unexpected));
    try {
      for (int i = 0; i < 20; i++) {
        int before = floods.get();
        // Grants too: the broker serves others as their devices do.
        try (PciDevice served = site.grant("served", other).connect().getFirst();
            Mmio mapped = served.bar(SpecimenModel.REGISTERS).orElseThrow().map(0, 0x100)) {
          served.busMaster(true);
          Vector vector = served.interrupts().enable(Kind.MSIX, 1).getFirst();
          while (floods.get() == before && flood.isAlive()) {
            Thread.onSpinWait();
          }
          assertThat(vector.poll()).as("an interrupt of the other's device").isFalse();
          mapped.write32(SpecimenModel.INTERRUPT, 0);
          assertThat(vector.poll()).isTrue();
        }
      }
      assertThat(unexpected).isEmpty();
      assertThat(flood.isAlive()).as("the flood goes on").isTrue();
    } finally {
      done.set(true);
      flood.join();
    }
  }

  /** The worst of floods: one access that takes for ever. */
  @Test
  @Timeout(60)
  void xsa332ADoorbellThatDoesNotComeBackHoldsUpNobodyElse() throws InterruptedException {
    StuckModel model = new StuckModel();
    DeviceName stuck = site.seize("stuck", model);
    Grant flooder = site.grant("flooder", stuck);
    Mmio doorbell = flooder.connect().getFirst().bar(0).orElseThrow().map(0, 0x100);
    Thread flood = Thread.ofPlatform().start(() -> doorbell.write32(0, 1));
    try {
      model.reached.await();
      assertThat(flooder.operate(new ConfigRead(0, 0, 4)).error()).as("its own device").isZero();
      for (int i = 0; i < 20; i++) {
        try (PciDevice served = site.grant("served", name).connect().getFirst();
            Mmio mapped = served.bar(SpecimenModel.REGISTERS).orElseThrow().map(0, 0x100)) {
          mapped.write32(0x40, i + 1);
          assertThat(mapped.read32(0x40)).isEqualTo(i + 1);
        }
      }
    } finally {
      model.released.countDown();
      flood.join();
    }
  }

  @Test
  void xsa302NoDmaAfterTheGrantEnded() throws InterruptedException {
    try (Arena arena = Arena.ofShared()) {
      MemorySegment memory = arena.allocate(4096, 4096);
      PciDevice device = connect(ConfigPolicy.STRICT);
      DmaBuffer buffer = device.dma().map(memory, DmaDirection.BIDIRECTIONAL);
      Mmio registers = device.bar(SpecimenModel.REGISTERS).orElseThrow().map(0, 0x100);
      device.busMaster(true);
      registers.write64(SpecimenModel.DMA_ADDRESS, buffer.busAddress());
      registers.write32(SpecimenModel.DMA_LENGTH, 4096);
      memory.fill((byte) 1);
      // It writes again and again, until somebody stops it.
      registers.write32(
          SpecimenModel.DMA_COMMAND, SpecimenModel.DMA_WRITE | SpecimenModel.DMA_REPEAT);
      assertThat(memory.get(ValueLayout.JAVA_BYTE, 0)).isZero();

      site.broker.grants().getFirst().revoke(Duration.ZERO);

      memory.fill((byte) 0x5a);
      for (int i = 0; i < 100; i++) {
        site.bus.time().sleep(Duration.ofNanos(100_000));
        assertThat(memory.get(ValueLayout.JAVA_BYTE, i)).isEqualTo((byte) 0x5a);
      }
    }
  }

  @Test
  void cve2021_28702ADeviceThatCantBeTakenBackIsNotGrantedAgain() {
    DeviceName edu = site.seize("edu", EduModel.withoutReset());
    DeviceRequest request = DeviceRequest.of(edu).accepting(Hazard.MISSING_RESET);
    Grant grant = site.broker.grant("guest", Quota.DEFAULT, List.of(request));
    grant.connect();
    grant.revoke(Duration.ZERO);

    assertThatThrownBy(() -> site.broker.grant("next", Quota.DEFAULT, List.of(request)))
        .isInstanceOf(GrantRefusedException.class);
  }

  @Test
  void xsa337WhatTheHardwareSaysLaterDoesNotCount() {
    ConfigLayout layout = layout(ConfigPolicy.STRICT);
    int express = capability(Capability.PCI_EXPRESS);
    ConfigSpace guest = connect(ConfigPolicy.STRICT).config();
    List<Capability> seen = Capabilities.walk(guest).list();
    Bar bar = site.broker.grants().getFirst().devices().getFirst().bar(0).orElseThrow();
    // The device moves its capabilities, so that a list that is walked again leads elsewhere: what
    // was Power Management, which is writable, lies over Device Control.
    hardware().poke(ConfigRegisters.CAPABILITIES_POINTER, 1, express + 4);
    hardware().poke(express + 4, 2, Capability.POWER_MANAGEMENT);
    hardware().poke(ConfigRegisters.BAR0, 4, 0x1000);
    int control = hardware().read16(express + 8);

    writeAnyhow(guest, express + 8, 2, ~control);

    assertThat(hardware().read16(express + 8)).isEqualTo(control);
    assertThat(Capabilities.walk(guest).list()).isEqualTo(seen);
    assertThat(layout.writeMask(express + 8)).isZero();
    guest.write32(ConfigRegisters.BAR0, -1);
    assertThat(guest.read32(ConfigRegisters.BAR0)).isEqualTo((int) -bar.size());
  }

  @Test
  void xsa461APageThatIsNotWhollyTheGuestsIsNotMapped() {
    PciDevice device = connect(ConfigPolicy.STRICT);
    Bar small = device.bar(SpecimenModel.SMALL).orElseThrow();

    assertThat(small.ranges()).extracting(Bar.Range::access).containsOnly(Bar.Access.TRAPPED);
    try (Mmio registers = small.map(0, small.size())) {
      assertThat(registers.isDirect()).isFalse();
      assertThatThrownBy(() -> registers.read32(small.size()))
          .isInstanceOf(IndexOutOfBoundsException.class);
    }
  }

  /** The line is masked at its source when it fires, and who holds it silences only himself. */
  @Test
  void xsa461AnIntxThatIsHeldIsNoStormAndSilencesNobodyElse() {
    DeviceName other = site.seize("other", new SpecimenModel());
    PciDevice holder = connect(ConfigPolicy.STRICT);
    PciDevice served = site.grant("served", other).connect().getFirst();
    Vector held = holder.interrupts().enable(Kind.INTX, 1).getFirst();
    Vector vector = served.interrupts().enable(Kind.INTX, 1).getFirst();
    Mmio holders = holder.bar(SpecimenModel.REGISTERS).orElseThrow().map(0, 0x100);
    Mmio registers = served.bar(SpecimenModel.REGISTERS).orElseThrow().map(0, 0x100);

    holders.write32(SpecimenModel.INTERRUPT, 0);

    assertThat(held.poll()).isTrue();
    for (int i = 0; i < 100; i++) {
      // Neither does it come again, nor can the guest have the pin lowered for others to wonder at.
      holders.write32(SpecimenModel.INTERRUPT, 0);
      writeAnyhow(holder.config(), ConfigRegisters.COMMAND, 2, i << 10);
      assertThat(held.poll()).as("masked when it fired").isFalse();
      assertThat(vector.poll()).as("the other's").isFalse();
      registers.write32(SpecimenModel.INTERRUPT, 0);
      assertThat(vector.poll()).isTrue();
      registers.write32(SpecimenModel.INTERRUPT_RELEASE, 0);
      vector.mask(false);
    }
    site.broker.grants().getFirst().revoke(Duration.ZERO);
    registers.write32(SpecimenModel.INTERRUPT, 0);
    assertThat(vector.poll()).isTrue();
    Vector next = connect(ConfigPolicy.STRICT).interrupts().enable(Kind.INTX, 1).getFirst();
    assertThat(next.poll()).as("what the last guest held").isFalse();
  }

  @Test
  void xsa476NoMappingSurvivesItsDevice() {
    Grant grant = site.grant("guest", name);
    Bar bar = grant.connect().getFirst().bar(SpecimenModel.REGISTERS).orElseThrow();
    Mmio direct = bar.map(SpecimenModel.DIRECT, 0x1000);
    Mmio trapped = bar.map(0, 0x100);

    site.bus.unplug(name);
    grant.revoke(Duration.ZERO);

    assertThatThrownBy(() -> direct.read32(0)).isInstanceOf(DeviceGoneException.class);
    assertThatThrownBy(() -> trapped.read32(0)).isInstanceOf(DeviceGoneException.class);
  }

  @Test
  void xsa449PhantomFunctionsStayOff() {
    int control = capability(Capability.PCI_EXPRESS) + 8;
    ConfigSpace guest = connect(PERMISSIVE).config();
    assertThat(hardware().writable(control, 2) & 1 << 9).as("could be enabled").isNotZero();

    guest.write16(control, guest.read16(control) | 1 << 9);
    guest.write32(control, -1);

    assertThat(hardware().read16(control) & 1 << 9).isZero();
  }

  @Test
  void cve2020_12888AGuestThatFaultsHarmsOnlyItself() throws InterruptedException {
    DeviceName other = site.seize("other", new SpecimenModel());
    PciDevice served = site.grant("served", other).connect().getFirst();
    Mmio registers = served.bar(SpecimenModel.REGISTERS).orElseThrow().map(0, 0x100);
    Mmio memory = served.bar(SpecimenModel.MEMORY).orElseThrow().map(0, 0x1000);
    registers.write32(0x40, 7);
    memory.write32(0, 8);
    PciDevice faulting = connect(ConfigPolicy.STRICT);
    Mmio trapped = faulting.bar(SpecimenModel.REGISTERS).orElseThrow().map(0, 0x100);
    Mmio direct = faulting.bar(SpecimenModel.MEMORY).orElseThrow().map(0, 0x1000);
    AtomicInteger faults = new AtomicInteger();
    Thread guest =
        Thread.ofPlatform()
            .start(
                () -> {
                  while (faults.get() < 1_000) {
                    try {
                      faulting.config().write16(ConfigRegisters.COMMAND, 0);
                      direct.write32(0, 1);
                      trapped.write32(0x40, 1);
                    } catch (DeviceGoneException _) {
                      faults.incrementAndGet();
                    }
                  }
                });
    // The owner may switch decode off, and the guest's mappings fault while it uses them.
    site.bus.unplug(name);
    guest.join();

    assertThat(registers.read32(0x40)).isEqualTo(7);
    assertThat(memory.read32(0)).isEqualTo(8);
    assertThat(served.usage().mappings()).isEqualTo(2);
  }

  @Test
  void cve2013_3495AGuestDoesNotWriteTheMsixTable() {
    PciDevice device = connect(PERMISSIVE);
    device.interrupts().enable(Kind.MSIX, 1);
    try (Mmio table =
        device.bar(SpecimenModel.REGISTERS).orElseThrow().map(SpecimenModel.MSIX_TABLE, 0x1000)) {
      for (int offset = 0; offset < 16 * SpecimenModel.VECTORS; offset += 4) {
        long before = entry(offset);
        table.write32(offset, 0xfee1_2340);
        assertThat(entry(offset)).isEqualTo(before);
      }
    }
  }

  @Test
  void cve2019_3882MappingsEndWithTheQuota() {
    PciDevice device = connect(ConfigPolicy.STRICT);
    int mapped = 0;
    Optional<DmaException> refused = Optional.empty();
    while (refused.isEmpty() && mapped < 100_000) {
      try {
        device.dma().allocate(4096, 4096);
        mapped++;
      } catch (DmaException e) {
        refused = Optional.of(e);
      }
    }
    assertThat(mapped).isEqualTo(Quota.DEFAULT.dmaMappings());
    assertThat(refused).get().satisfies(e -> assertThat(e).hasMessageContaining("quota"));
  }

  @Test
  void cve2024_26810MaskTriggerAndCloseRaceWithoutHarm() throws InterruptedException {
    long seed = Long.getLong("gatun.seed", System.nanoTime());
    Set<Kind> arrived = ConcurrentHashMap.newKeySet();
    Set<Kind> masked = ConcurrentHashMap.newKeySet();
    for (int round = 0; round < 100; round++) {
      PciDevice device = connect(ConfigPolicy.STRICT);
      device.busMaster(true);
      Mmio registers = device.bar(SpecimenModel.REGISTERS).orElseThrow().map(0, 0x100);
      Random random = new Random(seed + round);
      long life = random.nextInt(500_000);
      AtomicInteger kinds = new AtomicInteger(round);
      AtomicReference<Enabled> enabled = new AtomicReference<>(enable(device, kinds));
      List<Runnable> attacks =
          List.of(
              () -> masked.add(enabled.get().mask(true)),
              () -> enabled.get().mask(false),
              () -> registers.write32(SpecimenModel.INTERRUPT, 0),
              () -> registers.write32(SpecimenModel.INTERRUPT_RELEASE, 0),
              () -> enabled.get().poll().ifPresent(arrived::add),
              () -> {
                device.interrupts().disable();
                enabled.set(enable(device, kinds));
              });
      List<CountDownLatch> going = new ArrayList<>();
      AtomicBoolean over = new AtomicBoolean();
      List<Throwable> unexpected = new ArrayList<>();
      List<Thread> threads = new ArrayList<>();
      for (Runnable attack : attacks) {
        CountDownLatch worked = new CountDownLatch(1);
        going.add(worked);
        Runnable step =
            () -> {
              attack.run();
              worked.countDown();
            };
        threads.add(Thread.ofPlatform().start(() -> repeat(step, over, unexpected)));
      }
      for (CountDownLatch worked : going) {
        assertThat(worked.await(30, TimeUnit.SECONDS))
            .as("seed %d: each thread does something: %s", seed, unexpected)
            .isTrue();
      }
      long start = System.nanoTime();
      while (System.nanoTime() - start < life) {
        Thread.onSpinWait();
      }
      assertThat(threads).as("seed %d: %s", seed, unexpected).allMatch(Thread::isAlive);
      site.broker.grants().getFirst().revoke(Duration.ZERO);
      over.set(true);
      for (Thread thread : threads) {
        // Not isAlive(), which may be true for a moment yet when this has returned.
        assertThat(thread.join(Duration.ofSeconds(30)))
            .as("seed %d: a thread ends: %s", seed, List.of(thread.getStackTrace()))
            .isTrue();
      }
      assertThat(unexpected).as("seed %d", seed).isEmpty();
      assertThat(site.broker.devices().getFirst().quarantine()).isEmpty();
      assertThat(vectorsOfTheHardware()).as("seed %d", seed).isZero();
    }
    assertThat(masked).as("kinds that were masked").containsExactlyInAnyOrder(Kind.values());
    assertThat(arrived).as("kinds that arrived").containsExactlyInAnyOrder(Kind.values());
  }

  /** A vector, and its kind. */
  private record Enabled(Kind kind, Vector vector) {
    Kind mask(boolean on) {
      vector.mask(on);
      return kind;
    }

    Optional<Kind> poll() {
      return vector.poll() ? Optional.of(kind) : Optional.empty();
    }
  }

  /** Enables the next kind. */
  private static Enabled enable(PciDevice device, AtomicInteger kinds) {
    List<Kind> all = List.of(Kind.values());
    Kind kind = all.get(Math.floorMod(kinds.getAndIncrement(), all.size()));
    return new Enabled(kind, device.interrupts().enable(kind, 1).getFirst());
  }

  @Test
  void cve2024_26812AnIntxThatComesWithoutAListenerHarmsNobody() {
    PciDevice device = connect(ConfigPolicy.STRICT);
    Mmio registers = device.bar(SpecimenModel.REGISTERS).orElseThrow().map(0, 0x100);
    Vector old = device.interrupts().enable(Kind.INTX, 1).getFirst();
    device.interrupts().disable();

    registers.write32(SpecimenModel.INTERRUPT, 0);

    assertThatThrownBy(old::poll).isInstanceOf(DeviceGoneException.class);
    assertThatThrownBy(() -> old.mask(false)).isInstanceOf(DeviceGoneException.class);
    Vector next = device.interrupts().enable(Kind.INTX, 1).getFirst();
    assertThat(next.poll()).as("the pin is asserted still").isTrue();
    assertThatThrownBy(() -> old.mask(false)).isInstanceOf(DeviceGoneException.class);
    assertThat(next.poll()).as("once, until it is unmasked").isFalse();
  }

  @Test
  void cve2024_27437AnIntxThatIsMaskedStaysSo() {
    PciDevice device = connect(ConfigPolicy.STRICT);
    Mmio registers = device.bar(SpecimenModel.REGISTERS).orElseThrow().map(0, 0x100);
    Vector vector = device.interrupts().enable(Kind.INTX, 1).getFirst();
    for (int i = 0; i < 100; i++) {
      vector.mask(true);
      vector.mask(true);
      registers.write32(SpecimenModel.INTERRUPT, 0);
      assertThat(vector.poll()).as("masked").isFalse();
      vector.mask(false);
      assertThat(vector.poll()).as("unmasked, once for however many masks").isTrue();
      registers.write32(SpecimenModel.INTERRUPT_RELEASE, 0);
    }
  }

  /** Until it is over: a vector, and then the device, may be gone before. */
  private static void repeat(Runnable attack, AtomicBoolean over, List<Throwable> unexpected) {
    while (!over.get()) {
      try {
        attack.run();
      } catch (DeviceGoneException _) {
        // As it should be.
      } catch (RuntimeException | Error e) {
        synchronized (unexpected) {
          unexpected.add(e);
        }
        return;
      }
    }
  }

  private void assertOnlyChanged(
      ConfigLayout layout, ConfigSnapshot before, int offset, int width, long seed) {
    for (int at = 0; at < before.size(); at += 4) {
      int difference = before.read32(at) ^ hardware().read32(at);
      if (difference == 0) {
        continue;
      }
      for (int i = 0; i < 4; i++) {
        int allowed = layout.writeMask(at + i) | sideEffects(at + i);
        assertThat((difference >>> (8 * i)) & 0xff & ~allowed)
            .as("seed %d: %d bytes at 0x%x changed 0x%x", seed, width, offset, at + i)
            .isZero();
      }
    }
  }

  /** Vital product data appears in its register when its address was written; a self test ends. */
  private int sideEffects(int offset) {
    int vpd = capability(Capability.VPD);
    return offset >= vpd + 2 && offset < vpd + 8 ? 0xff : 0;
  }

  private static void writeAnyhow(ConfigSpace guest, int offset, int width, int value) {
    try {
      guest.write(offset, width, value);
    } catch (PciException _) {
      // Denied.
    }
  }

  private PciDevice connect(ConfigPolicy policy) {
    return site.broker
        .grant("guest", Quota.DEFAULT, List.of(DeviceRequest.of(name).withConfig(policy)))
        .connect()
        .getFirst();
  }

  private ConfigLayout layout(ConfigPolicy policy) {
    site.broker.release(name);
    try (var seized = site.bus.seize(name)) {
      return ConfigLayout.of(DeviceSnapshot.of(seized), policy);
    } finally {
      site.broker.seize(name);
    }
  }

  private HardwareConfig hardware() {
    return site.bus.hardware(name);
  }

  private long entry(int offset) {
    return site.bus.peek(name, SpecimenModel.REGISTERS, SpecimenModel.MSIX_TABLE + offset, 4);
  }

  private int capability(int id) {
    return Capabilities.walk(ConfigSnapshot.of(hardware())).find(id).orElseThrow().offset();
  }

  /** A write to its register does not return until the test lets it. */
  private static final class StuckModel implements DeviceModel {
    final CountDownLatch reached = new CountDownLatch(1);
    final CountDownLatch released = new CountDownLatch(1);

    @Override
    public FunctionDescription description() {
      return new FunctionDescription(
          SpecimenModel.ID,
          new PciClass(0x088000),
          1,
          true,
          List.of(BarDescription.trapped(0, 0x1000, false)),
          new InterruptDescription(0, 0, Optional.empty()));
    }

    @Override
    public RunningModel start(ModelContext context) {
      return new RunningModel() {
        @Override
        public long read(int bar, long offset, int width) {
          return 0;
        }

        @Override
        public void write(int bar, long offset, int width, long value) {
          reached.countDown();
          try {
            released.await();
          } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
          }
        }

        @Override
        public void reset() {}

        @Override
        public void close() {}
      };
    }
  }
}
