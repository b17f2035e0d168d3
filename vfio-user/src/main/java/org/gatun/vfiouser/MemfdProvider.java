package org.gatun.vfiouser;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import org.gatun.nativeaccess.Access;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.LinuxException;
import org.gatun.nativeaccess.Mapping;
import org.gatun.nativeaccess.Memfd;
import org.gatun.pci.spi.SharedMemory;
import org.gatun.pci.spi.SharedMemoryProvider;

/** Memory that can be passed over a socket: sealed memfds. */
public final class MemfdProvider implements SharedMemoryProvider {
  /** For {@link java.util.ServiceLoader}. */
  public MemfdProvider() {}

  @Override
  public SharedMemory create(String description, long size) {
    Memfd memfd;
    try {
      memfd = Memfd.create(description);
    } catch (LinuxException e) {
      throw new IllegalStateException(e.getMessage(), e);
    }
    boolean made = false;
    try {
      memfd.resize(size);
      memfd.sealSize();
      made = true;
      return new Memory(memfd);
    } catch (LinuxException e) {
      throw new IllegalStateException(e.getMessage(), e);
    } finally {
      if (!made) {
        memfd.close();
      }
    }
  }

  private record Memory(Memfd memfd) implements SharedMemory {
    @Override
    public MemorySegment map(long offset, long length, Arena lifetime) {
      long page = Mapping.pageSize();
      long first = offset / page * page;
      return Mapping.map(memfd.fd(), first, offset + length - first, Access.READ_WRITE, lifetime)
          .asSlice(offset - first, length);
    }

    @Override
    public <T> Optional<T> unwrap(Class<T> exactType) {
      return exactType.equals(Fd.class)
          ? Optional.of(exactType.cast(memfd.fd()))
          : Optional.empty();
    }

    @Override
    public void close() {
      memfd.close();
    }
  }
}
