package org.gatun.driver.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ClosedChannelException;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.PciDevice;
import org.gatun.simulated.NvmeModel;
import org.gatun.simulated.SimulatedBus;
import org.gatun.simulated.fault.Effect;
import org.gatun.simulated.fault.Fault;
import org.gatun.simulated.fault.Faults;
import org.gatun.simulated.fault.Point;
import org.gatun.specs.nvme.NvmOpcode;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A disk, used as a file is. */
@Timeout(60)
class NvmeBlockChannelTest {
  private static final int SIZE = 1 << 20;
  private static final int BLOCK = 512;

  private final SimulatedBus bus = SimulatedBus.virtualTime();
  private final Faults faults = new Faults();
  private final PciDevice device =
      bus.open(bus.plug("disk", faults.on(NvmeModel.builder().size(SIZE).build())));
  private final NvmeController controller =
      NvmeController.open(device, NvmeOptions.defaults().withTime(bus.time()));
  private final NvmeBlockChannel channel = new NvmeBlockChannel(controller.openDisk(1));

  @AfterEach
  void close() throws IOException {
    channel.close();
    controller.close();
    assertThat(device.usage()).isEqualTo(PciDevice.Usage.NONE);
    bus.close();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void readsBackWhatWasWritten(boolean direct) throws IOException {
    byte[] data = random(300 * BLOCK);
    ByteBuffer buffer = buffer(direct, data.length).put(data).flip();
    assertThat(channel.position(5 * BLOCK).write(buffer)).isEqualTo(data.length);
    assertThat(buffer.hasRemaining()).isFalse();
    assertThat(channel.position()).isEqualTo(305 * BLOCK);
    channel.force();

    ByteBuffer read = buffer(direct, data.length);
    assertThat(channel.position(5 * BLOCK).read(read)).isEqualTo(data.length);
    assertThat(bytes(read.flip())).isEqualTo(data);
    assertThat(channel.position()).isEqualTo(305 * BLOCK);
    assertThat(channel.size()).isEqualTo(SIZE);
    assertThat(channel.blockSize()).isEqualTo(BLOCK);
  }

  @Test
  void codeThatKnowsNoDisksReadsAllOfIt() throws IOException {
    byte[] data = random(SIZE);
    channel.write(ByteBuffer.wrap(data));
    channel.position(0);
    // A stream reads into arrays of its reader's: of whole blocks, here.
    InputStream stream = Channels.newInputStream(channel);
    assertThat(stream.readNBytes(SIZE)).isEqualTo(data);
    assertThat(stream.read(new byte[BLOCK])).isEqualTo(-1);
  }

  @Test
  void scattersAndGathers() throws IOException {
    byte[] data = random(8 * BLOCK);
    ByteBuffer[] parts = {
      ByteBuffer.allocate(0),
      ByteBuffer.wrap(data, 0, BLOCK),
      ByteBuffer.allocate(0),
      ByteBuffer.wrap(data, BLOCK, 5 * BLOCK),
      ByteBuffer.wrap(data, 6 * BLOCK, 2 * BLOCK)
    };
    assertThat(channel.write(parts)).isEqualTo(data.length);
    assertThat(parts).noneMatch(ByteBuffer::hasRemaining);

    ByteBuffer[] read = {
      ByteBuffer.allocate(3 * BLOCK), ByteBuffer.allocateDirect(BLOCK), ByteBuffer.allocate(BLOCK)
    };
    assertThat(channel.position(0).read(read, 0, 2)).isEqualTo(4 * BLOCK);
    assertThat(read[0].array()).isEqualTo(Arrays.copyOf(data, 3 * BLOCK));
    assertThat(bytes(read[1].flip())).isEqualTo(Arrays.copyOfRange(data, 3 * BLOCK, 4 * BLOCK));
    assertThat(read[2].position()).isZero();
    assertThatExceptionOfType(IndexOutOfBoundsException.class)
        .isThrownBy(() -> channel.read(read, 2, 2));
  }

  @Test
  void placesOfOnesOwnLeaveThePosition() throws IOException {
    byte[] data = random(BLOCK);
    channel.position(BLOCK);
    assertThat(channel.write(ByteBuffer.wrap(data), 7 * BLOCK)).isEqualTo(BLOCK);
    ByteBuffer read = ByteBuffer.allocate(BLOCK);
    assertThat(channel.read(read, 7 * BLOCK)).isEqualTo(BLOCK);
    assertThat(read.array()).isEqualTo(data);
    assertThat(channel.position()).isEqualTo(BLOCK);
  }

  @Test
  void whatIsNotWholeBlocksIsSaid() throws IOException {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> channel.read(ByteBuffer.allocate(BLOCK + 1)))
        .withMessage(
            "namespace 1: 2048 blocks of 512 bytes: the 513 bytes that remain in a buffer are not"
                + " whole blocks of 512");
    channel.position(100);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> channel.write(ByteBuffer.allocate(BLOCK)))
        .withMessage(
            "namespace 1: 2048 blocks of 512 bytes: position 100 is not at one of its blocks of 512"
                + " bytes");
    assertThatIllegalArgumentException().isThrownBy(() -> channel.position(-1));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> channel.read(ByteBuffer.allocate(BLOCK), -BLOCK));
    channel.position(0);
    ByteBuffer good = ByteBuffer.wrap(random(BLOCK));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> channel.write(new ByteBuffer[] {good, ByteBuffer.allocate(7)}));
    assertThat(good.remaining()).as("nothing was done").isEqualTo(BLOCK);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> channel.read(ByteBuffer.allocate(BLOCK).asReadOnlyBuffer()));
  }

  @Test
  void aDiskEndsWhereItEnds() throws IOException {
    channel.position(SIZE - BLOCK);
    ByteBuffer three = ByteBuffer.allocate(3 * BLOCK);
    assertThat(channel.read(three)).as("what there is").isEqualTo(BLOCK);
    assertThat(three.position()).isEqualTo(BLOCK);
    assertThat(channel.read(ByteBuffer.allocate(BLOCK))).isEqualTo(-1);
    assertThat(channel.read(ByteBuffer.allocate(0))).isZero();
    assertThat(channel.position(4L * SIZE).read(ByteBuffer.allocate(BLOCK))).isEqualTo(-1);

    channel.position(SIZE - BLOCK);
    ByteBuffer two = ByteBuffer.allocate(2 * BLOCK);
    assertThatExceptionOfType(IOException.class)
        .isThrownBy(() -> channel.write(two))
        .withMessageContaining("1024 bytes at 1048064 are beyond its end at 1048576");
    assertThat(two.position()).isZero();
    assertThat(channel.position()).isEqualTo(SIZE - BLOCK);
  }

  @Test
  void aDiskIsNotTruncated() throws IOException {
    assertThatExceptionOfType(IOException.class).isThrownBy(() -> channel.truncate(SIZE - 1));
    assertThatIllegalArgumentException().isThrownBy(() -> channel.truncate(-1));
    assertThat(channel.position(3L * SIZE).truncate(2L * SIZE).position()).isEqualTo(2L * SIZE);
    assertThat(channel.size()).isEqualTo(SIZE);
  }

  @ParameterizedTest
  @CsvSource({"true, WRITE", "false, READ"})
  void aCommandThatFailsIsAnIoException(boolean write, String name) throws IOException {
    int opcode = write ? NvmOpcode.WRITE : NvmOpcode.READ;
    faults.add(
        Fault.at(Point.COMMAND, new Effect.Fail())
            .matching(Fault.command(1, opcode), Fault.command(0xff, 0xff))
            .after(1));
    ByteBuffer[] buffers = {ByteBuffer.allocate(BLOCK), ByteBuffer.allocate(2 * BLOCK)};
    assertThatExceptionOfType(IOException.class)
        .isThrownBy(() -> moved(write, buffers))
        .withCauseInstanceOf(NvmeStatusException.class)
        .withMessageContaining("simulated:disk");
    assertThat(List.of(buffers[0].position(), buffers[1].position())).containsExactly(BLOCK, 0);
    assertThat(channel.position()).as("after the first, %s", name).isEqualTo(BLOCK);
    faults.clear();
    assertThat(channel.read(ByteBuffer.allocate(BLOCK))).as("it goes on").isEqualTo(BLOCK);
  }

  private long moved(boolean write, ByteBuffer[] buffers) throws IOException {
    return write ? channel.write(buffers) : channel.read(buffers);
  }

  @Test
  void aClosedOneSaysSo() throws IOException {
    assertThat(channel.isOpen()).isTrue();
    channel.close();
    assertThat(channel.isOpen()).isFalse();
    assertThatThrownBy(() -> channel.read(ByteBuffer.allocate(BLOCK)))
        .isInstanceOf(ClosedChannelException.class);
    assertThatThrownBy(() -> channel.write(ByteBuffer.allocate(BLOCK), 0))
        .isInstanceOf(ClosedChannelException.class);
    assertThatThrownBy(channel::force).isInstanceOf(ClosedChannelException.class);
    assertThatThrownBy(channel::size).isInstanceOf(ClosedChannelException.class);
    assertThatThrownBy(() -> channel.position(0)).isInstanceOf(ClosedChannelException.class);
    channel.close();
  }

  @Test
  void aDiskThatIsGoneIsAnIoException() {
    bus.unplug(device.name());
    assertThatExceptionOfType(IOException.class)
        .isThrownBy(() -> channel.read(ByteBuffer.allocate(BLOCK)))
        .withCauseInstanceOf(DeviceGoneException.class);
    assertThatExceptionOfType(IOException.class).isThrownBy(channel::close);
    assertThat(channel.isOpen()).isFalse();
  }

  private static byte[] random(int length) {
    byte[] bytes = new byte[length];
    new Random(length).nextBytes(bytes);
    return bytes;
  }

  private static ByteBuffer buffer(boolean direct, int size) {
    return direct ? ByteBuffer.allocateDirect(size) : ByteBuffer.allocate(size);
  }

  private static byte[] bytes(ByteBuffer buffer) {
    byte[] bytes = new byte[buffer.remaining()];
    buffer.get(bytes);
    return bytes;
  }
}
