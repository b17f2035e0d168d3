package org.gatun.simulated;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Objects;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.PciException;
import org.gatun.pci.spi.RemoteMemory;
import org.gatun.simulated.IommuDomain.Mapping;
import org.gatun.simulated.IommuDomain.Table;
import org.jspecify.annotations.Nullable;

/**
 * The way to the host's memory through the IOMMU. While somebody takes memory out of the IOMMU's
 * table, or turns bus master off, they wait for the access that is in progress here.
 */
sealed class IommuPort implements DmaPort permits TracedDmaPort {
  private static final VarHandle LONG =
      ValueLayout.JAVA_LONG
          .withOrder(ByteOrder.LITTLE_ENDIAN)
          .varHandle()
          .withInvokeExactBehavior();
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle SEQUENCE;

  static {
    try {
      SEQUENCE = MethodHandles.lookup().findVarHandle(IommuPort.class, "sequence", long.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private final BusMaster master;

  /** Odd while an access is in progress. */
  private volatile long sequence;

  private Table cachedTable = Table.EMPTY;
  private @Nullable Mapping cached;

  IommuPort(BusMaster master) {
    this.master = master;
  }

  @Override
  public boolean read(long busAddress, MemorySegment target, long targetOffset, long length) {
    long done = transfer(busAddress, target, targetOffset, length, false);
    if (done == length) {
      return true;
    }
    refuse(busAddress + done, length - done, DmaDirection.TO_DEVICE);
    return false;
  }

  @Override
  public boolean write(long busAddress, MemorySegment source, long sourceOffset, long length) {
    long done = transfer(busAddress, source, sourceOffset, length, true);
    if (done == length) {
      return true;
    }
    if (length == Integer.BYTES
        && InterruptRemapping.covers(busAddress)
        && master.message(busAddress, source.get(INT, sourceOffset))) {
      return true;
    }
    refuse(busAddress + done, length - done, DmaDirection.FROM_DEVICE);
    return false;
  }

  @Override
  public long readLong(long busAddress, long ifRefused) {
    enter();
    try {
      Mapping mapping = find(busAddress);
      if (mapping != null && mapping.readable) {
        MemorySegment memory = mapping.memory;
        return memory != null
            ? (long) LONG.getAcquire(memory, busAddress - mapping.first)
            : readRemote(mapping, busAddress);
      }
    } catch (IllegalStateException | WrongThreadException | PciException _) {
      // Mapped memory of the driver's own, freed too early; or a remote host has gone: refused
      // below.
    } finally {
      exit();
    }
    refuse(busAddress, Long.BYTES, DmaDirection.TO_DEVICE);
    return ifRefused;
  }

  @Override
  public boolean writeLong(long busAddress, long value) {
    enter();
    try {
      Mapping mapping = find(busAddress);
      if (mapping != null && mapping.writable) {
        MemorySegment memory = mapping.memory;
        if (memory != null) {
          LONG.setRelease(memory, busAddress - mapping.first, value);
        } else {
          writeRemote(mapping, busAddress, value);
        }
        return true;
      }
    } catch (IllegalStateException | WrongThreadException | PciException _) {
      // Mapped memory of the driver's own, freed too early; or a remote host has gone: refused
      // below.
    } finally {
      exit();
    }
    refuse(busAddress, Long.BYTES, DmaDirection.FROM_DEVICE);
    return false;
  }

  @Override
  public boolean writeLongs(long busAddress, long first, long second) {
    enter();
    try {
      Mapping mapping = find(busAddress);
      if (mapping != null && mapping.writable && mapping.last - busAddress >= 2 * Long.BYTES - 1) {
        MemorySegment memory = mapping.memory;
        if (memory != null) {
          long offset = busAddress - mapping.first;
          LONG.set(memory, offset, first);
          LONG.setRelease(memory, offset + Long.BYTES, second);
          return true;
        }
      }
    } catch (IllegalStateException | WrongThreadException _) {
      // Mapped memory of the driver's own, freed too early: refused below.
    } finally {
      exit();
    }
    return DmaPort.super.writeLongs(busAddress, first, second);
  }

  /** The IOMMU does not let an access through, or the rest of one. */
  void refuse(long busAddress, long size, DmaDirection direction) {
    master.refuse(busAddress, size, direction);
  }

  /** Returns when what was in progress at the call has ended. */
  void awaitQuiet() {
    long seen = sequence;
    while ((seen & 1) != 0 && sequence == seen) {
      Thread.onSpinWait();
    }
  }

  private long transfer(
      long busAddress, MemorySegment local, long localOffset, long length, boolean write) {
    long done = 0;
    enter();
    try {
      while (done < length) {
        long address = busAddress + done;
        Mapping mapping = find(address);
        if (mapping == null || !(write ? mapping.writable : mapping.readable)) {
          break;
        }
        long part = Math.min(length - done, mapping.last - address + 1);
        long offset = address - mapping.first;
        MemorySegment memory = mapping.memory;
        if (memory == null) {
          transferRemote(mapping, address, local.asSlice(localOffset + done, part), write);
        } else if (write) {
          MemorySegment.copy(local, localOffset + done, memory, offset, part);
        } else {
          MemorySegment.copy(memory, offset, local, localOffset + done, part);
        }
        done += part;
      }
    } catch (IllegalStateException | WrongThreadException | PciException _) {
      // Mapped memory of the driver's own, freed too early, or a remote host has gone: to the
      // device it is not there.
    } finally {
      exit();
    }
    return done;
  }

  private static void transferRemote(
      Mapping mapping, long busAddress, MemorySegment local, boolean write) {
    RemoteMemory remote = Objects.requireNonNull(mapping.remote);
    if (write) {
      remote.write(busAddress, local);
    } else {
      remote.read(busAddress, local);
    }
  }

  private static long readRemote(Mapping mapping, long busAddress) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment value = arena.allocate(Long.BYTES, Long.BYTES);
      transferRemote(mapping, busAddress, value, false);
      return (long) LONG.getAcquire(value, 0L);
    }
  }

  private static void writeRemote(Mapping mapping, long busAddress, long value) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment bytes = arena.allocate(Long.BYTES, Long.BYTES);
      LONG.setRelease(bytes, 0L, value);
      transferRemote(mapping, busAddress, bytes, true);
    }
  }

  private @Nullable Mapping find(long busAddress) {
    Table table = master.reachable();
    Mapping last = cached;
    if (table == cachedTable
        && last != null
        && busAddress >= last.first
        && busAddress <= last.last) {
      return last;
    }
    cachedTable = table;
    cached = table.find(busAddress);
    return cached;
  }

  private void enter() {
    // Volatile: seen before the table is read, by who changes the table and then looks here.
    SEQUENCE.setVolatile(this, sequence + 1);
  }

  private void exit() {
    SEQUENCE.setRelease(this, sequence + 1);
  }
}
