package org.gatun.driver.nvme;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import org.gatun.pci.PciException;
import org.gatun.specs.nvme.NvmeStatus;
import org.gatun.testkit.IntegrityLoad.Io;
import org.gatun.testkit.IntegrityLoad.Way;

/** What the driver has to read and write a disk with, for {@link IntegrityRun}. */
final class IntegrityWays {
  private IntegrityWays() {}

  /** Single commands, of which many are under way. */
  record QueueWay(NvmeQueuePair pair, NvmeNamespace namespace, Duration limit) implements Way {
    @Override
    public int maxBlocks() {
      return namespace.maxTransferBlocks();
    }

    @Override
    public boolean needsDma() {
      return true;
    }

    @Override
    public boolean begin(Io io) {
      NvmeCallback callback = (_, status) -> io.ended(NvmeStatus.isSuccess(status));
      int lba = io.lba();
      int blocks = io.blocks();
      return switch (io.kind()) {
        case READ ->
            pair.submitRead(namespace, lba, blocks, io.buffer(), io.bufferOffset(), callback, 0);
        case WRITE ->
            pair.submitWrite(namespace, lba, blocks, io.buffer(), io.bufferOffset(), callback, 0);
        case WRITE_ZEROES -> pair.submitWriteZeroes(namespace, lba, blocks, callback, 0);
        case DEALLOCATE -> pair.submitDeallocate(namespace, lba, blocks, callback, 0);
        case FLUSH -> pair.submitFlush(namespace, callback, 0);
      };
    }

    @Override
    public void ring() {
      pair.ring();
    }

    @Override
    public void await() {
      pair.await(limit);
    }
  }

  /** Calls that return when all is done. */
  interface BlockingWay extends Way {
    NvmeDisk disk();

    /** In bytes, of one call. */
    int maxLength();

    void read(long offset, Io io);

    void write(long offset, Io io);

    @Override
    default int maxBlocks() {
      return maxLength() / disk().namespace().blockSize();
    }

    @Override
    default boolean begin(Io io) {
      long blockSize = disk().namespace().blockSize();
      long offset = io.lba() * blockSize;
      long length = io.blocks() * blockSize;
      boolean success = false;
      try {
        switch (io.kind()) {
          case READ -> read(offset, io);
          case WRITE -> write(offset, io);
          case WRITE_ZEROES -> disk().writeZeroes(offset, length);
          case DEALLOCATE -> disk().deallocate(offset, length);
          case FLUSH -> disk().flush();
        }
        success = true;
      } catch (NvmeStatusException _) {
        // A command of it has failed; the controller works.
      }
      io.ended(success);
      return true;
    }

    @Override
    default void ring() {}

    @Override
    default void await() {}
  }

  /** A disk, from and to memory for DMA. */
  record DirectWay(NvmeDisk disk, int maxLength) implements BlockingWay {
    @Override
    public boolean needsDma() {
      return true;
    }

    @Override
    public void read(long offset, Io io) {
      disk.read(offset, io.buffer(), io.bufferOffset(), io.memory().byteSize());
    }

    @Override
    public void write(long offset, Io io) {
      disk.write(offset, io.buffer(), io.bufferOffset(), io.memory().byteSize());
    }
  }

  /** A disk, from and to any memory. */
  record CopyingWay(NvmeDisk disk, int maxLength) implements BlockingWay {
    @Override
    public boolean needsDma() {
      return false;
    }

    @Override
    public void read(long offset, Io io) {
      disk.read(offset, io.memory());
    }

    @Override
    public void write(long offset, Io io) {
      disk.write(offset, io.memory());
    }
  }

  /** A channel, with the memory in two buffers. */
  record ChannelWay(NvmeDisk disk, NvmeBlockChannel channel, int maxLength) implements BlockingWay {
    ChannelWay(NvmeDisk disk, int maxLength) {
      this(disk, new NvmeBlockChannel(disk), maxLength);
    }

    @Override
    public boolean needsDma() {
      return false;
    }

    @Override
    public void read(long offset, Io io) {
      move(offset, io, channel::read);
    }

    @Override
    public void write(long offset, Io io) {
      move(offset, io, channel::write);
    }

    private interface Move {
      long move(ByteBuffer[] buffers) throws IOException;
    }

    private void move(long offset, Io io, Move move) {
      ByteBuffer all = io.memory().asByteBuffer();
      int first = io.blocks() / 2 * channel.blockSize();
      ByteBuffer[] parts = {
        all.slice(0, first), all.slice(first, all.capacity() - first),
      };
      try {
        channel.position(offset);
        if (move.move(parts) != all.capacity()) {
          throw new AssertionError(io + ": the channel moved less than all");
        }
      } catch (IOException e) {
        if (e.getCause() instanceof PciException cause) {
          throw cause;
        }
        throw new UncheckedIOException(e);
      }
    }
  }
}
