package org.gatun.vfiouser;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.gatun.nativeaccess.UnixSocket;
import org.gatun.pci.Bar;
import org.gatun.pci.Bar.Doorbell;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.pci.config.PciClass;
import org.gatun.pci.config.PciId;
import org.gatun.simulated.DeviceModel;
import org.gatun.simulated.FunctionDescription;
import org.gatun.simulated.FunctionDescription.BarDescription;
import org.gatun.simulated.FunctionDescription.InterruptDescription;
import org.gatun.simulated.ModelContext;
import org.gatun.simulated.RunningModel;
import org.gatun.simulated.SimulatedBus;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Doorbells go by eventfd, other writes by message. */
@Timeout(60)
class DoorbellTest {
  private static final Doorbell FIRST = new Doorbell(0x10, 4, 1);
  private static final Doorbell SECOND = new Doorbell(0x20, 2, 0xffff);

  /** What was written, and whether by the thread that looks at eventfds. */
  private record Write(long offset, int width, long value, boolean byEvent) {}

  private final BlockingQueue<Write> writes = new LinkedBlockingQueue<>();
  private final SimulatedBus bus = SimulatedBus.realTime();
  private final PciDevice served = bus.open(bus.plug("ringing", new Ringing()));
  private final UnixSocket.Pair pair = UnixSocket.pair();
  private final DeviceExport export =
      DeviceExport.serve(served, pair.first(), ExportOptions.DEFAULT);
  private final PciDevice device = new VfioUserBackend().open(served.name(), pair.second());
  private final Mmio registers = device.bars().getFirst().map(0, 0x100);

  @AfterEach
  void close() {
    device.close();
    export.close();
    served.close();
    bus.close();
  }

  @Test
  void aDoorbellNeedsNoMessage() throws InterruptedException {
    registers.write32(FIRST.offset(), 1);
    assertThat(next()).isEqualTo(new Write(0x10, 4, 1, true));
    registers.write16(SECOND.offset(), 0xffff);
    assertThat(next()).isEqualTo(new Write(0x20, 2, 0xffff, true));
  }

  @Test
  void whatIsNotJustThatWriteIsAMessage() throws InterruptedException {
    registers.write32(FIRST.offset(), 2);
    assertThat(next()).isEqualTo(new Write(0x10, 4, 2, false));
    registers.write16(FIRST.offset(), 1);
    assertThat(next()).isEqualTo(new Write(0x10, 2, 1, false));
    registers.write32(FIRST.offset() + 4, 1);
    assertThat(next()).isEqualTo(new Write(0x14, 4, 1, false));
  }

  /** By then it was carried out: else a doorbell, on its other way, could overtake it. */
  @Test
  void aMessageIsCarriedOutWhenTheWriteReturns() {
    for (int i = 0; i < 1000; i++) {
      registers.write32(0x40, i);
      assertThat(writes.poll()).isEqualTo(new Write(0x40, 4, i, false));
    }
  }

  @Test
  void afterTheServerHasLeftItSaysSo() {
    export.close();
    assertThatExceptionOfType(DeviceGoneException.class)
        .isThrownBy(() -> registers.write32(0x40, 1));
    device.close();
    assertThatExceptionOfType(DeviceGoneException.class)
        .isThrownBy(() -> registers.write32(FIRST.offset(), 1));
  }

  private Write next() throws InterruptedException {
    return writes.poll(30, TimeUnit.SECONDS);
  }

  /** A device with two doorbells, which notes what is written. */
  private final class Ringing implements DeviceModel {
    @Override
    public FunctionDescription description() {
      return new FunctionDescription(
          new PciId(0x1234, 0x5678, 0x1234, 1),
          new PciClass(0x088000),
          1,
          true,
          List.of(
              new BarDescription(
                      0,
                      0x1000,
                      false,
                      false,
                      List.of(new Bar.Range(0, 0x1000, Bar.Access.TRAPPED)))
                  .withDoorbells(List.of(FIRST, SECOND))),
          new InterruptDescription(0, 0, false, Optional.empty()));
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
          boolean byEvent = Thread.currentThread().getName().startsWith("gatun events");
          writes.add(new Write(offset, width, value & (-1L >>> (Long.SIZE - 8 * width)), byEvent));
        }

        @Override
        public void reset() {
          writes.clear();
        }

        @Override
        public void close() {}
      };
    }
  }
}
