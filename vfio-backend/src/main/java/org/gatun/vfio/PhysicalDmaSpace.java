package org.gatun.vfio;

import java.lang.System.Logger.Level;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.gatun.nativeaccess.ClosedDescriptorException;
import org.gatun.nativeaccess.DmaMemory;
import org.gatun.nativeaccess.Errno;
import org.gatun.nativeaccess.LinuxException;
import org.gatun.nativeaccess.Mapping;
import org.gatun.nativeaccess.Memfd;
import org.gatun.nativeaccess.PageMap;
import org.gatun.pci.BusRange;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.DmaException;
import org.gatun.pci.DmaSpace;
import org.gatun.pci.spi.CallersMemory;
import org.gatun.pci.spi.ResourceTracker;
import org.gatun.vfio.common.BusAddressAllocator;
import org.jspecify.annotations.Nullable;

/**
 * The DMA memory of a device that no IOMMU confines: its bus addresses are physical ones.
 *
 * <p>The memory is of huge pages, which the kernel neither swaps out nor moves in the normal course
 * of events, while it moves small ones even if they are locked. A buffer lies inside one of them.
 * Small buffers share one. What was taken goes back to the kernel only when the device was stopped:
 * closing a buffer makes its memory free for other buffers of this device, no more.
 */
final class PhysicalDmaSpace implements DmaSpace {
  private static final System.Logger LOG = System.getLogger(PhysicalDmaSpace.class.getName());
  private static final int MIN_BITS = 12;

  /** What x86-64 and AArch64 can have at most. */
  private static final int PHYSICAL_BITS = 52;

  private static final String GET_HUGE_PAGES = "run 'echo 64 >/proc/sys/vm/nr_hugepages' as root";

  /** Pages of devices that could not be stopped: never to be freed, so held for good. */
  private static final Queue<HugePage> KEPT = new ConcurrentLinkedQueue<>();

  private final DeviceName device;
  private final ResourceTracker tracker;
  private final long pageSize = Mapping.pageSize();
  private final List<HugePage> pages = new ArrayList<>();
  private long limit = -1; // the highest address, unsigned
  private boolean closed;

  /** A huge page that the device may reach. */
  private static final class HugePage {
    final Memfd file;

    /** Keeps it present; the buffers have mappings of their own, which end with them. */
    final Mapping mapping;

    final long address;
    final BusAddressAllocator free;

    HugePage(Memfd file, Mapping mapping, long address, long pageSize) {
      this.file = file;
      this.mapping = mapping;
      this.address = address;
      this.free =
          new BusAddressAllocator(
              List.of(new BusRange(address, address + mapping.segment().byteSize() - 1)), pageSize);
    }

    void close() {
      mapping.close();
      file.close();
    }
  }

  PhysicalDmaSpace(DeviceName device, ResourceTracker tracker) {
    this.device = device;
    this.tracker = tracker;
  }

  /**
   * At most a huge page, since memory is contiguous only inside one.
   *
   * @throws DmaException also for more than that, without free huge pages, or without the privilege
   *     to know where they are
   */
  @Override
  public DmaBuffer allocate(long size, long alignment) {
    if (size <= 0) {
      throw new IllegalArgumentException(device + ": no DMA buffer of " + size + " bytes");
    }
    if (alignment <= 0 || Long.bitCount(alignment) != 1) {
      throw new IllegalArgumentException(
          device + ": alignment " + alignment + " is not a power of two");
    }
    long huge = DmaMemory.hugePageSize();
    if (size > Math.max(huge, pageSize)) {
      throw failure(
          "can't allocate 0x%x bytes: without an IOMMU memory is contiguous only inside a huge page, 0x%x bytes"
              .formatted(size, huge),
          "use several buffers",
          null);
    }
    long rounded = Math.ceilDiv(size, pageSize) * pageSize;
    Allocation allocation = take(rounded, Math.max(alignment, pageSize));
    boolean done = false;
    try {
      DmaBuffer buffer = allocation.buffer();
      done = true;
      return buffer;
    } catch (ClosedDescriptorException e) {
      throw new DeviceGoneException(device, "allocate DMA memory", e);
    } catch (LinuxException e) {
      throw failure("can't map 0x%x bytes: %s".formatted(rounded, e.getMessage()), null, e);
    } finally {
      if (!done) {
        allocation.end();
      }
    }
  }

  @Override
  public DmaBuffer map(MemorySegment memory, DmaDirection direction) {
    CallersMemory.check(device, memory, pageSize, direction);
    throw callersMemory();
  }

  @Override
  public DmaBuffer mapAt(long busAddress, MemorySegment memory, DmaDirection direction) {
    CallersMemory.check(device, memory, pageSize, direction);
    throw callersMemory();
  }

  @Override
  public List<BusRange> usableRanges() {
    return List.of(new BusRange(0, (1L << PHYSICAL_BITS) - 1));
  }

  @Override
  public synchronized void limitTo(int bits) {
    if (bits < MIN_BITS || bits > Long.SIZE) {
      throw new IllegalArgumentException(device + ": no device drives " + bits + " address bits");
    }
    limit = -1L >>> (Long.SIZE - bits);
  }

  /**
   * Gives all memory back, after all buffers were closed.
   *
   * @param stopped whether the device does no more DMA; if not, its memory is kept for good
   */
  synchronized void close(boolean stopped) {
    closed = true;
    if (stopped) {
      pages.forEach(HugePage::close);
    } else if (!pages.isEmpty()) {
      KEPT.addAll(pages);
      LOG.log(
          Level.ERROR,
          "%s: could not be stopped, so its %d huge pages are never freed"
              .formatted(device, pages.size()));
    }
    pages.clear();
  }

  private synchronized Allocation take(long size, long alignment) {
    if (closed) {
      throw new DeviceGoneException(device, "allocate DMA memory", null);
    }
    if (Long.compareUnsigned(size - 1, limit) > 0) {
      throw outOfReach(size, 0);
    }
    for (HugePage page : pages) {
      Optional<Allocation> allocation = take(page, size, alignment);
      if (allocation.isPresent()) {
        return allocation.get();
      }
    }
    // Nobody chooses where a huge page is, so those that are out of reach are held until one fits.
    List<HugePage> unfit = new ArrayList<>();
    try {
      while (true) {
        HugePage page = newPage(size, unfit.size());
        Optional<Allocation> allocation = take(page, size, alignment);
        if (allocation.isPresent()) {
          pages.add(page);
          return allocation.get();
        }
        // Many of them would be many descriptors; the mapping alone holds the page.
        page.file.close();
        unfit.add(page);
      }
    } finally {
      // The device never heard of these.
      unfit.forEach(HugePage::close);
    }
  }

  private Optional<Allocation> take(HugePage page, long size, long alignment) {
    OptionalLong address = page.free.allocate(size, alignment, limit);
    return address.isPresent()
        ? Optional.of(new Allocation(page, address.getAsLong(), size))
        : Optional.empty();
  }

  /**
   * @param unfit how many were taken in vain
   */
  private HugePage newPage(long size, int unfit) {
    Memfd file = null;
    Mapping mapping = null;
    HugePage page = null;
    try {
      long huge = DmaMemory.hugePageSize();
      file = Memfd.createHuge("gatun " + device);
      file.resize(huge);
      mapping = file.map(huge);
      mapping.populate();
      page =
          new HugePage(
              file,
              mapping,
              PageMap.physicalAddress(mapping.segment())
                  .orElseThrow(
                      () ->
                          failure(
                              "the kernel hides physical addresses from this process",
                              "run as root, with CAP_SYS_ADMIN",
                              null)),
              pageSize);
      return page;
    } catch (LinuxException e) {
      if (e.errno() == Errno.ENOMEM && unfit > 0) {
        throw outOfReach(size, unfit);
      }
      throw failure(
          "no huge page is free, and without an IOMMU DMA takes one, since it stays where it is: "
              + e.getMessage(),
          GET_HUGE_PAGES,
          e);
    } finally {
      if (page == null) {
        if (mapping != null) {
          mapping.close();
        }
        if (file != null) {
          file.close();
        }
      }
    }
  }

  private DmaException outOfReach(long size, int unfit) {
    return failure(
        "it drives addresses up to 0x%x, and there is no huge page for 0x%x bytes below, among %d"
            .formatted(limit, size, pages.size() + unfit),
        "take huge pages early after boot, or with 'hugepages=64' on the kernel's command line",
        null);
  }

  private DmaException callersMemory() {
    return failure(
        "without an IOMMU it can't reach memory of the caller's, which is scattered and may move",
        "allocate a buffer, and copy",
        null);
  }

  private DmaException failure(String problem, @Nullable String remedy, @Nullable Exception cause) {
    return new DmaException(device, problem, remedy, cause);
  }

  /** A part of a huge page, from being taken to being free again. */
  private final class Allocation {
    private final HugePage page;
    private final long address;
    private final long size;
    private @Nullable Mapping mapping;
    private boolean ended;

    Allocation(HugePage page, long address, long size) {
      this.page = page;
      this.address = address;
      this.size = size;
    }

    synchronized DmaBuffer buffer() {
      Mapping own = page.file.map(page.mapping.segment().byteSize());
      mapping = own;
      MemorySegment segment = own.segment().asSlice(address - page.address, size).fill((byte) 0);
      tracker.add(this, new ResourceTracker.Resource.Buffer(size), this::end);
      return new DmaBuffer(device, segment, address, this::end);
    }

    synchronized void end() {
      if (ended) {
        return;
      }
      ended = true;
      try {
        Mapping own = mapping;
        if (own != null) {
          own.close();
        }
        synchronized (PhysicalDmaSpace.this) {
          page.free.release(address, size);
        }
      } catch (IllegalStateException e) {
        // A native call is just using it: it is not used again.
        LOG.log(Level.WARNING, device + ": a DMA buffer is still in use: " + e.getMessage());
      } finally {
        tracker.remove(this);
      }
    }
  }
}
