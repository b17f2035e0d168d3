package org.gatun.vfiouser.fuzz;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.api.FuzzedDataProvider;
import com.code_intelligence.jazzer.junit.FuzzTest;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.gatun.nativeaccess.EventFd;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.Memfd;
import org.gatun.nativeaccess.UnixSocket;
import org.gatun.pci.PciDevice;
import org.gatun.simulated.SimulatedBus;
import org.gatun.vfiouser.DeviceExport;
import org.gatun.vfiouser.ExportOptions;
import org.gatun.vfiouser.Limits;

/**
 * A client that sends whatever the fuzzer says. By itself it runs the inputs that were kept; with
 * {@code JAZZER_FUZZ=1} it looks for more.
 */
class ServerFuzzTest {
  private static final int MOST_MESSAGES = 100;
  private static final int DMA_READ = 11;
  private static final int DMA_WRITE = 12;
  private static final ExportOptions OPTIONS =
      new ExportOptions(
          Set.of(), false, new Limits(8, 1 << 16, 16, 1 << 20, 1 << 16, Duration.ofMillis(100)));

  @FuzzTest(maxDuration = "10m")
  void aClientCanDoNoHarm(FuzzedDataProvider data) throws InterruptedException {
    try (Traces traces = new Traces();
        SimulatedBus bus = SimulatedBus.realTime()) {
      bus.plug("specimen");
      try (PciDevice device = bus.open(bus.scan().getFirst().name())) {
        UnixSocket.Pair pair = UnixSocket.pair();
        try (DeviceExport export = DeviceExport.serve(device, pair.first(), OPTIONS)) {
          attack(data, new Peer(pair.second()));
          assertThat(export.awaitEnd(Duration.ofSeconds(20))).as("ends with its client").isTrue();
        }
        assertThat(device.usage()).isEqualTo(PciDevice.Usage.NONE);
      }
      traces.assertNone();
    }
  }

  private static void attack(FuzzedDataProvider data, Peer peer) throws InterruptedException {
    Thread reader = Thread.ofPlatform().daemon().name("fuzz reader").start(() -> answer(peer));
    try (Memfd sealed = Memfd.create("sealed");
        Memfd unsealed = Memfd.create("unsealed");
        EventFd first = EventFd.create("first");
        EventFd second = EventFd.create("second")) {
      sealed.resize(1 << 16);
      sealed.sealSize();
      unsealed.resize(1 << 16);
      List<Fd> pool = List.of(sealed.fd(), unsealed.fd(), first.fd(), second.fd());
      boolean taken = data.consumeInt(0, 9) == 0 || peer.send(hello(data), List.of());
      for (int i = 0; taken && i < MOST_MESSAGES && data.remainingBytes() > 0; i++) {
        taken = peer.send(message(data), files(data, pool));
      }
    } finally {
      peer.socket().shutdown();
      reader.join();
      peer.socket().close();
    }
  }

  private static byte[] hello(FuzzedDataProvider data) {
    String json =
        data.consumeInt(0, 3) == 0
            ? data.consumeString(200)
            : "{\"capabilities\":{\"max_msg_fds\":" + Words.number(data) + "}}";
    byte[] text = json.getBytes(StandardCharsets.UTF_8);
    byte[] payload = new byte[4 + text.length];
    payload[2] = 1;
    System.arraycopy(text, 0, payload, 4, text.length);
    return Words.message(1, 1, 0, payload);
  }

  private static byte[] message(FuzzedDataProvider data) {
    int command = data.consumeInt(0, 20);
    byte[] payload = Words.fields(data, 12);
    return switch (data.consumeInt(0, 31)) {
      case 0 ->
          Words.message(
              data.consumeInt(0, 3),
              command,
              (int) Words.number(data),
              (int) Words.number(data),
              (int) Words.number(data),
              payload);
      case 1 -> raw(data);
      case 2, 3, 4 -> Words.message(1, command, 1 << 4, payload);
      default -> Words.message(1, command, 0, payload);
    };
  }

  private static byte[] raw(FuzzedDataProvider data) {
    byte[] bytes = data.consumeBytes(100);
    return bytes.length == 0 ? new byte[1] : bytes;
  }

  private static List<Fd> files(FuzzedDataProvider data, List<Fd> pool) {
    List<Fd> files = new ArrayList<>();
    int count = Math.max(0, data.consumeInt(0, 12) - 8);
    for (int i = 0; i < count; i++) {
      files.add(pool.get(data.consumeInt(0, pool.size() - 1)));
    }
    return files;
  }

  /** Reads what comes, and is honest about memory. */
  private static void answer(Peer peer) {
    for (ByteBuffer got = peer.receive(); got != null; got = peer.receive()) {
      int command = got.getShort(2);
      boolean isCommand = (got.getInt(8) & 0xf) == 0;
      if (isCommand && (command == DMA_READ || command == DMA_WRITE)) {
        int size = command == DMA_READ ? (int) got.getLong(24) : 0;
        byte[] payload = new byte[16 + size];
        got.get(16, payload, 0, 16);
        peer.send(Words.message(got.getShort(0), command, 1, payload), List.of());
      }
    }
  }
}
