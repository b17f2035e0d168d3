package org.gatun.vfio.common;

import static java.lang.foreign.MemoryLayout.PathElement.groupElement;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.StructLayout;
import org.gatun.nativeaccess.Ioctl;

/**
 * The structures, requests and flags of {@code <linux/vfio.h>} that this module uses, all in this
 * one place, by their names there. A test compares each with what the C compiler says of that
 * header.
 *
 * <p>The structures are in the byte order of the machine, which Gatun runs on only where that is
 * little-endian.
 */
public final class Vfio {
  private static final int TYPE = ';';
  private static final int BASE = 100;

  public static final int API_VERSION = 0;
  public static final int TYPE1V2_IOMMU = 3;

  public static final Ioctl GET_API_VERSION = io("VFIO_GET_API_VERSION", 0);
  public static final Ioctl CHECK_EXTENSION = io("VFIO_CHECK_EXTENSION", 1);
  public static final Ioctl SET_IOMMU = io("VFIO_SET_IOMMU", 2);
  public static final Ioctl GROUP_GET_STATUS = io("VFIO_GROUP_GET_STATUS", 3);
  public static final Ioctl GROUP_SET_CONTAINER = io("VFIO_GROUP_SET_CONTAINER", 4);
  public static final Ioctl GROUP_UNSET_CONTAINER = io("VFIO_GROUP_UNSET_CONTAINER", 5);
  public static final Ioctl GROUP_GET_DEVICE_FD = io("VFIO_GROUP_GET_DEVICE_FD", 6);
  public static final Ioctl DEVICE_GET_INFO = io("VFIO_DEVICE_GET_INFO", 7);
  public static final Ioctl DEVICE_GET_REGION_INFO = io("VFIO_DEVICE_GET_REGION_INFO", 8);
  public static final Ioctl DEVICE_GET_IRQ_INFO = io("VFIO_DEVICE_GET_IRQ_INFO", 9);
  public static final Ioctl DEVICE_SET_IRQS = io("VFIO_DEVICE_SET_IRQS", 10);
  public static final Ioctl DEVICE_RESET = io("VFIO_DEVICE_RESET", 11);
  public static final Ioctl IOMMU_GET_INFO = io("VFIO_IOMMU_GET_INFO", 12);
  public static final Ioctl IOMMU_MAP_DMA = io("VFIO_IOMMU_MAP_DMA", 13);
  public static final Ioctl IOMMU_UNMAP_DMA = io("VFIO_IOMMU_UNMAP_DMA", 14);

  public static final int GROUP_FLAGS_VIABLE = 1;

  public static final int DEVICE_FLAGS_RESET = 1;
  public static final int DEVICE_FLAGS_PCI = 1 << 1;

  public static final int REGION_INFO_FLAG_READ = 1;
  public static final int REGION_INFO_FLAG_WRITE = 1 << 1;
  public static final int REGION_INFO_FLAG_MMAP = 1 << 2;
  public static final int REGION_INFO_FLAG_CAPS = 1 << 3;
  public static final int REGION_INFO_CAP_SPARSE_MMAP = 1;

  public static final int PCI_CONFIG_REGION_INDEX = 7;

  public static final int IRQ_INFO_EVENTFD = 1;
  public static final int PCI_INTX_IRQ_INDEX = 0;
  public static final int PCI_MSI_IRQ_INDEX = 1;
  public static final int PCI_MSIX_IRQ_INDEX = 2;
  public static final int PCI_ERR_IRQ_INDEX = 3;
  public static final int PCI_REQ_IRQ_INDEX = 4;

  public static final int IRQ_SET_DATA_NONE = 1;
  public static final int IRQ_SET_DATA_EVENTFD = 1 << 2;
  public static final int IRQ_SET_ACTION_MASK = 1 << 3;
  public static final int IRQ_SET_ACTION_UNMASK = 1 << 4;
  public static final int IRQ_SET_ACTION_TRIGGER = 1 << 5;

  public static final int IOMMU_INFO_PGSIZES = 1;
  public static final int IOMMU_INFO_CAPS = 1 << 1;
  public static final int IOMMU_TYPE1_INFO_CAP_IOVA_RANGE = 1;

  public static final int DMA_MAP_FLAG_READ = 1;
  public static final int DMA_MAP_FLAG_WRITE = 1 << 1;

  public static final StructLayout INFO_CAP_HEADER =
      struct(
          "vfio_info_cap_header",
          JAVA_SHORT.withName("id"),
          JAVA_SHORT.withName("version"),
          JAVA_INT.withName("next"));

  public static final StructLayout GROUP_STATUS =
      struct("vfio_group_status", JAVA_INT.withName("argsz"), JAVA_INT.withName("flags"));

  public static final StructLayout DEVICE_INFO =
      struct(
          "vfio_device_info",
          JAVA_INT.withName("argsz"),
          JAVA_INT.withName("flags"),
          JAVA_INT.withName("num_regions"),
          JAVA_INT.withName("num_irqs"),
          JAVA_INT.withName("cap_offset"));

  public static final StructLayout REGION_INFO =
      struct(
          "vfio_region_info",
          JAVA_INT.withName("argsz"),
          JAVA_INT.withName("flags"),
          JAVA_INT.withName("index"),
          JAVA_INT.withName("cap_offset"),
          JAVA_LONG.withName("size"),
          JAVA_LONG.withName("offset"));

  /** Without its areas, which follow. */
  public static final StructLayout REGION_INFO_CAP_SPARSE =
      struct(
          "vfio_region_info_cap_sparse_mmap",
          INFO_CAP_HEADER.withName("header"),
          JAVA_INT.withName("nr_areas"),
          JAVA_INT.withName("reserved"));

  public static final StructLayout SPARSE_MMAP_AREA =
      struct(
          "vfio_region_sparse_mmap_area", JAVA_LONG.withName("offset"), JAVA_LONG.withName("size"));

  public static final StructLayout IRQ_INFO =
      struct(
          "vfio_irq_info",
          JAVA_INT.withName("argsz"),
          JAVA_INT.withName("flags"),
          JAVA_INT.withName("index"),
          JAVA_INT.withName("count"));

  /** Without its data, which follow. */
  public static final StructLayout IRQ_SET =
      struct(
          "vfio_irq_set",
          JAVA_INT.withName("argsz"),
          JAVA_INT.withName("flags"),
          JAVA_INT.withName("index"),
          JAVA_INT.withName("start"),
          JAVA_INT.withName("count"));

  /**
   * The compiler pads this one at its end; older kernels have no {@code cap_offset} and write less.
   */
  public static final StructLayout IOMMU_TYPE1_INFO =
      struct(
          "vfio_iommu_type1_info",
          JAVA_INT.withName("argsz"),
          JAVA_INT.withName("flags"),
          JAVA_LONG.withName("iova_pgsizes"),
          JAVA_INT.withName("cap_offset"),
          MemoryLayout.paddingLayout(4));

  /** Without its ranges, which follow. */
  public static final StructLayout IOVA_RANGE_CAP =
      struct(
          "vfio_iommu_type1_info_cap_iova_range",
          INFO_CAP_HEADER.withName("header"),
          JAVA_INT.withName("nr_iovas"),
          JAVA_INT.withName("reserved"));

  public static final StructLayout IOVA_RANGE =
      struct("vfio_iova_range", JAVA_LONG.withName("start"), JAVA_LONG.withName("end"));

  public static final StructLayout DMA_MAP =
      struct(
          "vfio_iommu_type1_dma_map",
          JAVA_INT.withName("argsz"),
          JAVA_INT.withName("flags"),
          JAVA_LONG.withName("vaddr"),
          JAVA_LONG.withName("iova"),
          JAVA_LONG.withName("size"));

  public static final StructLayout DMA_UNMAP =
      struct(
          "vfio_iommu_type1_dma_unmap",
          JAVA_INT.withName("argsz"),
          JAVA_INT.withName("flags"),
          JAVA_LONG.withName("iova"),
          JAVA_LONG.withName("size"));

  private Vfio() {}

  /** Where a field of a structure is, in bytes. */
  public static long offset(StructLayout layout, String field) {
    return layout.byteOffset(groupElement(field));
  }

  private static Ioctl io(String name, int number) {
    return Ioctl.io(name, TYPE, BASE + number);
  }

  private static StructLayout struct(String name, MemoryLayout... fields) {
    return MemoryLayout.structLayout(fields).withName(name);
  }
}
