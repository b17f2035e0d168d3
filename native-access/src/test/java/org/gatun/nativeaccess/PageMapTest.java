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
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

class PageMapTest {
  private final long page = Mapping.pageSize();

  @Test
  void twoMappingsOfOnePageAreAtOnePhysicalAddress() {
    try (Memfd memfd = Memfd.create("gatun-physical")) {
      memfd.resize(2 * page);
      try (Mapping one = memfd.map(2 * page);
          Mapping other = memfd.map(2 * page)) {
        one.populate();
        other.populate();
        OptionalLong address = PageMap.physicalAddress(one.segment());
        assumeTrue(address.isPresent(), "the kernel tells physical addresses to CAP_SYS_ADMIN");

        assertThat(address.getAsLong() % page).isZero();
        assertThat(PageMap.physicalAddress(other.segment())).isEqualTo(address);
        assertThat(PageMap.physicalAddress(one.segment().asSlice(24, 8)))
            .hasValue(address.getAsLong() + 24);
        assertThat(PageMap.physicalAddress(one.segment().asSlice(page))).isNotEqualTo(address);
      }
    }
  }

  @Test
  void aPageThatIsNotThereHasNoAddress() {
    try (Memfd memfd = Memfd.create("gatun-absent")) {
      memfd.resize(page);
      try (Mapping mapping = memfd.map(page)) {
        assertThat(PageMap.physicalAddress(mapping.segment())).isEmpty();
      }
    }
    assertThat(PageMap.physicalAddress(MemorySegment.NULL)).isEmpty();
  }

  @Test
  void aHugePageIsContiguousAndIsKeptByItsFile() throws IOException {
    long huge = DmaMemory.hugePageSize();
    try (Memfd memfd = Memfd.createHuge("gatun-huge")) {
      memfd.resize(huge);
      if (meminfo("HugePages_Free") - meminfo("HugePages_Rsvd") < 1) {
        assertThatThrownBy(() -> memfd.map(huge))
            .asInstanceOf(type(LinuxException.class))
            .extracting(LinuxException::errno)
            .isEqualTo(Errno.ENOMEM);
        return;
      }
      OptionalLong address;
      try (Mapping mapping = memfd.map(huge)) {
        mapping.populate();
        address = PageMap.physicalAddress(mapping.segment());
        assumeTrue(address.isPresent(), "the kernel tells physical addresses to CAP_SYS_ADMIN");
        assertThat(address.getAsLong() % huge).isZero();
        assertThat(PageMap.physicalAddress(mapping.segment().asSlice(huge - page)))
            .hasValue(address.getAsLong() + huge - page);
        mapping.segment().set(ValueLayout.JAVA_INT, 4096, 0x1234);
      }
      try (Mapping again = memfd.map(huge)) {
        assertThat(again.segment().get(ValueLayout.JAVA_INT, 4096)).isEqualTo(0x1234);
        assertThat(PageMap.physicalAddress(again.segment())).isEqualTo(address);
      }
    }
  }

  private static long meminfo(String key) throws IOException {
    return Files.readAllLines(Path.of("/proc/meminfo")).stream()
        .filter(line -> line.startsWith(key + ":"))
        .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
        .findFirst()
        .orElse(0);
  }
}
