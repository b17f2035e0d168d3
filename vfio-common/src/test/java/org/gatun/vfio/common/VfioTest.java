package org.gatun.vfio.common;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;

import java.io.IOException;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.StructLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.gatun.nativeaccess.Ioctl;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What we say of VFIO's binary interface is what the C compiler says of the kernel's header. */
class VfioTest {
  @TempDir Path directory;

  @Test
  void structures() throws Exception {
    Map<String, Long> ours = new LinkedHashMap<>();
    for (StructLayout struct :
        List.of(
            Vfio.INFO_CAP_HEADER,
            Vfio.GROUP_STATUS,
            Vfio.DEVICE_INFO,
            Vfio.REGION_INFO,
            Vfio.REGION_INFO_CAP_SPARSE,
            Vfio.SPARSE_MMAP_AREA,
            Vfio.IRQ_INFO,
            Vfio.IRQ_SET,
            Vfio.IOMMU_TYPE1_INFO,
            Vfio.IOVA_RANGE_CAP,
            Vfio.IOVA_RANGE,
            Vfio.DMA_MAP,
            Vfio.DMA_UNMAP)) {
      String type = "struct " + struct.name().orElseThrow();
      ours.put("sizeof(%s)".formatted(type), struct.byteSize());
      for (MemoryLayout member : struct.memberLayouts()) {
        member
            .name()
            .ifPresent(
                name -> {
                  ours.put("offsetof(%s, %s)".formatted(type, name), Vfio.offset(struct, name));
                  ours.put("sizeof(((%s *) 0)->%s)".formatted(type, name), member.byteSize());
                });
      }
    }
    // What follows a structure begins where it ends.
    ours.put("offsetof(struct vfio_irq_set, data)", Vfio.IRQ_SET.byteSize());
    ours.put(
        "offsetof(struct vfio_region_info_cap_sparse_mmap, areas)",
        Vfio.REGION_INFO_CAP_SPARSE.byteSize());
    ours.put(
        "offsetof(struct vfio_iommu_type1_info_cap_iova_range, iova_ranges)",
        Vfio.IOVA_RANGE_CAP.byteSize());
    assertSameInC(ours);
  }

  @Test
  void requests() throws Exception {
    Map<String, Long> ours = new LinkedHashMap<>();
    for (Ioctl request :
        List.of(
            Vfio.GET_API_VERSION,
            Vfio.CHECK_EXTENSION,
            Vfio.SET_IOMMU,
            Vfio.GROUP_GET_STATUS,
            Vfio.GROUP_SET_CONTAINER,
            Vfio.GROUP_UNSET_CONTAINER,
            Vfio.GROUP_GET_DEVICE_FD,
            Vfio.DEVICE_GET_INFO,
            Vfio.DEVICE_GET_REGION_INFO,
            Vfio.DEVICE_GET_IRQ_INFO,
            Vfio.DEVICE_SET_IRQS,
            Vfio.DEVICE_RESET,
            Vfio.IOMMU_GET_INFO,
            Vfio.IOMMU_MAP_DMA,
            Vfio.IOMMU_UNMAP_DMA)) {
      ours.put(request.name(), request.number());
    }
    assertSameInC(ours);
  }

  @Test
  void constants() throws Exception {
    Map<String, Long> ours = new LinkedHashMap<>();
    ours.put("VFIO_API_VERSION", (long) Vfio.API_VERSION);
    ours.put("VFIO_TYPE1v2_IOMMU", (long) Vfio.TYPE1V2_IOMMU);
    ours.put("VFIO_GROUP_FLAGS_VIABLE", (long) Vfio.GROUP_FLAGS_VIABLE);
    ours.put("VFIO_DEVICE_FLAGS_RESET", (long) Vfio.DEVICE_FLAGS_RESET);
    ours.put("VFIO_DEVICE_FLAGS_PCI", (long) Vfio.DEVICE_FLAGS_PCI);
    ours.put("VFIO_REGION_INFO_FLAG_READ", (long) Vfio.REGION_INFO_FLAG_READ);
    ours.put("VFIO_REGION_INFO_FLAG_WRITE", (long) Vfio.REGION_INFO_FLAG_WRITE);
    ours.put("VFIO_REGION_INFO_FLAG_MMAP", (long) Vfio.REGION_INFO_FLAG_MMAP);
    ours.put("VFIO_REGION_INFO_FLAG_CAPS", (long) Vfio.REGION_INFO_FLAG_CAPS);
    ours.put("VFIO_REGION_INFO_CAP_SPARSE_MMAP", (long) Vfio.REGION_INFO_CAP_SPARSE_MMAP);
    ours.put("VFIO_PCI_BAR0_REGION_INDEX", 0L);
    ours.put("VFIO_PCI_CONFIG_REGION_INDEX", (long) Vfio.PCI_CONFIG_REGION_INDEX);
    ours.put("VFIO_IRQ_INFO_EVENTFD", (long) Vfio.IRQ_INFO_EVENTFD);
    ours.put("VFIO_PCI_INTX_IRQ_INDEX", (long) Vfio.PCI_INTX_IRQ_INDEX);
    ours.put("VFIO_PCI_MSI_IRQ_INDEX", (long) Vfio.PCI_MSI_IRQ_INDEX);
    ours.put("VFIO_PCI_MSIX_IRQ_INDEX", (long) Vfio.PCI_MSIX_IRQ_INDEX);
    ours.put("VFIO_PCI_ERR_IRQ_INDEX", (long) Vfio.PCI_ERR_IRQ_INDEX);
    ours.put("VFIO_PCI_REQ_IRQ_INDEX", (long) Vfio.PCI_REQ_IRQ_INDEX);
    ours.put("VFIO_IRQ_SET_DATA_NONE", (long) Vfio.IRQ_SET_DATA_NONE);
    ours.put("VFIO_IRQ_SET_DATA_EVENTFD", (long) Vfio.IRQ_SET_DATA_EVENTFD);
    ours.put("VFIO_IRQ_SET_ACTION_MASK", (long) Vfio.IRQ_SET_ACTION_MASK);
    ours.put("VFIO_IRQ_SET_ACTION_UNMASK", (long) Vfio.IRQ_SET_ACTION_UNMASK);
    ours.put("VFIO_IRQ_SET_ACTION_TRIGGER", (long) Vfio.IRQ_SET_ACTION_TRIGGER);
    ours.put("VFIO_IOMMU_INFO_PGSIZES", (long) Vfio.IOMMU_INFO_PGSIZES);
    ours.put("VFIO_IOMMU_INFO_CAPS", (long) Vfio.IOMMU_INFO_CAPS);
    ours.put("VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE", (long) Vfio.IOMMU_TYPE1_INFO_CAP_IOVA_RANGE);
    ours.put("VFIO_DMA_MAP_FLAG_READ", (long) Vfio.DMA_MAP_FLAG_READ);
    ours.put("VFIO_DMA_MAP_FLAG_WRITE", (long) Vfio.DMA_MAP_FLAG_WRITE);
    assertSameInC(ours);
  }

  private void assertSameInC(Map<String, Long> ours) throws IOException, InterruptedException {
    List<String> expressions = new ArrayList<>(ours.keySet());
    StringBuilder source =
        new StringBuilder(
            """
            #include <linux/vfio.h>
            #include <stddef.h>
            #include <stdio.h>
            int main(void) {
            """);
    for (String expression : expressions) {
      source.append("  printf(\"%ld\\n\", (long) (").append(expression).append("));\n");
    }
    source.append("}\n");
    Path file = Files.writeString(directory.resolve("values.c"), source);
    Path program = directory.resolve("values");
    try {
      run("gcc", "-o", program.toString(), file.toString());
    } catch (IOException e) {
      abort("no C compiler: apt-get install gcc libc6-dev linux-libc-dev (" + e.getMessage() + ")");
    }
    List<String> lines = run(program.toString()).lines().toList();
    Map<String, Long> theirs = new LinkedHashMap<>();
    for (int i = 0; i < lines.size(); i++) {
      theirs.put(expressions.get(i), Long.parseLong(lines.get(i)));
    }
    assertThat(theirs).isEqualTo(ours);
  }

  private static String run(String... command) throws IOException, InterruptedException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(output).isZero();
    return output;
  }
}
