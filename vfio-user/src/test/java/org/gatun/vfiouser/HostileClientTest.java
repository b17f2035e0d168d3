package org.gatun.vfiouser;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import org.gatun.nativeaccess.EventFd;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.Memfd;
import org.gatun.pci.PciDevice;
import org.gatun.simulated.SpecimenModel;
import org.gatun.vfiouser.RawPeer.Received;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What good clients never send: each is answered with an error, or sent away; nothing of it is left
 * afterwards, and the next client is served, as are those of other devices meanwhile.
 */
class HostileClientTest {
  private static final int PAGE = 4096;
  private static final long ADDRESS = 0x1_0000_0000L;
  private static final int CONNECTS = Integer.getInteger("gatun.connects", 200);

  private static final Duration PATIENCE = Duration.ofMillis(300);

  private static final int CONFIG = RawClient.CONFIG_REGION;

  private final Memfd memory = memory(16 * PAGE);
  private final EventFd event = EventFd.create("test");
  private final Victim victim = new Victim("specimen", Victim.options(PATIENCE));

  @AfterEach
  void close() {
    event.close();
    memory.close();
    victim.close();
  }

  private static Memfd memory(long size) {
    Memfd memfd = Memfd.create("hostile");
    memfd.resize(size);
    memfd.sealSize();
    return memfd;
  }

  /** A sound message of each command. */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  private record Sample(int command, byte[] payload, List<Fd> files) {
    Sample(int command, byte[] payload, Fd... files) {
      this(command, payload, List.of(files));
    }
  }

  private List<Sample> samples() {
    return List.of(
        new Sample(RawPeer.DMA_MAP, RawClient.map(3, 0, ADDRESS, PAGE), memory.fd()),
        new Sample(RawPeer.DMA_UNMAP, RawClient.unmap(0, ADDRESS, PAGE)),
        new Sample(RawPeer.DEVICE_GET_INFO, RawClient.info(0)),
        new Sample(RawPeer.DEVICE_GET_REGION_INFO, RawClient.regionInfo(0, PAGE)),
        new Sample(RawPeer.DEVICE_GET_REGION_IO_FDS, RawClient.info(0)),
        new Sample(RawPeer.DEVICE_GET_IRQ_INFO, RawClient.info(RawClient.MSIX)),
        new Sample(
            RawPeer.DEVICE_SET_IRQS,
            RawClient.irqs(RawClient.DATA_EVENTFD | RawClient.ACTION_TRIGGER, RawClient.MSIX, 0, 1),
            event.fd()),
        new Sample(RawPeer.REGION_READ, RawClient.access(CONFIG, 0, 4, new byte[0])),
        new Sample(RawPeer.REGION_WRITE, RawClient.access(CONFIG, 4, 4, new byte[4])),
        new Sample(
            RawPeer.REGION_WRITE_MULTI, Bytes.of().u64(1).u64(0x20).u32(0).u32(4).u64(0).get()),
        new Sample(RawPeer.DEVICE_FEATURE, Bytes.of().u32(8).u32(0).get()),
        new Sample(RawPeer.MIG_DATA_READ, Bytes.of().u32(8).u32(0).get()),
        new Sample(RawPeer.MIG_DATA_WRITE, Bytes.of().u32(8).u32(0).get()),
        new Sample(RawPeer.DEVICE_RESET, new byte[0]));
  }

  private static Fd[] files(Sample sample) {
    return sample.files.toArray(Fd[]::new);
  }

  @Test
  void theSamplesAreSound() {
    try (RawClient client = victim.greeted()) {
      for (Sample sample : samples()) {
        boolean migration = sample.command >= RawPeer.DEVICE_FEATURE;
        assertThat(client.errno(sample.command, sample.payload, files(sample)))
            .as("command %d", sample.command)
            .isEqualTo(migration ? RawPeer.EOPNOTSUPP : 0);
      }
    }
    victim.assertUnharmed();
  }

  @Test
  void aMessageThatIsCutAtAnyByte() {
    for (Sample sample : samples()) {
      byte[] whole = RawPeer.message(1, sample.command, RawPeer.COMMAND, sample.payload);
      for (int length = 1; length < whole.length; length++) {
        try (RawClient client = victim.greeted()) {
          assertThat(client.send(Arrays.copyOf(whole, length), files(sample))).isTrue();
        }
      }
      victim.assertOthersServed();
    }
    byte[] hello =
        RawPeer.message(1, RawPeer.VERSION, RawPeer.COMMAND, RawClient.version(0, 1, "{}"));
    for (int length = 0; length < hello.length; length++) {
      try (RawClient client = victim.connect()) {
        assertThat(length == 0 || client.send(Arrays.copyOf(hello, length))).isTrue();
      }
    }
    victim.assertUnharmed();
  }

  /** For most a few places, to be quick: the header, and before its last byte. */
  @Test
  void aHalfMessageThatIsHeld() {
    try (Victim impatient = new Victim("specimen", Victim.options(Duration.ofMillis(40)))) {
      for (Sample sample : samples()) {
        byte[] whole = RawPeer.message(1, sample.command, RawPeer.COMMAND, sample.payload);
        boolean all = sample.command == RawPeer.DMA_MAP;
        IntStream.range(1, whole.length)
            .filter(n -> all || n == 1 || n == RawPeer.HEADER || n == whole.length - 1)
            .forEach(
                length -> {
                  try (RawClient client = impatient.greeted()) {
                    client.send(Arrays.copyOf(whole, length), files(sample));
                    impatient.assertOthersServed();
                    assertThat(client.isDropped()).as("%d bytes", length).isTrue();
                  }
                });
      }
      impatient.assertUnharmed();
    }
  }

  /** For as long as the soak says. */
  @Test
  void aHalfMessageThatIsHeldLong() {
    try (Victim patient = new Victim("specimen", Victim.options(RawPeer.HELD))) {
      try (RawClient client = patient.greeted()) {
        client.send(new byte[RawPeer.HEADER - 1], memory.fd());
        patient.assertOthersServed();
        assertThat(client.isDropped()).isTrue();
      }
      patient.assertUnharmed();
    }
  }

  /** Each byte comes before anybody's patience ends, the last one long after. */
  @Test
  void aMessageThatTrickles() {
    byte[] endless =
        RawPeer.message(1, RawPeer.REGION_WRITE, 1 << 20, RawPeer.COMMAND, 0, new byte[0]);
    try (RawClient client = victim.greeted()) {
      assertThat(client.send(endless)).isTrue();
      long start = System.nanoTime();
      boolean taken = true;
      while (taken) {
        taken = client.send(new byte[1]);
        LockSupport.parkNanos(PATIENCE.toNanos() / 20);
        assertThat(System.nanoTime() - start)
            .as("as long as one byte comes at a time it is waited for the next")
            .isLessThan(100 * PATIENCE.toNanos());
      }
    }
    victim.assertUnharmed();
  }

  @Test
  void aClientThatSaysNothing() {
    try (RawClient client = victim.connect()) {
      assertThat(client.isDropped()).isTrue();
    }
    victim.assertUnharmed();
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 15, 0x7fff_ffff, 0x8000_0000, -1, 0x0120_0000})
  void aSizeThatCannotBe(int size) {
    try (RawClient client = victim.greeted()) {
      client.send(RawPeer.message(1, RawPeer.REGION_READ, size, RawPeer.COMMAND, 0, new byte[16]));
      assertThat(client.isDropped()).isTrue();
    }
    victim.assertUnharmed();
  }

  @Test
  void aPayloadShorterThanItsFixedPart() {
    try (RawClient client = victim.greeted()) {
      for (Sample sample : samples()) {
        for (int length = 0; length < Math.min(sample.payload.length, 32); length++) {
          boolean fixed =
              switch (sample.command) {
                case RawPeer.REGION_WRITE -> length < 20;
                case RawPeer.DEVICE_SET_IRQS -> length < 20;
                default -> true;
              };
          if (fixed) {
            assertThat(
                    client.errno(
                        sample.command, Arrays.copyOf(sample.payload, length), files(sample)))
                .as("%d bytes of command %d", length, sample.command)
                .isEqualTo(
                    sample.command >= RawPeer.DEVICE_FEATURE && length >= 8
                        ? RawPeer.EOPNOTSUPP
                        : RawPeer.EINVAL);
          }
        }
      }
    }
    victim.assertUnharmed();
  }

  @Test
  void aPayloadLongerThanItShouldBe() {
    try (RawClient client = victim.greeted()) {
      for (Sample sample : samples()) {
        int errno =
            client.errno(
                sample.command,
                Arrays.copyOf(sample.payload, sample.payload.length + 1),
                files(sample));
        switch (sample.command) {
          case RawPeer.REGION_WRITE, RawPeer.REGION_WRITE_MULTI ->
              assertThat(errno).isEqualTo(RawPeer.EINVAL);
          default -> assertThat(errno).isIn(0, RawPeer.EINVAL, RawPeer.EOPNOTSUPP);
        }
      }
      assertThat(client.read(CONFIG, 0, 2)).isEqualTo(SpecimenModel.ID.vendor());
    }
    victim.assertUnharmed();
  }

  @Test
  void commandsThatAreNotThere() {
    try (RawClient client = victim.greeted()) {
      for (int command : new int[] {0, 14, 19, 20, 100, 0x7fff, 0x8000, 0xffff}) {
        assertThat(client.errno(command, new byte[32])).isEqualTo(RawPeer.EINVAL);
      }
      for (int command : new int[] {RawPeer.DMA_READ, RawPeer.DMA_WRITE}) {
        assertThat(client.errno(command, new byte[32])).isEqualTo(RawPeer.EINVAL);
      }
    }
    victim.assertUnharmed();
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 15, 0x11, 0x21})
  void whatIsNoCommand(int flags) {
    for (int command : new int[] {RawPeer.REGION_READ, RawPeer.DMA_READ, 0}) {
      try (RawClient client = victim.greeted()) {
        client.send(RawPeer.message(1, command, flags, new byte[16]));
        assertThat(client.isDropped()).isTrue();
      }
    }
    victim.assertUnharmed();
  }

  @Test
  void whatIsNotToBeRepliedToIsNot() {
    try (RawClient client = victim.greeted()) {
      for (Sample sample : samples()) {
        client.send(
            RawPeer.message(7, sample.command, RawPeer.NO_REPLY, sample.payload), files(sample));
        client.send(RawPeer.message(8, sample.command, RawPeer.NO_REPLY, new byte[0]));
      }
      // The next reply is that to the next command, or this is an error.
      assertThat(client.read(CONFIG, 0, 2)).isEqualTo(SpecimenModel.ID.vendor());
    }
    victim.assertUnharmed();
  }

  @Test
  void lyingCounts() {
    try (RawClient client = victim.greeted()) {
      for (int count : new int[] {-1, 0x7fff_ffff, 0x8000_0000, 5000, (1 << 20) + 1, 1 << 20}) {
        byte[] read = RawClient.access(CONFIG, 0, count, new byte[0]);
        assertThat(client.errno(RawPeer.REGION_READ, read)).isEqualTo(RawPeer.EINVAL);
        byte[] write = RawClient.access(CONFIG, 0, count, new byte[8]);
        assertThat(client.errno(RawPeer.REGION_WRITE, write)).isEqualTo(RawPeer.EINVAL);
      }
      assertThat(client.errno(RawPeer.REGION_READ, RawClient.access(CONFIG, 0, 0, new byte[0])))
          .isZero();
      for (long offset : new long[] {-1, 4096, 4093, Long.MAX_VALUE, Long.MIN_VALUE, 1L << 32}) {
        byte[] read = RawClient.access(CONFIG, offset, 4, new byte[0]);
        assertThat(client.errno(RawPeer.REGION_READ, read)).isEqualTo(RawPeer.EINVAL);
        byte[] write = RawClient.access(CONFIG, offset, 4, new byte[4]);
        assertThat(client.errno(RawPeer.REGION_WRITE, write)).isEqualTo(RawPeer.EINVAL);
      }
      for (int region : new int[] {-1, 3, 5, 6, 8, 9, 100, 0x8000_0000}) {
        byte[] read = RawClient.access(region, 0, 4, new byte[0]);
        assertThat(client.errno(RawPeer.REGION_READ, read)).isEqualTo(RawPeer.EINVAL);
        byte[] write = RawClient.access(region, 0, 4, new byte[4]);
        assertThat(client.errno(RawPeer.REGION_WRITE, write)).isEqualTo(RawPeer.EINVAL);
        assertThat(client.errno(RawPeer.DEVICE_GET_REGION_INFO, RawClient.regionInfo(region, 32)))
            .isEqualTo(region < 0 || region > 8 ? RawPeer.EINVAL : 0);
        assertThat(client.errno(RawPeer.DEVICE_GET_REGION_IO_FDS, RawClient.info(region)))
            .isEqualTo(region < 0 || region > 5 ? RawPeer.EINVAL : 0);
      }
      for (long writes : new long[] {0, 2, -1, Long.MAX_VALUE, 0x0aaa_aaaa_aaaa_aaabL}) {
        byte[] multi = Bytes.of().u64(writes).u64(0x20).u32(0).u32(4).u64(0).get();
        assertThat(client.errno(RawPeer.REGION_WRITE_MULTI, multi)).isEqualTo(RawPeer.EINVAL);
      }
      for (int count : new int[] {-1, 9, 0x7fff_ffff}) {
        byte[] multi = Bytes.of().u64(1).u64(0x20).u32(0).u32(count).u64(0).get();
        assertThat(client.errno(RawPeer.REGION_WRITE_MULTI, multi)).isEqualTo(RawPeer.EINVAL);
      }
      byte[] elsewhere = Bytes.of().u64(1).u64(1L << 40).u32(0).u32(4).u64(0).get();
      assertThat(client.errno(RawPeer.REGION_WRITE_MULTI, elsewhere)).isEqualTo(RawPeer.EINVAL);
      for (int index : new int[] {-1, 5, 100, 0x8000_0000}) {
        assertThat(client.errno(RawPeer.DEVICE_GET_IRQ_INFO, RawClient.info(index)))
            .isEqualTo(RawPeer.EINVAL);
      }
    }
    victim.assertUnharmed();
  }

  /** Of all offsets and sizes, whatever there is there: each is an access of that width or none. */
  @Test
  void accessesOfAllSizesEverywhere() {
    Map<Integer, Integer> sizes = new TreeMap<>(Map.of(0, 0x10000, 1, 0x100, 2, 0x10000, 4, 0x20));
    try (RawClient client = victim.greeted()) {
      client.write32(CONFIG, 4, 3);
      sizes.forEach(
          (region, size) -> {
            for (int offset : new int[] {0, 1, 2, 3, 4, 7, 0xff8, 0xffd, 0x7ffc, 0x8fff, 0xfff9}) {
              for (int count = 0; count < 40; count++) {
                boolean inside = offset + count <= size;
                byte[] read = RawClient.access(region, offset, count, new byte[0]);
                int errno = client.errno(RawPeer.REGION_READ, read);
                assertThat(errno)
                    .as("%d at 0x%x of %d", count, offset, region)
                    .isIn(inside ? List.of(0, RawPeer.EIO) : List.of(RawPeer.EINVAL));
              }
            }
          });
    }
    victim.assertUnharmed();
  }

  @ParameterizedTest
  @CsvSource({
    // flags, index, start, count
    "0x24, 2, 0, 0", // an eventfd for nothing
    "0x24, 2, 0, 2", // one for two
    "0x24, 2, 8, 1", // past the end
    "0x24, 2, -1, 1",
    "0x24, 2, 1, -1",
    "0x24, 2, 0x7fffffff, 0x7fffffff",
    "0x24, 5, 0, 1", // no such interrupts
    "0x24, -1, 0, 1",
    "0x24, 3, 1, 1", // one error interrupt
    "0x21, 2, 0, 1", // an eventfd, and it says none
    "0x22, 2, 0, 1",
    "0x27, 2, 0, 1", // all kinds of data
    "0x3c, 2, 0, 1", // all actions
    "0x04, 2, 0, 1", // none
    "0x20, 2, 0, 1",
    "0x64, 2, 0, 1", // an unknown one
    "0x0c, 2, 0, 1", // masks by eventfd
    "0x14, 2, 0, 1", // unmasks what can't be masked
    "0x14, 0, 0, 1", // unmasks what is not enabled
    "0x0c, 3, 0, 1",
    "0x14, 4, 0, 1",
  })
  void interruptsThatCannotBeSet(String flags, int index, String start, String count) {
    try (RawClient client = victim.greeted()) {
      byte[] set =
          RawClient.irqs(
              Integer.decode(flags), index, Integer.decode(start), Integer.decode(count));
      assertThat(client.errno(RawPeer.DEVICE_SET_IRQS, set, event.fd())).isEqualTo(RawPeer.EINVAL);
      assertThat(victim.device().usage().vectors()).isZero();
      assertThat(client.read(CONFIG, 0, 2)).isEqualTo(SpecimenModel.ID.vendor());
    }
    victim.assertUnharmed();
  }

  @Test
  void valuesForMoreVectorsThanAreSent() {
    try (RawClient client = victim.greeted()) {
      byte[] set =
          RawClient.irqs(RawClient.DATA_BOOL | RawClient.ACTION_TRIGGER, RawClient.MSIX, 0, 8);
      assertThat(client.errno(RawPeer.DEVICE_SET_IRQS, set)).isEqualTo(RawPeer.EINVAL);
      assertThat(client.errno(RawPeer.DEVICE_SET_IRQS, Arrays.copyOf(set, 27)))
          .isEqualTo(RawPeer.EINVAL);
      assertThat(client.errno(RawPeer.DEVICE_SET_IRQS, Arrays.copyOf(set, 28))).isZero();
    }
    victim.assertUnharmed();
  }

  /** One kind after the other, one while the other is there, more and fewer vectors. */
  @Test
  void interruptsBackAndForth() {
    int set = RawClient.DATA_EVENTFD | RawClient.ACTION_TRIGGER;
    int off = RawClient.DATA_NONE | RawClient.ACTION_TRIGGER;
    try (RawClient client = victim.greeted()) {
      for (int round = 0; round < 3; round++) {
        for (int index : new int[] {RawClient.MSI, RawClient.INTX, RawClient.MSIX}) {
          for (int start : new int[] {0, 3, 7, 2, 6, 1}) {
            int errno =
                client.errno(
                    RawPeer.DEVICE_SET_IRQS, RawClient.irqs(set, index, start, 1), event.fd());
            assertThat(errno).isIn(0, RawPeer.EINVAL);
            int others = (index + 1) % 3;
            assertThat(
                    client.errno(
                        RawPeer.DEVICE_SET_IRQS, RawClient.irqs(set, others, 0, 1), event.fd()))
                .isEqualTo(RawPeer.EINVAL);
            if (round == 1) {
              assertThat(client.errno(RawPeer.DEVICE_RESET, new byte[0])).isZero();
            }
          }
          assertThat(client.errno(RawPeer.DEVICE_SET_IRQS, RawClient.irqs(off, index, 0, 0)))
              .isZero();
          assertThat(victim.device().usage().vectors()).isZero();
        }
      }
      assertThat(client.read(CONFIG, 0, 2)).isEqualTo(SpecimenModel.ID.vendor());
    }
    victim.assertUnharmed();
  }

  @Test
  void aVersionThatIsMissing() {
    for (Sample sample : samples()) {
      try (RawClient client = victim.connect()) {
        client.send(
            RawPeer.message(1, sample.command, RawPeer.COMMAND, sample.payload), files(sample));
        assertThat(client.isDropped()).as("command %d", sample.command).isTrue();
      }
    }
    victim.assertUnharmed();
  }

  @Test
  void aVersionTwice() {
    try (RawClient client = victim.greeted()) {
      client.send(
          RawPeer.message(1, RawPeer.VERSION, RawPeer.COMMAND, RawClient.version(0, 1, "{}")));
      assertThat(client.isDropped()).isTrue();
    }
    victim.assertUnharmed();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{",
        "}",
        "[]",
        "1",
        "null",
        "\"capabilities\"",
        "{\"capabilities\":{\"max_msg_fds\":-1}}",
        "{\"capabilities\":{\"max_msg_fds\":1.5}}",
        "{\"capabilities\":{\"max_msg_fds\":\"8\"}}",
        "{\"capabilities\":{\"max_data_xfer_size\":0}}",
        "{\"capabilities\":{\"pgsizes\":0}}",
        "{\"capabilities\":{\"write_multiple\":1}}",
        "{\"capabilities\":{}",
        "{\"capabilities\":{}}}",
        "{\"capabilities\":{}} {}",
        "{\"org.gatun\":{\"usable_bus_addresses\":[[\"1\",\"0\"]]}}",
        "{\"a\":\"\u0001\"}",
      })
  void aVersionWithBadJson(String json) {
    assertVersionRefused(RawClient.version(0, 1, json));
  }

  @Test
  void aVersionWithWorseJson() {
    assertVersionRefused(RawClient.version(0, 1, "{\"a\":" + "[".repeat(20000)));
    assertVersionRefused(
        RawClient.version(0, 1, "{\"a\":" + "[".repeat(100) + "]".repeat(100) + "}"));
    assertVersionRefused(RawClient.version(0, 1, "{\"a\":\"" + "x".repeat(70000) + "\"}"));
    assertVersionRefused(
        RawClient.version(0, 1, "{\"capabilities\":{\"max_msg_fds\":" + "9".repeat(1000) + "}}"));
    assertVersionRefused(Bytes.of().u16(0).u16(1).raw(new byte[] {'{', '"', -1, -2}).get());
    assertVersionRefused(Bytes.of().u16(0).u16(1).text("{}").zeros(1).text("x").get());
  }

  @Test
  void aVersionOfAnotherMajor() {
    for (int major : new int[] {1, 2, 0xffff}) {
      assertVersionRefused(RawClient.version(major, 0, "{}"));
    }
  }

  /** A server speaks what it can of what the client proposes. */
  @ParameterizedTest
  @ValueSource(strings = {"", "{}", "{\"capabilities\":{\"max_msg_fds\":99999999999999999999}}"})
  void aVersionOfALaterMinor(String json) {
    for (int minor : new int[] {0, 1, 2, 0xffff}) {
      try (RawClient client = victim.connect()) {
        Received reply = client.call(RawPeer.VERSION, RawClient.version(0, minor, json));
        assertThat(reply.isError()).isFalse();
        assertThat(reply.data().getShort(0)).isZero();
        assertThat(Short.toUnsignedInt(reply.data().getShort(2))).isLessThanOrEqualTo(minor);
      }
    }
    victim.assertUnharmed();
  }

  private void assertVersionRefused(byte[] payload) {
    try (RawClient client = victim.connect()) {
      client.send(RawPeer.message(1, RawPeer.VERSION, RawPeer.COMMAND, payload));
      Received reply = client.receive();
      assertThat(reply == null || reply.isError()).isTrue();
    }
    victim.assertUnharmed();
  }

  @Test
  void aClientThatNeverReads() {
    try (RawClient client = victim.greeted()) {
      byte[] read =
          RawPeer.message(1, RawPeer.REGION_READ, 0, RawClient.access(2, 0, 0x10000, new byte[0]));
      boolean taken = true;
      while (taken) {
        taken = client.send(read);
      }
    }
    victim.assertUnharmed();
  }

  @Test
  void manyConnects() {
    for (int i = 0; i < CONNECTS; i++) {
      switch (i % 4) {
        case 0 -> victim.connect().close();
        case 1 -> victim.greeted().close();
        case 2 -> {
          try (RawClient client = victim.connect()) {
            client.send(new byte[] {1}, memory.fd());
          }
        }
        default -> {
          try (RawClient client = victim.greeted()) {
            client.send(
                RawPeer.message(1, RawPeer.DMA_MAP, 0, RawClient.map(3, 0, ADDRESS, PAGE)),
                memory.fd());
          }
        }
      }
    }
    victim.assertUnharmed();
  }

  @Test
  void theSecondClientWaitsForTheFirstToLeave() {
    try (RawClient second = secondAfter(victim.greeted())) {
      assertThat(second.read(CONFIG, 0, 2)).isEqualTo(SpecimenModel.ID.vendor());
    }
    victim.assertUnharmed();
  }

  private RawClient secondAfter(RawClient first) {
    RawClient second = victim.connect();
    try (first) {
      second.send(RawPeer.message(0x55, RawPeer.VERSION, 0, RawClient.version(0, 1, "{}")));
      assertThat(first.read(CONFIG, 0, 2)).isEqualTo(SpecimenModel.ID.vendor());
      assertThat(Fd.awaitReadable(List.of(second.socket().fd()), Duration.ofMillis(50)))
          .as("the first has the device")
          .isEmpty();
    }
    assertThat(second.reply(0x55, RawPeer.VERSION).isError()).isFalse();
    return second;
  }

  /** All that a client had is free when it has just closed its socket, as if it had been killed. */
  @Test
  void aClientThatIsKilled() {
    List<EventFd> events = new ArrayList<>();
    try (RawClient client = victim.greeted()) {
      client.write32(CONFIG, 4, 7);
      assertThat(victim.device().config().read16(4) & 7).isEqualTo(7);
      for (int i = 0; i < 4; i++) {
        assertThat(
                client.errno(
                    RawPeer.DMA_MAP,
                    RawClient.map(3, (long) i * PAGE, ADDRESS + (long) i * PAGE, PAGE),
                    memory.fd()))
            .isZero();
        EventFd signalled = EventFd.create("test");
        events.add(signalled);
        assertThat(
                client.errno(
                    RawPeer.DEVICE_SET_IRQS,
                    RawClient.irqs(
                        RawClient.DATA_EVENTFD | RawClient.ACTION_TRIGGER, RawClient.MSIX, i, 1),
                    signalled.fd()))
            .isZero();
      }
      assertThat(victim.device().usage())
          .isEqualTo(new PciDevice.Usage(0, 4, 4 * PAGE, SpecimenModel.VECTORS));
    }
    events.forEach(EventFd::close);
    victim.assertUnharmed();
    assertThat(victim.device().usage()).isEqualTo(PciDevice.Usage.NONE);
    assertThat(victim.device().config().read16(4) & 4).as("bus master").isZero();
  }
}
