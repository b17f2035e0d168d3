package org.gatun.vmtests.machine;

import java.nio.file.Path;
import java.util.List;

/** A PCI device that QEMU emulates. Its id names it to the tests inside. */
public sealed interface TestDevice {
  /** Letters, digits and hyphens; unique in its machine. */
  String id();

  Place place();

  enum Place {
    /**
     * Behind a root port of its own: it can be reset through its bus, and is alone in its IOMMU
     * group.
     */
    ROOT_PORT,
    /** On the root bus: no bus reset. */
    ROOT_BUS
  }

  /** QEMU's educational device, 1234:11e8. */
  record Edu(String id, Place place) implements TestDevice {}

  /** Intel's 82574L network card, 8086:10d3. */
  record E1000e(String id, Place place) implements TestDevice {}

  /**
   * Virtio's source of random numbers, 1af4:1044, without the interface of old, its DMA behind the
   * IOMMU. It has vendor-specific capabilities, and ATS.
   */
  record VirtioRng(String id, Place place) implements TestDevice {}

  /**
   * Virtio's disk, 1af4:1042, as {@link VirtioRng}; its serial number is its id.
   *
   * @param image a raw image; its size is a multiple of the block size
   * @param blockSize in bytes: 512 or 4096
   */
  record VirtioBlk(String id, Place place, Path image, int blockSize) implements TestDevice {}

  /**
   * Virtio's network card, 1af4:1041, as {@link VirtioRng}.
   *
   * @param hub the cards of one number hear each other
   */
  record VirtioNet(String id, Place place, int hub) implements TestDevice {}

  /**
   * A serial port, 1b36:0002.
   *
   * @param cable a Unix socket that QEMU makes: the two ports that name it hear each other
   */
  record Serial(String id, Place place, Path cable) implements TestDevice {}

  /**
   * An NVMe controller; its serial number is its id. Namespaces are numbered from 1.
   *
   * @param mdts the longest transfer of a command is 4 KiB &lt;&lt; mdts. QEMU takes 1024 pages at
   *     most: 10
   */
  record Nvme(String id, Place place, List<Namespace> namespaces, int mdts) implements TestDevice {
    private static final int QEMUS_MDTS = 7;

    public Nvme {
      namespaces = List.copyOf(namespaces);
    }

    /** One with transfers of 512 KiB at most, QEMU's default. */
    public Nvme(String id, Place place, List<Namespace> namespaces) {
      this(id, place, namespaces, QEMUS_MDTS);
    }
  }

  /**
   * An NVMe controller behind a root port, with one namespace of which reads and writes fail as a
   * configuration of QEMU's blkdebug says (QEMU, docs/devel/testing/blkdebug.rst). Its serial
   * number is its id. What is plugged in again has {@code drive=ID-drive,bus=ID-port}.
   *
   * @param image a raw image; its size is a multiple of the block size
   * @param blockSize in bytes: 512 or 4096
   * @param blkdebug the configuration
   */
  record FailingNvme(String id, Path image, int blockSize, Path blkdebug) implements TestDevice {
    @Override
    public Place place() {
      return Place.ROOT_PORT;
    }
  }

  /**
   * A device that another program serves over vfio-user: QEMU connects when it starts, and ends if
   * it can't. Only with a QEMU of {@link Host#findWithVfioUser}.
   *
   * @param socket the server's Unix socket, which listens already
   */
  record VfioUser(String id, Place place, Path socket) implements TestDevice {}

  /**
   * A namespace of an NVMe controller.
   *
   * @param image a raw image; its size is a multiple of the block size
   * @param blockSize in bytes: 512 or 4096
   */
  record Namespace(Path image, int blockSize) {}
}
