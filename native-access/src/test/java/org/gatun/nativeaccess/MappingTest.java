package org.gatun.nativeaccess;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.type;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MappingTest {
  private final long page = Mapping.pageSize();

  @TempDir Path directory;
  private Path file;

  @BeforeEach
  void createFile() throws IOException {
    file = directory.resolve("mapped");
    byte[] content = new byte[(int) (2 * page)];
    content[(int) page] = 42;
    Files.write(file, content);
  }

  @Test
  void writesReachTheFile() throws IOException {
    try (Fd fd = Fd.open(file, Access.READ_WRITE);
        Mapping mapping = Mapping.map(fd, page, page, Access.READ_WRITE)) {
      MemorySegment segment = mapping.segment();
      assertThat(segment.byteSize()).isEqualTo(page);
      assertThat(segment.get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 42);
      segment.set(ValueLayout.JAVA_BYTE, 0, (byte) 43);
      assertThat(Files.readAllBytes(file)[(int) page]).isEqualTo((byte) 43);
      assertThat(mapping.toString())
          .startsWith(file.toString())
          .endsWith("at 0x1000, length 0x1000");
    }
  }

  @Test
  void outlivesItsDescriptorAndIsUnmappedOnce() throws IOException {
    Fd fd = Fd.open(file, Access.READ_WRITE);
    Mapping mapping = Mapping.map(fd, 0, page, Access.READ_WRITE);
    fd.close();
    MemorySegment segment = mapping.segment();
    segment.set(ValueLayout.JAVA_INT, 0, 1);
    assertThat(Descriptors.mappings(file.toString())).hasSize(1);
    mapping.close();
    mapping.close();
    assertThat(Descriptors.mappings(file.toString())).isEmpty();
    assertThatThrownBy(() -> segment.get(ValueLayout.JAVA_INT, 0))
        .isInstanceOf(IllegalStateException.class);
  }

  @Test
  void belongsToTheArenaItIsGiven() throws IOException {
    MemorySegment segment;
    try (Fd fd = Fd.open(file, Access.READ_WRITE);
        Arena arena = Arena.ofConfined()) {
      segment = Mapping.map(fd, page, page, Access.READ_WRITE, arena);
      assertThat(segment.byteSize()).isEqualTo(page);
      assertThat(segment.get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 42);
      segment.set(ValueLayout.JAVA_BYTE, 0, (byte) 43);
      assertThat(Files.readAllBytes(file)[(int) page]).isEqualTo((byte) 43);
      assertThat(Mapping.map(fd, 0, page, Access.READ, arena).isReadOnly()).isTrue();
      assertThat(Descriptors.mappings(file.toString())).hasSize(2);
    }
    assertThat(Descriptors.mappings(file.toString())).isEmpty();
    assertThatThrownBy(() -> segment.get(ValueLayout.JAVA_INT, 0))
        .isInstanceOf(IllegalStateException.class);
  }

  @Test
  void memoryForReadingCannotBeWritten() {
    try (Fd fd = Fd.open(file, Access.READ);
        Mapping mapping = Mapping.map(fd, page, page, Access.READ)) {
      assertThat(mapping.segment().get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 42);
      assertThatThrownBy(() -> mapping.segment().set(ValueLayout.JAVA_BYTE, 0, (byte) 1))
          .isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> Mapping.map(fd, page, page, Access.READ_WRITE))
          .asInstanceOf(type(LinuxException.class))
          .extracting(LinuxException::errno)
          .isEqualTo(Errno.EACCES);
    }
  }

  @Test
  void whatCannotBeMappedIsRefused() throws IOException {
    try (Fd fd = Fd.open(file, Access.READ)) {
      assertThatThrownBy(() -> Mapping.map(fd, 1, page, Access.READ))
          .hasMessage(
              "mmap "
                  + fd
                  + " at 0x1, length 0x"
                  + Long.toHexString(page)
                  + ": EINVAL 22 (Invalid argument)");
      assertThatThrownBy(() -> Mapping.map(fd, 0, 0, Access.READ))
          .isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> Mapping.map(fd, 0, -page, Access.READ))
          .isInstanceOf(IllegalArgumentException.class);
      assertThat(Descriptors.mappings(file.toString())).isEmpty();
    }
  }

  @Test
  void theLimitOnLockedMemoryIsTheKernels() throws IOException {
    List<String> fields =
        Files.readAllLines(Path.of("/proc/self/limits")).stream()
            .filter(line -> line.startsWith("Max locked memory"))
            .map(line -> line.substring("Max locked memory".length()).trim())
            .flatMap(line -> List.of(line.split("\\s+")).stream())
            .toList();
    ResourceLimit limit = ResourceLimit.lockedMemory();
    assertThat(List.of(text(limit.soft()), text(limit.hard()))).isEqualTo(fields.subList(0, 2));
  }

  private static String text(long limit) {
    return limit == ResourceLimit.UNLIMITED ? "unlimited" : Long.toString(limit);
  }
}
