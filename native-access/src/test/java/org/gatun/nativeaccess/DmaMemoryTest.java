package org.gatun.nativeaccess;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.type;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import org.gatun.nativeaccess.DmaMemory.Pages;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DmaMemoryTest {
  private final long page = Mapping.pageSize();

  @Test
  void aMemfdHasTheSizeItIsGiven() {
    try (Memfd memfd = Memfd.create("gatun-size")) {
      memfd.resize(page);
      memfd.fd().writeAt(page - 4, 4, 7);
      assertThat(memfd.fd().readAt(page - 4, 4)).isEqualTo(7);
      memfd.resize(page / 2);
      assertThatThrownBy(() -> memfd.fd().readAt(page - 4, 4)).isInstanceOf(LinuxException.class);
    }
  }

  @Test
  void aSealedMemfdKeepsItsSize() {
    try (Memfd memfd = Memfd.create("gatun-sealed")) {
      memfd.resize(page);
      assertThat(memfd.isSizeSealed()).isFalse();
      memfd.sealSize();
      assertThat(memfd.isSizeSealed()).isTrue();
      for (long size : new long[] {0, page - 1, page + 1, 2 * page}) {
        assertThatThrownBy(() -> memfd.resize(size))
            .hasMessageStartingWith("ftruncate memfd gatun-sealed (fd ")
            .asInstanceOf(type(LinuxException.class))
            .extracting(LinuxException::errno)
            .isEqualTo(Errno.EPERM);
      }
      assertThatThrownBy(memfd::sealSize)
          .asInstanceOf(type(LinuxException.class))
          .extracting(LinuxException::errno)
          .isEqualTo(Errno.EPERM);
      memfd.fd().writeAt(0, 8, 5);
      assertThat(memfd.fd().readAt(0, 8)).isEqualTo(5);
    }
  }

  @Test
  void mappingsOfAMemfdAreTheSameMemory() throws IOException {
    try (Memfd memfd = Memfd.create("gatun-shared")) {
      memfd.resize(page);
      try (Mapping one = memfd.map(page);
          Mapping other = memfd.map(page)) {
        one.segment().set(ValueLayout.JAVA_INT, 8, 0x1234);
        assertThat(other.segment().get(ValueLayout.JAVA_INT, 8)).isEqualTo(0x1234);
        assertThat(Descriptors.mappings("/memfd:gatun-shared")).isNotEmpty();
      }
    }
    assertThat(Descriptors.mappings("/memfd:gatun-shared")).isEmpty();
  }

  @Test
  void aMemfdIsRefusedAfterClose() {
    Memfd memfd = Memfd.create("gatun-closed");
    memfd.close();
    memfd.close();
    assertThatThrownBy(() -> memfd.resize(page)).isInstanceOf(ClosedDescriptorException.class);
    assertThatThrownBy(memfd::sealSize).isInstanceOf(ClosedDescriptorException.class);
    assertThatThrownBy(() -> memfd.map(page)).isInstanceOf(ClosedDescriptorException.class);
  }

  @ParameterizedTest
  @CsvSource({
    "1, NORMAL", "4096, NORMAL", "4097, NORMAL", "1000000, NORMAL",
    "1, HUGE_IF_FREE", "2097151, HUGE_IF_FREE", "2097152, HUGE_IF_FREE", "3000000, HUGE_IF_FREE"
  })
  void memoryIsZeroedInWholePages(long length, Pages pages) {
    try (DmaMemory memory = DmaMemory.allocate(length, pages)) {
      MemorySegment segment = memory.segment();
      assertThat(segment.byteSize())
          .isEqualTo(Math.ceilDiv(length, memory.pageSize()) * memory.pageSize());
      assertThat(segment.address() % memory.pageSize()).isZero();
      assertThat(memory.pageSize()).isIn(page, DmaMemory.hugePageSize());
      assertThat(segment.mismatch(MemorySegment.ofArray(new byte[(int) segment.byteSize()])))
          .isEqualTo(-1);
      segment.fill((byte) 0x5a);
    }
  }

  @Test
  void hugePagesAreTakenIfThereAreEnough() throws IOException {
    long huge = DmaMemory.hugePageSize();
    long free = meminfo("HugePages_Free") - meminfo("HugePages_Rsvd");
    try (DmaMemory memory = DmaMemory.allocate(2 * huge, Pages.HUGE_IF_FREE)) {
      assertThat(memory.pageSize()).isEqualTo(free >= 2 ? huge : page);
    }
  }

  @Test
  void normalPagesAreTakenIfHugeOnesDoNotSuffice() throws IOException {
    long free = meminfo("HugePages_Free");
    assumeTrue(
        free < 64, () -> free + " huge pages are free: to ask for more would fill the memory");
    try (DmaMemory memory =
        DmaMemory.allocate((free + 1) * DmaMemory.hugePageSize(), Pages.HUGE_IF_FREE)) {
      assertThat(memory.pageSize()).isEqualTo(page);
    }
  }

  @Test
  void thePagesArePresent() {
    int pages = 64;
    // Eight bytes for each page, of which bit 63 says that it is there (admin-guide/mm/pagemap).
    try (DmaMemory memory = DmaMemory.allocate(pages * page, Pages.NORMAL);
        Fd pagemap = Fd.open(Path.of("/proc/self/pagemap"), Access.READ)) {
      long first = memory.segment().address() / page;
      for (int i = 0; i < pages; i++) {
        assertThat(pagemap.readAt((first + i) * 8, 8)).as("page %d", i).isNegative();
      }
    }
  }

  @Test
  void lockedMemoryIsCountedByTheKernel() throws IOException {
    long before = Descriptors.status("VmLck");
    try (DmaMemory memory = DmaMemory.allocate(page, Pages.NORMAL)) {
      memory.lock();
      assertThat(Descriptors.status("VmLck")).isEqualTo(before + page);
    }
    assertThat(Descriptors.status("VmLck")).isEqualTo(before);
  }

  @Test
  void moreThanThereIsAndNonsenseAreRefused() throws IOException {
    int before = Descriptors.all().size();
    assertThatThrownBy(() -> DmaMemory.allocate(1L << 50, Pages.HUGE_IF_FREE))
        .asInstanceOf(type(LinuxException.class))
        .extracting(LinuxException::errno)
        .isEqualTo(Errno.ENOMEM);
    assertThatThrownBy(() -> DmaMemory.allocate(Long.MAX_VALUE, Pages.NORMAL))
        .isInstanceOf(ArithmeticException.class);
    assertThatThrownBy(() -> DmaMemory.allocate(0, Pages.NORMAL))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> DmaMemory.allocate(-1, Pages.NORMAL))
        .isInstanceOf(IllegalArgumentException.class);
    assertThat(Descriptors.all()).hasSize(before);
  }

  private static long meminfo(String key) throws IOException {
    return Files.readAllLines(Path.of("/proc/meminfo")).stream()
        .filter(line -> line.startsWith(key + ":"))
        .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
        .findFirst()
        .orElse(0);
  }
}
