package org.gatun.vmtests.machine;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.gatun.vmtests.machine.TestDevice.E1000e;
import org.gatun.vmtests.machine.TestDevice.Edu;
import org.gatun.vmtests.machine.TestDevice.FailingNvme;
import org.gatun.vmtests.machine.TestDevice.Namespace;
import org.gatun.vmtests.machine.TestDevice.Nvme;
import org.gatun.vmtests.machine.TestDevice.Place;
import org.gatun.vmtests.machine.TestDevice.Serial;
import org.gatun.vmtests.machine.TestDevice.VfioUser;
import org.gatun.vmtests.machine.TestDevice.VirtioBlk;
import org.gatun.vmtests.machine.TestDevice.VirtioNet;
import org.gatun.vmtests.machine.TestDevice.VirtioRng;

/**
 * Which device sits where. The firmware numbers the buses behind root ports in the order of the
 * ports' slots.
 */
final class PciLayout {
  /** Slots 0 to 3 are the host bridge, the IOMMU and the two 9p shares; 31 is the chipset's. */
  private static final int FIRST_PORT_SLOT = 0x04;

  private static final int FIRST_ROOT_BUS_SLOT = 0x10;
  private static final int ROOT_BUS_SLOTS_END = 0x1f;

  private final List<String> arguments = new ArrayList<>();
  private final Map<String, String> addresses = new LinkedHashMap<>();
  private final Set<Path> cables = new HashSet<>();
  private boolean memoryIsShared;
  private int nextPort;
  private int nextRootBusSlot = FIRST_ROOT_BUS_SLOT;

  PciLayout(List<TestDevice> devices) {
    for (TestDevice device : devices) {
      add(device);
    }
  }

  /** QEMU's command-line arguments for all devices. */
  List<String> arguments() {
    return List.copyOf(arguments);
  }

  /**
   * QEMU's command-line arguments for the machine itself and its memory. What serves a device of
   * this machine maps the memory, so it is a file then.
   *
   * @param size with a suffix, {@code 2G}
   */
  List<String> machine(String type, String size) {
    return memoryIsShared
        ? List.of(
            "-object",
            "memory-backend-memfd,id=memory,share=on,size=" + size,
            "-machine",
            type + ",memory-backend=memory",
            "-m",
            size)
        : List.of("-machine", type, "-m", size);
  }

  /** The address of each device, {@code 0000:01:00.0}, by its id, in the order of the devices. */
  Map<String, String> addresses() {
    return Collections.unmodifiableMap(addresses);
  }

  private void add(TestDevice device) {
    String id = device.id();
    if (!id.matches("[A-Za-z][A-Za-z0-9-]*") || addresses.containsKey(id)) {
      throw new IllegalArgumentException("not an id, or one used twice: " + id);
    }
    String where = place(id, device.place());
    switch (device) {
      case Edu _ -> argument("-device", "edu,id=%s,%s".formatted(id, where));
      case E1000e _ -> argument("-device", "e1000e,id=%s,romfile=,%s".formatted(id, where));
      case VirtioRng _ -> virtio("virtio-rng-pci", id, where, "");
      case VirtioBlk disk -> {
        argument(
            "-drive",
            "if=none,format=raw,cache=unsafe,discard=unmap,id=%s-drive,file=%s"
                .formatted(id, quoted(disk.image())));
        virtio(
            "virtio-blk-pci",
            id,
            where,
            ",drive=%s-drive,serial=%1$s,logical_block_size=%d,physical_block_size=%2$d"
                .formatted(id, disk.blockSize()));
      }
      case VirtioNet card -> {
        argument("-netdev", "hubport,id=%s-cable,hubid=%d".formatted(id, card.hub()));
        virtio("virtio-net-pci", id, where, ",romfile=,netdev=%s-cable".formatted(id));
      }
      case Serial port -> {
        // Who comes first, listens.
        String listens = cables.add(port.cable()) ? ",server=on,wait=off" : "";
        argument(
            "-chardev", "socket,id=%s-line,path=%s%s".formatted(id, quoted(port.cable()), listens));
        argument("-device", "pci-serial,id=%s,chardev=%1$s-line,%s".formatted(id, where));
      }
      case VfioUser served -> {
        memoryIsShared = true;
        argument("-device", vfioUser(served, where));
      }
      case FailingNvme nvme -> addFailing(nvme, where);
      case Nvme nvme -> {
        argument("-device", "nvme,id=%s,serial=%1$s,mdts=%d,%s".formatted(id, nvme.mdts(), where));
        for (int i = 0; i < nvme.namespaces().size(); i++) {
          addNamespace(id, i + 1, nvme.namespaces().get(i));
        }
      }
    }
  }

  private void addFailing(FailingNvme nvme, String where) {
    String id = nvme.id();
    argument(
        "-blockdev",
        "driver=file,node-name=%s-image,cache.no-flush=on,discard=unmap,filename=%s"
            .formatted(id, quoted(nvme.image())));
    argument(
        "-blockdev",
        "driver=blkdebug,node-name=%s-debug,discard=unmap,image=%1$s-image,config=%s"
            .formatted(id, quoted(nvme.blkdebug())));
    // Not -drive: that goes with the device when it is pulled out.
    argument(
        "-blockdev",
        "driver=raw,node-name=%s-drive,cache.no-flush=on,discard=unmap,file=%1$s-debug"
            .formatted(id));
    argument(
        "-device",
        "nvme,id=%s,serial=%1$s,drive=%1$s-drive,logical_block_size=%d,physical_block_size=%2$d,%s"
            .formatted(id, nvme.blockSize(), where));
  }

  private void virtio(String model, String id, String where, String more) {
    argument(
        "-device",
        "%s,id=%s,disable-legacy=on,iommu_platform=on,ats=on,%s%s"
            .formatted(model, id, where, more));
  }

  /** A socket's address has parts of its own: QEMU takes such a device only as JSON. */
  private static String vfioUser(VfioUser device, String where) {
    String[] place = where.split("=", 2);
    return """
    {"driver":"vfio-user-pci","id":"%s","%s":"%s","socket":{"type":"unix","path":"%s"}}\
    """
        .formatted(
            device.id(),
            place[0],
            place[1],
            device
                .socket()
                .toAbsolutePath()
                .toString()
                .replace("\\", "\\\\")
                .replace("\"", "\\\""));
  }

  private String place(String id, Place place) {
    return switch (place) {
      case ROOT_PORT -> {
        int slot = FIRST_PORT_SLOT + nextPort++;
        if (slot >= FIRST_ROOT_BUS_SLOT) {
          throw new IllegalArgumentException("too many root ports: no slot for " + id);
        }
        argument(
            "-device",
            "pcie-root-port,id=%s-port,chassis=%d,slot=%2$d,addr=%#x"
                .formatted(id, nextPort, slot));
        addresses.put(id, "0000:%02x:00.0".formatted(nextPort));
        yield "bus=" + id + "-port";
      }
      case ROOT_BUS -> {
        int slot = nextRootBusSlot++;
        if (slot >= ROOT_BUS_SLOTS_END) {
          throw new IllegalArgumentException("too many devices on the root bus: no slot for " + id);
        }
        addresses.put(id, "0000:00:%02x.0".formatted(slot));
        yield "addr=%#x".formatted(slot);
      }
    };
  }

  private void addNamespace(String controller, int nsid, Namespace namespace) {
    String drive = controller + "-drive" + nsid;
    // cache=unsafe: a flush need not reach the host's disk; the image is read after QEMU ended,
    // through the page cache. discard=unmap: what is deallocated is a hole in the image, and no
    // more what it was.
    argument(
        "-drive",
        "if=none,format=raw,cache=unsafe,discard=unmap,id=%s,file=%s"
            .formatted(drive, quoted(namespace.image())));
    argument(
        "-device",
        "nvme-ns,bus=%s,nsid=%d,drive=%s,logical_block_size=%d,physical_block_size=%4$d"
            .formatted(controller, nsid, drive, namespace.blockSize()));
  }

  /** In a list of options QEMU wants each comma of a value twice. */
  static String quoted(Path path) {
    return path.toAbsolutePath().toString().replace(",", ",,");
  }

  private void argument(String name, String value) {
    arguments.add(name);
    arguments.add(value);
  }
}
