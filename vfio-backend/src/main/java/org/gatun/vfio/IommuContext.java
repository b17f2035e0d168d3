package org.gatun.vfio;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.gatun.nativeaccess.Access;
import org.gatun.nativeaccess.Errno;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.HeldFds;
import org.gatun.nativeaccess.LinuxException;
import org.gatun.nativeaccess.Mapping;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.PciAddress;
import org.gatun.pci.TimeSource;
import org.gatun.vfio.common.Vfio;
import org.gatun.vfio.sysfs.IommuGroup;
import org.gatun.vfio.sysfs.Sysfs;

/**
 * An address space of the IOMMU with one group of devices in it: what VFIO calls a container, and
 * the group. (A container with two groups is one address space for both, so each group gets its
 * own.) Nothing else knows of containers and groups: iommufd, which has neither, can take their
 * place here.
 */
final class IommuContext implements DmaDomain.Mapper, AutoCloseable {
  /**
   * What a child takes at most until it executes its program: a second was not enough on an
   * emulated machine that was busy.
   */
  private static final Duration CHILD = Duration.ofSeconds(5);

  private static final Duration LOOK = Duration.ofMillis(10);

  private final Fd container;
  private final Fd group;
  private final IommuInfo info;

  private IommuContext(Fd container, Fd group, IommuInfo info) {
    this.container = container;
    this.group = group;
    this.info = info;
  }

  /**
   * Opens a group of its own.
   *
   * @param device for whom, for messages
   * @throws org.gatun.pci.DeviceUnavailableException saying why, and what to do
   */
  static IommuContext open(DeviceName device, IommuGroup iommuGroup, Sysfs sysfs) {
    OpenFailures failures = new OpenFailures(device, iommuGroup, sysfs);
    Fd container = null;
    Fd group = null;
    try {
      container = openContainer(failures, sysfs.vfioNode());
      group = openGroup(failures, sysfs.vfioNode(iommuGroup.number()));
      attach(failures, container, group);
      IommuContext context =
          new IommuContext(container, group, IommuInfo.query(container, Mapping.pageSize()));
      container = null;
      group = null;
      return context;
    } catch (LinuxException e) {
      throw failures.unexpected(e);
    } finally {
      if (group != null) {
        group.close();
      }
      if (container != null) {
        container.close();
      }
    }
  }

  private static Fd openContainer(OpenFailures failures, Path node) {
    Fd container;
    try {
      container = Fd.open(node, Access.READ_WRITE);
    } catch (LinuxException e) {
      throw failures.container(node, e);
    }
    boolean usable = false;
    try {
      int version = container.ioctl(Vfio.GET_API_VERSION);
      if (version != Vfio.API_VERSION) {
        throw failures.version(version);
      }
      if (container.ioctl(Vfio.CHECK_EXTENSION, Vfio.TYPE1V2_IOMMU) == 0) {
        throw failures.noType1();
      }
      usable = true;
      return container;
    } finally {
      if (!usable) {
        container.close();
      }
    }
  }

  private static Fd openGroup(OpenFailures failures, Path node) {
    try {
      return outlastingChildren(
          () -> Fd.open(node, Access.READ_WRITE), () -> failures.isHeldByNobody(node));
    } catch (LinuxException e) {
      throw failures.group(node, e);
    }
  }

  /**
   * A process that is being started has all descriptors of its parent until it executes a program
   * (close-on-exec): if this process starts one while it closes a group or a device, that is in use
   * for some milliseconds more, by nobody who can be named.
   *
   * @param mayBeChild whether it may be such a process that keeps the call from being done
   */
  private static <T> T outlastingChildren(Supplier<T> call, BooleanSupplier mayBeChild) {
    long begin = System.nanoTime();
    while (true) {
      try {
        return call.get();
      } catch (LinuxException e) {
        boolean mayPass =
            e.errno() == Errno.EBUSY
                && System.nanoTime() - begin < CHILD.toNanos()
                && mayBeChild.getAsBoolean();
        if (!mayPass) {
          throw e;
        }
        TimeSource.system().sleep(LOOK);
      }
    }
  }

  private static void attach(OpenFailures failures, Fd container, Fd group) {
    try (Arena arena = Arena.ofConfined();
        HeldFds held = HeldFds.of(container)) {
      MemorySegment status = arena.allocate(Vfio.GROUP_STATUS);
      status.set(JAVA_INT, 0, (int) Vfio.GROUP_STATUS.byteSize());
      group.ioctl(Vfio.GROUP_GET_STATUS, status);
      int flags = status.get(JAVA_INT, Vfio.offset(Vfio.GROUP_STATUS, "flags"));
      if ((flags & Vfio.GROUP_FLAGS_VIABLE) == 0) {
        throw failures.notViable();
      }
      MemorySegment number = arena.allocate(JAVA_INT);
      number.set(JAVA_INT, 0, held.number(0));
      group.ioctl(Vfio.GROUP_SET_CONTAINER, number);
    }
    try {
      container.ioctl(Vfio.SET_IOMMU, Vfio.TYPE1V2_IOMMU);
    } catch (LinuxException e) {
      throw failures.setIommu(e);
    }
  }

  /** What the IOMMU can do. */
  IommuInfo info() {
    return info;
  }

  /** Opens a device of the group. */
  Fd openDevice(PciAddress address) {
    try (Arena arena = Arena.ofConfined()) {
      return group.ioctlForFd(
          Vfio.GROUP_GET_DEVICE_FD,
          arena.allocateFrom(address.toString()),
          "VFIO device " + address);
    }
  }

  /**
   * Pins memory and makes it reachable.
   *
   * @param address of the memory in this process
   * @throws LinuxException if the kernel refuses
   */
  @Override
  public void map(long busAddress, long address, long size, DmaDirection direction) {
    int flags =
        switch (direction) {
          case TO_DEVICE -> Vfio.DMA_MAP_FLAG_READ;
          case FROM_DEVICE -> Vfio.DMA_MAP_FLAG_WRITE;
          case BIDIRECTIONAL -> Vfio.DMA_MAP_FLAG_READ | Vfio.DMA_MAP_FLAG_WRITE;
        };
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment map = arena.allocate(Vfio.DMA_MAP);
      map.set(JAVA_INT, Vfio.offset(Vfio.DMA_MAP, "argsz"), (int) Vfio.DMA_MAP.byteSize());
      map.set(JAVA_INT, Vfio.offset(Vfio.DMA_MAP, "flags"), flags);
      map.set(JAVA_LONG, Vfio.offset(Vfio.DMA_MAP, "vaddr"), address);
      map.set(JAVA_LONG, Vfio.offset(Vfio.DMA_MAP, "iova"), busAddress);
      map.set(JAVA_LONG, Vfio.offset(Vfio.DMA_MAP, "size"), size);
      container.ioctl(Vfio.IOMMU_MAP_DMA, map);
    }
  }

  /**
   * Takes from the device what was mapped at once.
   *
   * @return how many bytes were unmapped
   * @throws LinuxException if the kernel refuses
   */
  @Override
  public long unmap(long busAddress, long size) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment unmap = arena.allocate(Vfio.DMA_UNMAP);
      unmap.set(JAVA_INT, Vfio.offset(Vfio.DMA_UNMAP, "argsz"), (int) Vfio.DMA_UNMAP.byteSize());
      unmap.set(JAVA_LONG, Vfio.offset(Vfio.DMA_UNMAP, "iova"), busAddress);
      unmap.set(JAVA_LONG, Vfio.offset(Vfio.DMA_UNMAP, "size"), size);
      container.ioctl(Vfio.IOMMU_UNMAP_DMA, unmap);
      return unmap.get(JAVA_LONG, Vfio.offset(Vfio.DMA_UNMAP, "size"));
    }
  }

  /**
   * Takes the group out of the address space, which the kernel allows only if nobody has one of its
   * devices: any process with a descriptor, or with a mapping of a BAR, keeps it from that.
   *
   * @return empty if nobody has; else why that is not proven
   */
  Optional<String> detach() {
    try {
      // Who has it, the kernel does not say.
      outlastingChildren(() -> group.ioctl(Vfio.GROUP_UNSET_CONTAINER), () -> true);
      return Optional.empty();
    } catch (LinuxException e) {
      return switch (e.errno()) {
        case EBUSY ->
            Optional.of(
                "a process still has a descriptor or a mapping of it: the kernel does not let go"
                    + " of its IOMMU group");
        // The group is in no address space any more: its last device was unbound from VFIO, and for
        // that the kernel has waited until nobody had it.
        case EINVAL -> Optional.empty();
        default ->
            Optional.of("the kernel does not say whether somebody has it: " + e.getMessage());
      };
    }
  }

  /** The devices are closed already. */
  @Override
  public void close() {
    try {
      group.close();
    } finally {
      container.close();
    }
  }
}
