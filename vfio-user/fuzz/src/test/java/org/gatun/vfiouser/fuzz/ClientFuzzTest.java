package org.gatun.vfiouser.fuzz;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.api.FuzzedDataProvider;
import com.code_intelligence.jazzer.junit.FuzzTest;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import org.gatun.nativeaccess.EventFd;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.Memfd;
import org.gatun.nativeaccess.UnixSocket;
import org.gatun.pci.Bar;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.Interrupts;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PciException;
import org.gatun.vfiouser.Limits;
import org.gatun.vfiouser.client.VfioUserDevice;
import org.jspecify.annotations.Nullable;

/**
 * A server that answers whatever the fuzzer says. By itself it runs the inputs that were kept; with
 * {@code JAZZER_FUZZ=1} it looks for more.
 */
class ClientFuzzTest {
  private static final DeviceName NAME = new DeviceName("vfio-user", "/fuzz");
  private static final Limits LIMITS =
      new Limits(8, 1 << 16, 16, 1 << 20, 1 << 16, Duration.ofMillis(100));
  private static final int REPLY = 1;

  @FuzzTest(maxDuration = "10m")
  void aServerCanDoNoHarm(FuzzedDataProvider data) throws InterruptedException {
    AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
    try (Traces traces = new Traces()) {
      UnixSocket.Pair pair = UnixSocket.pair();
      Thread client =
          Thread.ofPlatform()
              .daemon()
              .name("fuzz client")
              .start(
                  () -> {
                    try {
                      use(pair.first());
                    } catch (PciException _) {
                      // What a driver is told.
                    } catch (RuntimeException | Error e) {
                      failure.set(e);
                    }
                  });
      try (UnixSocket socket = pair.second()) {
        serve(data, new Peer(socket));
      }
      assertThat(client.join(Duration.ofSeconds(20))).as("the client ends").isTrue();
      assertThat(failure.get()).isNull();
      traces.assertNone();
    }
  }

  private static void use(UnixSocket socket) {
    try (PciDevice device = VfioUserDevice.open(NAME, socket, LIMITS)) {
      for (Bar bar : device.bars()) {
        for (Bar.Range range : bar.ranges()) {
          try (Mmio registers = bar.map(range.offset(), 4)) {
            registers.write32(0, registers.read32(0));
          }
        }
      }
      try (DmaBuffer buffer = device.dma().allocate(4096, 4096)) {
        device.busMaster(buffer.busAddress() != 0);
      }
      if (device.interrupts().count(Interrupts.Kind.MSIX) > 0) {
        device.interrupts().enable(Interrupts.Kind.MSIX, 1);
      }
    }
  }

  private static void serve(FuzzedDataProvider data, Peer peer) {
    byte[] config = config(data);
    try (Memfd file = Memfd.create("bar");
        EventFd doorbell = EventFd.create("doorbell")) {
      file.resize(0x2000);
      file.sealSize(); // a file that shrinks ends who touches it: the client can't know
      for (ByteBuffer got = peer.receive(); got != null; got = peer.receive()) {
        if ((got.getInt(8) & REPLY) != 0) {
          continue;
        }
        // When the fuzzer has no more to say it goes on honestly for a while.
        byte[] answer = answer(data, got, config);
        boolean posted = (got.getInt(8) & 1 << 4) != 0;
        List<Fd> files =
            switch (data.consumeInt(0, 15)) {
              case 1, 2 -> List.of(file.fd());
              case 3 -> List.of(doorbell.fd());
              default -> List.of();
            };
        if (!posted && !peer.send(answer, files)) {
          return;
        }
        if (data.consumeInt(0, 15) == 1 && !peer.send(request(data), List.of())) {
          return;
        }
      }
    }
  }

  private static byte[] config(FuzzedDataProvider data) {
    byte[] config = new byte[256];
    byte[] ids = {0x34, 0x12, (byte) 0xe8, 0x11};
    System.arraycopy(ids, 0, config, 0, ids.length);
    config[0x13] = (byte) 0xfe;
    int pokes = data.consumeInt(0, 16);
    for (int i = 0; i < pokes; i++) {
      config[data.consumeInt(0, 255)] = data.consumeByte();
    }
    return config;
  }

  private static byte[] request(FuzzedDataProvider data) {
    return Words.message(
        1, data.consumeInt(9, 13), data.consumeInt(0, 9) == 1 ? 1 : 0, Words.fields(data, 8));
  }

  private static byte[] answer(FuzzedDataProvider data, ByteBuffer got, byte[] config) {
    int id = got.getShort(0);
    int command = got.getShort(2);
    byte[] honest = honest(got, config);
    return switch (data.consumeInt(0, 31)) {
      case 1 -> Words.message(id, command, REPLY, Words.fields(data, 16));
      case 2 ->
          Words.message(id, command, Words.HEADER, REPLY | 1 << 5, data.consumeInt(), new byte[0]);
      case 3 ->
          Words.message(id, command, (int) Words.number(data), (int) Words.number(data), 0, honest);
      case 4, 5, 6, 7 -> {
        for (int i = data.consumeInt(0, 4); i > 0 && honest.length > 0; i--) {
          honest[data.consumeInt(0, honest.length - 1)] = data.consumeByte();
        }
        yield Words.message(id, command, REPLY, honest);
      }
      case 8 -> {
        byte[] longer = Arrays.copyOf(honest, honest.length + data.consumeInt(0, 100));
        byte[] tail = Words.fields(data, 12);
        System.arraycopy(
            tail, 0, longer, honest.length, Math.min(tail.length, longer.length - honest.length));
        yield Words.message(id, command, REPLY, longer);
      }
      default -> Words.message(id, command, REPLY, honest);
    };
  }

  private static byte[] honest(ByteBuffer got, byte[] config) {
    return switch (got.getShort(2)) {
      case 1 ->
          "\0\0\1\0{\"capabilities\":{\"max_msg_fds\":8}}\0".getBytes(StandardCharsets.US_ASCII);
      case 4 -> ints(16, 3, 9, 5);
      case 5 -> {
        int index = got.getInt(24);
        int size = index == 7 ? 256 : index == 0 ? 4096 : 0;
        yield ints(32, index == 0 ? 7 : 3, index, 0, size, 0, 0, 0);
      }
      case 6 -> ints(16, 0, got.getInt(24), 0);
      case 7 -> ints(16, 1, got.getInt(24), 1);
      case 9 -> {
        int count = Math.clamp(got.getInt(28), 0, 8);
        byte[] payload = new byte[16 + count];
        got.get(16, payload, 0, 16);
        int offset = (int) got.getLong(16);
        if (got.getInt(24) == 7 && offset >= 0 && offset <= config.length - count) {
          System.arraycopy(config, offset, payload, 16, count);
        }
        yield payload;
      }
      default -> new byte[0];
    };
  }

  private static byte[] ints(int... values) {
    ByteBuffer bytes = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    for (int value : values) {
      bytes.putInt(value);
    }
    byte[] result = new byte[4 * values.length];
    bytes.get(0, result);
    return result;
  }
}
