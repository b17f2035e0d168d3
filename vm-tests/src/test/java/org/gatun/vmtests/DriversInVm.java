package org.gatun.vmtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Arrays;
import java.util.Random;
import org.gatun.driver.serial.LineErrors;
import org.gatun.driver.serial.SerialFormat;
import org.gatun.driver.serial.SerialOptions;
import org.gatun.driver.serial.SerialPort;
import org.gatun.driver.virtio.Completion;
import org.gatun.driver.virtio.VirtioDisk;
import org.gatun.driver.virtio.VirtioEntropy;
import org.gatun.driver.virtio.VirtioNetworkCard;
import org.gatun.driver.virtio.VirtioOptions;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.PciDevice;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The drivers of {@link DriversTest}. */
@InVm
class DriversInVm {
  /** From its start on; what is behind it tests change as they like. */
  static final int WRITTEN = 4 << 20;

  // The machine's own drivers, which have the devices before.
  private static final String VIRTIO = "virtio-pci";
  private static final String SERIAL = "serial";

  private static final int PART = 64 << 10;
  private static final Duration LONG = Duration.ofMinutes(1);
  private static final VirtioOptions OPTIONS = VirtioOptions.defaults().withTimeout(LONG);

  @RegisterExtension final VfioDevices devices = new VfioDevices();

  @ParameterizedTest
  @EnumSource
  void aDisk(Completion completion) throws Exception {
    DiskPattern pattern = new DiskPattern(DriversTest.SEED);
    try (PciDevice device = devices.device("disk", VIRTIO).open();
        VirtioDisk disk = VirtioDisk.open(device, OPTIONS.withCompletion(completion));
        DmaBuffer buffer = device.dma().allocate(WRITTEN, PART)) {
      assertThat(disk.serialNumber()).isEqualTo("disk");
      assertThat(disk.size()).isEqualTo(DriversTest.DISK_SIZE);
      assertThat(disk.blockSize()).isEqualTo(512);
      assertThat(disk.readOnly()).isFalse();
      for (int at = 0; at < WRITTEN; at += DiskPattern.CHUNK) {
        buffer.copyIn(at, pattern.at(at));
      }
      int[] completed = new int[1];
      int submitted = 0;
      for (int at = 0; at < WRITTEN; at += PART) {
        assertThat(
                disk.submitWrite(
                    at,
                    buffer,
                    at,
                    PART,
                    (_, status) -> {
                      assertThat(status).isZero();
                      completed[0]++;
                    },
                    at))
            .isTrue();
        submitted++;
      }
      disk.ring();
      while (completed[0] < submitted) {
        assertThat(disk.await(LONG)).isPositive();
      }
      disk.flush();
      buffer.copyIn(0, new byte[WRITTEN]);
      for (int at = 0; at < WRITTEN; at += PART) {
        disk.read(at, buffer, at, PART);
      }
      byte[] read = new byte[DiskPattern.CHUNK];
      for (int at = 0; at < WRITTEN; at += DiskPattern.CHUNK) {
        buffer.copyOut(at, read);
        pattern.check(at, ByteBuffer.wrap(read));
      }
      disk.write(WRITTEN, buffer, 0, PART);
      assertThat(disk.writeZeroes(WRITTEN + 512, 1024)).isTrue();
      disk.discard(WRITTEN + 8192, 4096);
      disk.read(WRITTEN, buffer, 0, PART);
      byte[] start = new byte[2048];
      buffer.copyOut(0, start);
      assertThat(Arrays.copyOfRange(start, 512, 1536)).containsOnly(0);
      assertThat(start).startsWith(Arrays.copyOf(pattern.at(0), 512));
    }
  }

  @ParameterizedTest
  @EnumSource
  void twoNetworkCards(Completion completion) {
    try (PciDevice here = devices.device("card0", VIRTIO).open();
        PciDevice there = devices.device("card1", VIRTIO).open();
        VirtioNetworkCard first = VirtioNetworkCard.open(here, OPTIONS.withCompletion(completion));
        VirtioNetworkCard second =
            VirtioNetworkCard.open(there, OPTIONS.withCompletion(completion))) {
      assertThat(first.linkUp()).isTrue();
      assertThat(first.mac()).startsWith(0x52, 0x54, 0x00).isNotEqualTo(second.mac());
      for (int i = 0; i < 50; i++) {
        byte[] frame = frame(first.mac(), second.mac(), i);
        first.transmit(frame);
        assertThat(second.receive(LONG)).isEqualTo(frame);
        byte[] answer = frame(second.mac(), first.mac(), 1000 + i);
        second.transmit(answer);
        assertThat(first.receive(LONG)).isEqualTo(answer);
      }
      assertThat(second.receive(Duration.ZERO)).isEmpty();
    }
  }

  private static byte[] frame(byte[] from, byte[] to, int seed) {
    Random random = new Random(seed);
    byte[] frame = new byte[60 + random.nextInt(1400)];
    random.nextBytes(frame);
    System.arraycopy(to, 0, frame, 0, to.length);
    System.arraycopy(from, 0, frame, to.length, from.length);
    return frame;
  }

  @ParameterizedTest
  @EnumSource
  void entropy(Completion completion) {
    byte[] bytes = new byte[10_000];
    try (PciDevice device = devices.device("random", VIRTIO).open();
        VirtioEntropy entropy = VirtioEntropy.open(device, OPTIONS.withCompletion(completion))) {
      entropy.fill(bytes);
    }
    // Each value 39 times in the mean; 5 sigma.
    int[] counts = new int[256];
    for (byte b : bytes) {
      counts[b & 0xff]++;
    }
    assertThat(Arrays.stream(counts).max().orElseThrow()).isLessThan(80);
  }

  @ParameterizedTest
  @EnumSource
  void twoSerialPorts(org.gatun.driver.serial.Completion completion) {
    SerialOptions options =
        SerialOptions.defaults()
            .withCompletion(completion)
            .withFormat(SerialFormat.DEFAULT.withBaud(38_400))
            .withTimeout(LONG);
    try (PciDevice here = devices.device("port0", SERIAL).open();
        PciDevice there = devices.device("port1", SERIAL).open();
        SerialPort first = SerialPort.open(here, options);
        SerialPort second = SerialPort.open(there, options)) {
      for (int i = 0; i < 20; i++) {
        byte[] sent = new byte[1 + i * 3 % 16];
        new Random(i).nextBytes(sent);
        first.write(sent, 0, sent.length);
        assertThat(read(second, sent.length)).isEqualTo(sent);
        second.write(sent, 0, sent.length);
        assertThat(read(first, sent.length)).isEqualTo(sent);
      }
      assertThat(first.errors()).isEqualTo(LineErrors.NONE);
    }
  }

  private static byte[] read(SerialPort port, int length) {
    byte[] bytes = new byte[length];
    int count = 0;
    while (count < length) {
      int more = port.read(bytes, count, length - count, LONG);
      assertThat(more).as("bytes after the first %d", count).isPositive();
      count += more;
    }
    return bytes;
  }
}
