package org.gatun.simulated.trace;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.Interrupts;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PortIo;
import org.gatun.pci.TimeSource;
import org.gatun.pci.Vector;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.simulated.SimulatedBus;
import org.gatun.simulated.SpecimenModel;
import org.gatun.simulated.trace.Access.Kind;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What a trace tells of the specimen, and how it keeps it. */
class TraceTest {
  private static final DeviceName NAME = DeviceName.parse("simulated:a");

  private final SimulatedBus bus = SimulatedBus.virtualTime();

  @AfterEach
  void closeBus() {
    bus.close();
  }

  @Test
  void tellsAllThatHappens() {
    Trace trace = new Trace(64, bus.time());
    bus.traceDma(trace);
    try (PciDevice device = trace.watch(bus.open(bus.plug("a", new SpecimenModel())))) {
      device.config().write8(ConfigRegisters.CACHE_LINE_SIZE, 0x10);
      Vector vector = device.interrupts().enable(Interrupts.Kind.MSIX, 2).get(1);
      device.busMaster(true);
      bus.time().sleep(Duration.ofNanos(5_250));
      PortIo ports = device.bar(SpecimenModel.PORTS).orElseThrow().ports();
      ports.write16(4, 0xffff_1234);
      try (DmaBuffer buffer = device.dma().allocate(100, 1);
          Mmio registers = device.bar(SpecimenModel.REGISTERS).orElseThrow().map(0, 0x100)) {
        registers.write64(SpecimenModel.DMA_ADDRESS, buffer.busAddress());
        registers.write32(SpecimenModel.DMA_LENGTH, 8);
        registers.write32(SpecimenModel.DMA_COMMAND, SpecimenModel.DMA_WRITE);
        registers.write32(SpecimenModel.DMA_ADDRESS, 0x1000);
        registers.write32(SpecimenModel.DMA_COMMAND, SpecimenModel.DMA_READ);
        registers.write32(SpecimenModel.INTERRUPT, 1);
        assertThat(vector.await(Duration.ofSeconds(1))).isTrue();
        assertThat(vector.poll()).isFalse();
        vector.connect(new Ignored());
        registers.write32(SpecimenModel.INTERRUPT, 1);
        vector.mask(true);
        assertThat(registers.read16(SpecimenModel.DMA_STATUS)).isEqualTo(1);
      }
      device.reset();
    }

    assertThat(trace.snapshot().lost()).isZero();
    assertThat(trace.snapshot().records().stream().map(r -> r.access().toString()))
        .containsExactly(
            "write8 config+0xc = 0x10",
            "enable-msix = 2",
            "bus-master = 1",
            "write16 BAR4+0x4 = 0x1234",
            "allocate 0x100000 +0x1000",
            "write64 BAR0+0x0 = 0x100000",
            "write32 BAR0+0x8 = 0x8",
            "device-write 0x100000 +0x8",
            "write32 BAR0+0xc = 0x2",
            "write32 BAR0+0x0 = 0x1000",
            "refused-read 0x1000 +0x8",
            "write32 BAR0+0xc = 0x1",
            "write32 BAR0+0x14 = 0x1",
            "interrupt vector 1",
            "connect vector 1",
            "signal vector 1",
            "write32 BAR0+0x14 = 0x1",
            "mask vector 1",
            "read16 BAR0+0x10 = 0x1",
            "free 0x100000 +0x1000",
            "reset",
            "close");
    assertThat(trace.snapshot().text().lines().skip(3).findFirst().orElseThrow())
        .matches(" +3 +5\\.250  \\S.*  simulated:a  write16 BAR4\\+0x4 = 0x1234");
  }

  private static final class Ignored implements org.gatun.pci.Event {
    @Override
    public void signal() {}

    @Override
    public <T> java.util.Optional<T> unwrap(Class<T> exactType) {
      return java.util.Optional.empty();
    }
  }

  @Test
  void keepsTheLastOnes() {
    Trace trace = new Trace(3, bus.time());
    Tracer tracer = trace.tracer(NAME);
    for (int i = 0; i < 10; i++) {
      tracer.saw(Kind.WRITE, 0, 4L * i, 4, i);
    }

    TraceSnapshot snapshot = trace.snapshot();
    assertThat(snapshot.records()).extracting(TraceRecord::number).containsExactly(6L, 7L, 8L, 9L);
    assertThat(snapshot.lost()).isEqualTo(6);
    assertThat(snapshot.last(1).text())
        .startsWith("(9 earlier accesses are not shown)")
        .contains("write32 BAR0+0x24 = 0x9");
    assertThatIllegalArgumentException().isThrownBy(() -> new Trace(0, bus.time()));
  }

  @Test
  void isWholeWithSeveralThreads() throws InterruptedException {
    Trace trace = new Trace(64, TimeSource.system());
    Tracer tracer = trace.tracer(NAME);
    List<Thread> threads = new ArrayList<>();
    for (int t = 0; t < 4; t++) {
      long own = t;
      threads.add(
          Thread.ofPlatform()
              .name("writer " + t)
              .start(
                  () -> {
                    for (long i = 0; i < 200_000; i++) {
                      tracer.saw(Kind.WRITE, (int) own, i * 8, 8, own << 32 | i);
                    }
                  }));
    }
    while (threads.stream().anyMatch(Thread::isAlive)) {
      for (TraceRecord each : trace.snapshot().records()) {
        Access access = each.access();
        assertThat(access.value()).isEqualTo((long) access.space() << 32 | access.address() / 8);
        assertThat(each.thread()).isEqualTo("writer " + access.space());
      }
    }
    for (Thread thread : threads) {
      thread.join();
    }
    TraceSnapshot last = trace.snapshot();
    assertThat(last.records().size() + last.lost()).isEqualTo(800_000);
  }

  @Test
  void anAccessAllocatesNothing() {
    Trace trace = new Trace(1024, bus.time());
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    try (PciDevice device = trace.watch(bus.open(bus.plug("a", new SpecimenModel())));
        Mmio registers = device.bar(SpecimenModel.REGISTERS).orElseThrow().map(0, 0x100)) {
      for (int i = 0; i < 20_000; i++) {
        registers.write32(0x20, registers.read32(0x20) + 1);
      }
      long before = threads.getCurrentThreadAllocatedBytes();
      for (int i = 0; i < 20_000; i++) {
        registers.write32(0x20, registers.read32(0x20) + 1);
      }
      assertThat(threads.getCurrentThreadAllocatedBytes() - before).isLessThan(20_000);
    }
  }

  @Test
  void theFileForPerfettoIsEscaped() {
    Trace trace = new Trace(4, bus.time());
    Tracer tracer = trace.tracer(new DeviceName("simulated", "nvme,file=a\"b\\c"));
    tracer.saw(Kind.READ, Access.CONFIG, 4, 2, 6);
    bus.time().sleep(Duration.ofNanos(1_000_007));
    tracer.saw(Kind.DEVICE_WRITE, 0, 0x10_0000, 4096, 0);

    String json = trace.snapshot().chromeJson();
    assertThat(json)
        .contains("{\"name\":\"simulated:nvme,file=a\\\"b\\\\c\"}")
        .contains("\"name\":\"read16 config+0x4 = 0x6\",\"cat\":\"read\",\"ph\":\"i\"")
        .contains("\"ts\":0.000,", "\"ts\":1000.007,");
    assertThat(json.chars().filter(c -> c == '{').count())
        .isEqualTo(json.chars().filter(c -> c == '}').count());
  }
}
