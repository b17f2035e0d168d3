package org.gatun.vfiouser;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Collections;
import java.util.Objects;
import java.util.function.Consumer;
import org.gatun.nativeaccess.EventFd;
import org.gatun.nativeaccess.Fd;
import org.gatun.simulated.SpecimenModel;
import org.gatun.vfiouser.RawPeer.Received;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * As {@link HostileClientTest}, with memory that the device reaches by messages: the client owes
 * replies, and lies.
 */
class HostileMemoryTest {
  private static final int PAGE = 4096;
  private static final long ADDRESS = 0x1_0000_0000L;
  private static final int LENGTH = 64;
  private static final int WRITE_ID = 0x77;

  private final EventFd event = EventFd.create("test");
  private final Victim victim = new Victim();

  @AfterEach
  void close() {
    victim.close();
    event.close();
  }

  /** Lets the device read our memory, and returns what it asks for. */
  private static Received asked(RawClient client, int command, int length) {
    assertThat(client.write32(RawClient.CONFIG_REGION, 4, 6)).isZero();
    assertThat(client.errno(RawPeer.DMA_MAP, RawClient.map(3, 0, ADDRESS, 16 * PAGE))).isZero();
    assertThat(client.write32(0, SpecimenModel.DMA_ADDRESS, (int) ADDRESS)).isZero();
    assertThat(client.write32(0, SpecimenModel.DMA_ADDRESS + 4, (int) (ADDRESS >> 32))).isZero();
    assertThat(client.write32(0, SpecimenModel.DMA_LENGTH, length)).isZero();
    client.send(
        RawPeer.message(
            WRITE_ID,
            RawPeer.REGION_WRITE,
            RawPeer.COMMAND,
            RawClient.access(0, SpecimenModel.DMA_COMMAND, 4, Bytes.of().u32(command).get())));
    Received request = Objects.requireNonNull(client.receive());
    assertThat(request.isReply()).isFalse();
    assertThat(request.command())
        .isEqualTo(command == SpecimenModel.DMA_READ ? RawPeer.DMA_READ : RawPeer.DMA_WRITE);
    assertThat(request.data().getLong(0)).isEqualTo(ADDRESS);
    return request;
  }

  private static byte[] data(long address, long count, int length) {
    return Bytes.of().u64(address).u64(count).zeros(length).get();
  }

  /** How many transfers were done, and how many refused. */
  private static long status(RawClient client) {
    return client.read(0, SpecimenModel.DMA_STATUS, 4);
  }

  @Test
  void anHonestReplyIsTaken() {
    try (RawClient client = victim.greeted()) {
      Received request = asked(client, SpecimenModel.DMA_READ, LENGTH);
      client.send(
          RawPeer.message(
              request.id(), RawPeer.DMA_READ, RawPeer.REPLY, data(ADDRESS, LENGTH, LENGTH)));
      assertThat(client.reply(WRITE_ID, RawPeer.REGION_WRITE).isError()).isFalse();
      assertThat(status(client)).isEqualTo(1);
    }
    victim.assertUnharmed();
  }

  /** With no more in one message than the client takes. */
  @Test
  void theClientsLimitOnTransfersIsKept() {
    try (RawClient client = victim.connect()) {
      assertThat(
              client.errno(
                  RawPeer.VERSION,
                  RawClient.version(0, 1, "{\"capabilities\":{\"max_data_xfer_size\":32}}")))
          .isZero();
      Received request = asked(client, SpecimenModel.DMA_READ, LENGTH);
      for (int i = 0; i < 2; i++) {
        assertThat(request.data().getLong(0)).isEqualTo(ADDRESS + 32L * i);
        assertThat(request.data().getLong(8)).isEqualTo(32);
        client.send(
            RawPeer.message(
                request.id(), RawPeer.DMA_READ, RawPeer.REPLY, data(ADDRESS + 32L * i, 32, 32)));
        request = Objects.requireNonNull(client.receive());
      }
      assertThat(request.id()).isEqualTo(WRITE_ID);
      assertThat(status(client)).isEqualTo(1);
    }
    victim.assertUnharmed();
  }

  /** A lie that concerns just the transfer: the device sees it refused. */
  private void refused(int command, byte[] payload, int flags, int error) {
    try (RawClient client = victim.greeted()) {
      Received request = asked(client, command, LENGTH);
      client.send(
          RawPeer.message(
              request.id(),
              request.command(),
              RawPeer.HEADER + payload.length,
              RawPeer.REPLY | flags,
              error,
              payload));
      client.reply(WRITE_ID, RawPeer.REGION_WRITE);
      assertThat(status(client)).isEqualTo(1 << 16);
    }
    victim.assertUnharmed();
  }

  @Test
  void repliesThatLieOfTheTransfer() {
    int read = SpecimenModel.DMA_READ;
    int write = SpecimenModel.DMA_WRITE;
    refused(read, data(ADDRESS + 1, LENGTH, LENGTH), 0, 0);
    refused(read, data(ADDRESS, LENGTH + 1, LENGTH), 0, 0);
    refused(read, data(ADDRESS, 0, LENGTH), 0, 0);
    refused(read, data(ADDRESS, -1, LENGTH), 0, 0);
    refused(read, new byte[0], RawPeer.ERROR, RawPeer.EINVAL);
    refused(read, new byte[0], RawPeer.ERROR, 0);
    refused(read, new byte[0], RawPeer.ERROR, -1);
    refused(read, data(ADDRESS, LENGTH, LENGTH), RawPeer.ERROR, 0x7fff_ffff);
    refused(write, Bytes.of().u64(ADDRESS).u32(LENGTH + 1).get(), 0, 0);
    refused(write, Bytes.of().u64(0).u32(LENGTH).get(), 0, 0);
    refused(write, new byte[0], RawPeer.ERROR, RawPeer.EIO);
  }

  /** A lie that breaks the protocol, for which the client is sent away. */
  private void sentAway(Consumer<RawClient> lie) {
    try (RawClient client = victim.greeted()) {
      asked(client, SpecimenModel.DMA_READ, LENGTH);
      lie.accept(client);
      victim.assertOthersServed();
      assertThat(client.isDropped()).isTrue();
    }
    victim.assertUnharmed();
  }

  private void sentAwayAfter(int id, int command, int flags, byte[] payload) {
    sentAway(client -> client.send(RawPeer.message(id, command, flags, payload)));
  }

  @Test
  void repliesThatBreakTheProtocol() {
    byte[] sound = data(ADDRESS, LENGTH, LENGTH);
    sentAwayAfter(0xfff, RawPeer.DMA_READ, RawPeer.REPLY, sound);
    for (int command : new int[] {0, RawPeer.DMA_WRITE, RawPeer.VERSION, 0xffff}) {
      sentAwayAfter(0, command, RawPeer.REPLY, sound);
    }
    sentAwayAfter(0, RawPeer.DMA_READ, RawPeer.REPLY | 2, sound);
    for (int length : new int[] {0, 12, 15, 16, 16 + LENGTH - 1}) {
      sentAwayAfter(0, RawPeer.DMA_READ, RawPeer.REPLY, Arrays.copyOf(sound, length));
    }
  }

  @Test
  void aReplyThatNeverComes() {
    sentAway(_ -> {});
  }

  @Test
  void halfAReply() {
    sentAway(
        client ->
            client.send(
                Arrays.copyOf(
                    RawPeer.message(
                        0, RawPeer.DMA_READ, RawPeer.REPLY, data(ADDRESS, LENGTH, LENGTH)),
                    40)));
  }

  @Test
  void twoReplies() {
    try (RawClient client = victim.greeted()) {
      Received request = asked(client, SpecimenModel.DMA_READ, LENGTH);
      byte[] reply =
          RawPeer.message(
              request.id(), RawPeer.DMA_READ, RawPeer.REPLY, data(ADDRESS, LENGTH, LENGTH));
      client.send(reply);
      client.send(reply);
      assertThat(client.isDropped()).isTrue();
    }
    victim.assertUnharmed();
  }

  @Test
  void theClientLeavesInsteadOfReplying() {
    try (RawClient client = victim.greeted()) {
      asked(client, SpecimenModel.DMA_READ, LENGTH);
    }
    victim.assertUnharmed();
  }

  /** Commands are kept for later while a reply is owed, but not any number of them. */
  @Test
  void commandsWithoutEndWhileItOwesAReply() {
    sentAway(
        client -> {
          byte[] command = RawPeer.message(1, RawPeer.DEVICE_GET_INFO, 0, RawClient.info(0));
          int sent = 0;
          while (client.send(command)) {
            sent++;
            assertThat(sent).isLessThan(100_000);
          }
        });
  }

  @Test
  void descriptorsWithoutEndWhileItOwesAReply() {
    Fd[] files = Collections.nCopies(32, event.fd()).toArray(Fd[]::new);
    byte[] command = RawPeer.message(1, RawPeer.DEVICE_GET_INFO, 0, RawClient.info(0));
    sentAway(
        client -> {
          int sent = 0;
          while (client.send(command, files)) {
            sent++;
            assertThat(sent).isLessThan(1000);
          }
        });
  }

  /** The rest is carried out in order, when the reply has come. */
  @Test
  void someCommandsWhileItOwesAReply() {
    try (RawClient client = victim.greeted()) {
      Received request = asked(client, SpecimenModel.DMA_READ, LENGTH);
      for (int i = 0; i < 500; i++) {
        client.send(
            RawPeer.message(i, RawPeer.DEVICE_GET_INFO, RawPeer.NO_REPLY, RawClient.info(0)));
      }
      client.send(RawPeer.message(0x99, RawPeer.DEVICE_GET_INFO, 0, RawClient.info(0)));
      client.send(
          RawPeer.message(
              request.id(), RawPeer.DMA_READ, RawPeer.REPLY, data(ADDRESS, LENGTH, LENGTH)));
      assertThat(client.reply(WRITE_ID, RawPeer.REGION_WRITE).isError()).isFalse();
      assertThat(client.reply(0x99, RawPeer.DEVICE_GET_INFO).isError()).isFalse();
    }
    victim.assertUnharmed();
  }
}
