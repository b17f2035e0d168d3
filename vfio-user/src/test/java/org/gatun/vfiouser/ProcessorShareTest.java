package org.gatun.vfiouser;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadInfo;
import java.lang.management.ThreadMXBean;
import java.time.Duration;
import java.util.List;
import java.util.OptionalDouble;
import org.gatun.nativeaccess.UnixSocket;
import org.gatun.pci.PciDevice;
import org.gatun.simulated.SimulatedBus;
import org.gatun.vfio.common.Vfio;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What a client can have its server work, when that is limited. */
@Timeout(60)
class ProcessorShareTest {
  private static final double SHARE = 0.1;

  /** What may be ahead, in seconds, and one message. */
  private static final double AHEAD = 0.3;

  private static final Duration LONG = Duration.ofSeconds(4);
  private static final int CONFIG_SIZE = 256;
  private static final int SOME = 20;
  private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

  private final SimulatedBus bus = SimulatedBus.realTime();
  private final PciDevice device = bus.open(bus.plug("specimen"));
  private final UnixSocket.Pair pair = UnixSocket.pair();
  private final DeviceExport export =
      DeviceExport.serve(
          device,
          pair.first(),
          ExportOptions.withInherited(List.of()).withProcessorShare(OptionalDouble.of(SHARE)));
  private final RawClient client = RawClient.greeted(pair.second());

  @AfterEach
  void close() {
    client.close();
    export.close();
    device.close();
    bus.close();
  }

  /** Seconds of processor time, of the threads that serve it. */
  private double spent() {
    double nanos = 0;
    for (ThreadInfo thread : THREADS.getThreadInfo(THREADS.getAllThreadIds())) {
      if (thread != null && thread.getThreadName().endsWith(" " + device.name())) {
        nanos += THREADS.getThreadCpuTime(thread.getThreadId());
      }
    }
    return nanos / 1e9;
  }

  @Test
  void messagesThatNobodyWaitsForTakeNoMoreThanThat() {
    flood();
  }

  private void flood() {
    byte[] message =
        RawPeer.message(
            1,
            RawPeer.REGION_READ,
            RawPeer.NO_REPLY,
            RawClient.access(Vfio.PCI_CONFIG_REGION_INDEX, 0, CONFIG_SIZE, new byte[0]));
    double before = spent();
    long begin = System.nanoTime();
    while (System.nanoTime() - begin < LONG.toNanos()) {
      assertThat(client.send(message)).isTrue();
    }
    double passed = (System.nanoTime() - begin) / 1e9;
    assertThat(spent() - before).isBetween(SHARE * passed / 2, SHARE * passed + AHEAD);
    assertThat(export.served()).isGreaterThan(SOME);
  }

  @Test
  void aFewAreAnsweredAtOnceAndTheEndIsNotPutOff() {
    for (int i = 0; i < SOME; i++) {
      client.read(Vfio.PCI_CONFIG_REGION_INDEX, 0, Integer.BYTES);
    }
    assertThat(export.served()).isGreaterThanOrEqualTo(SOME);
    flood();
    long begin = System.nanoTime();
    export.close();
    assertThat(Duration.ofNanos(System.nanoTime() - begin)).isLessThan(Duration.ofSeconds(2));
  }
}
