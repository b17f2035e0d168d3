package org.gatun.vmtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.gatun.pci.PciDevice;
import org.gatun.simulated.DeviceModel;
import org.gatun.simulated.NetworkEnd;
import org.gatun.simulated.SerialEnd;
import org.gatun.simulated.SerialModel;
import org.gatun.simulated.SimulatedBus;
import org.gatun.simulated.VirtioBlockModel;
import org.gatun.simulated.VirtioEntropyModel;
import org.gatun.simulated.VirtioNetworkModel;
import org.gatun.vfiouser.DeviceExport;
import org.gatun.vfiouser.ExportOptions;
import org.gatun.vmtests.machine.Boot;
import org.gatun.vmtests.machine.TestDevice;
import org.gatun.vmtests.machine.TestDevice.Place;
import org.gatun.vmtests.machine.TestDevice.VfioUser;
import org.gatun.vmtests.machine.VirtualMachine;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Linux's own drivers on our models of virtio devices and of serial ports, served to QEMU. */
class LinuxDriversTest {
  private static final Duration LIMIT = Duration.ofMinutes(6);
  private static final String BEGIN =
      """
      set -euo pipefail
      until_there() {
        for _ in {1..300}; do
          [ -e "$1" ] && return
          sleep 0.1
        done
        echo "there is no $1"
        dmesg | tail -20
        exit 1
      }
      """;

  private static final String DISK =
      BEGIN
          + """
          modprobe virtio_blk
          until_there /dev/vda
          [ "$(blockdev --getsize64 /dev/vda)" = $((64 << 20)) ]
          [ "$(blockdev --getpbsz /dev/vda)" = 4096 ]
          [ "$(cat /sys/block/vda/serial)" = GATUN1 ]
          head -c 8M /dev/urandom >data
          dd if=data of=/dev/vda bs=64k oflag=direct status=none
          dd if=/dev/vda of=read bs=128k count=64 iflag=direct status=none
          cmp data read
          blkdiscard -o 0 -l 1M /dev/vda
          blkdiscard -z -o 1M -l 1M /dev/vda
          dd if=/dev/vda of=read bs=1M count=8 iflag=direct status=none
          cmp -n $((1 << 20)) -i $((1 << 20)):0 read /dev/zero
          cmp -i $((2 << 20)) data read
          mkfs.ext4 -q /dev/vda
          mount -t ext4 /dev/vda /mnt
          cp data /mnt/
          umount /mnt
          fsck.ext4 -f -n /dev/vda
          mount -t ext4 -o ro /dev/vda /mnt
          cmp data /mnt/data
          umount /mnt
          """;

  private static final String ENTROPY =
      BEGIN
          + """
          modprobe virtio-rng
          current=/sys/class/misc/hw_random/rng_current
          until_there $current
          for _ in {1..100}; do
            grep -q virtio $current && break
            sleep 0.1
          done
          grep virtio $current
          head -c 4096 /dev/hwrng >one
          head -c 4096 /dev/hwrng >other
          [ "$(stat -c %s one)" = 4096 ]
          ! cmp -s one other
          """;

  /** The two cards are in two network namespaces: what passes between them goes over our cable. */
  private static final String NETWORK =
      BEGIN
          + """
          modprobe virtio_net
          until_there /sys/bus/virtio/drivers/virtio_net
          cards=()
          for _ in {1..100}; do
            cards=($(for c in /sys/class/net/*; do
              readlink -f $c/device/driver | grep -q virtio_net && basename $c; done || true))
            [ ${#cards[@]} = 2 ] && break
            sleep 0.1
          done
          unshare -n sleep 600 &
          other=$!
          sleep 1
          ip link set ${cards[1]} netns $other
          there="nsenter -t $other -n"
          ip addr add 10.9.0.1/24 dev ${cards[0]}
          ip link set ${cards[0]} up
          $there ip addr add 10.9.0.2/24 dev ${cards[1]}
          $there ip link set ${cards[1]} up
          [ "$(cat /sys/class/net/${cards[0]}/carrier)" = 1 ]
          busybox ping -c 3 -W 20 10.9.0.2
          busybox ping -c 3 -W 20 -s 1400 10.9.0.2
          head -c 2M /dev/urandom >data
          $there busybox nc -l -p 7 < <(sleep 60) >forth &
          listener=$!
          sleep 2
          busybox nc 10.9.0.2 7 <data
          wait $listener
          cmp data forth
          busybox nc -l -p 7 < <(sleep 60) >back &
          listener=$!
          sleep 2
          $there busybox nc 10.9.0.1 7 <data
          wait $listener
          cmp data back
          kill $other
          """;

  /** Slowly: a receiver has room for 16 characters until the emulated processor comes. */
  private static final String SERIAL =
      BEGIN
          + """
          ports=()
          for _ in {1..100}; do
            ports=($(ls -d /sys/bus/pci/devices/*/tty/* /sys/bus/pci/devices/*/*/tty/* 2>/dev/null || true))
            ports=($(for p in "${ports[@]}"; do basename $p; done | sort -u))
            ports=($(for p in "${ports[@]}"; do
              grep -q 0x1b36 $(readlink -f /sys/class/tty/$p/device)/../../vendor \\
                $(readlink -f /sys/class/tty/$p/device)/vendor 2>/dev/null && echo $p; done || true))
            [ ${#ports[@]} = 2 ] && break
            sleep 0.1
          done
          [ ${#ports[@]} = 2 ] || { ls -l /sys/class/tty/; dmesg | grep -i tty; exit 1; }
          for p in "${ports[@]}"; do
            stty -F /dev/$p raw -echo 1200 crtscts
          done
          head -c 256 /dev/urandom >data
          pass() {
            timeout 60 head -c 256 </dev/$2 >got &
            reader=$!
            sleep 1
            cat data >/dev/$1
            wait $reader || { cat /proc/tty/driver/serial; exit 1; }
            cmp data got
          }
          pass ${ports[0]} ${ports[1]}
          pass ${ports[1]} ${ports[0]}
          ! grep -E 'oe:|fe:|pe:' /proc/tty/driver/serial
          grep 16550 /proc/tty/driver/serial
          """;

  @TempDir Path sockets;

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void keepsFilesOnAVirtioDisk(boolean iommu) throws Exception {
    VirtioBlockModel disk =
        VirtioBlockModel.DEFAULT.withSize(64 << 20).withBlockSize(4096).withSerial("GATUN1");
    passes(iommu ? "linux-virtio-blk-iommu" : "linux-virtio-blk", iommu, DISK, List.of(disk));
  }

  @Test
  void takesEntropy() throws Exception {
    passes("linux-virtio-rng", false, ENTROPY, List.of(new VirtioEntropyModel(1)));
  }

  @Test
  void networkCardsReachEachOther() throws Exception {
    List<DeviceModel> cards =
        NetworkEnd.cable().stream().<DeviceModel>map(VirtioNetworkModel::new).toList();
    passes("linux-virtio-net", false, NETWORK, cards);
  }

  @Test
  void serialPortsReachEachOther() throws Exception {
    List<DeviceModel> ports =
        SerialEnd.nullModem().stream().<DeviceModel>map(SerialModel::new).toList();
    passes("linux-serial", false, SERIAL, ports);
  }

  private void passes(String name, boolean iommu, String script, List<DeviceModel> models)
      throws Exception {
    VmRun run = VmRun.named(name);
    List<AutoCloseable> open = new ArrayList<>();
    try (SimulatedBus bus = SimulatedBus.realTime()) {
      List<TestDevice> devices = new ArrayList<>();
      try {
        for (DeviceModel model : models) {
          String id = "served" + devices.size();
          Path socket = sockets.resolve(id + ".sock");
          PciDevice device = bus.open(bus.plug(id, model));
          open.add(device);
          open.add(DeviceExport.listen(device, socket, ExportOptions.DEFAULT));
          devices.add(new VfioUser(id, Place.ROOT_PORT, socket));
        }
        VirtualMachine machine =
            new VirtualMachine(
                VmRun.requireVfioUserHost(System.getenv()), run.directory(), devices);
        if (!iommu) {
          machine.withoutIommu();
        }
        Path file = machine.share().resolve("script");
        Files.writeString(file, "cd '" + machine.share() + "'\n" + script);
        Boot boot = machine.run(List.of("bash", "-x", file.toString()), LIMIT);
        assertThat(boot.successful()).as(boot.report()).isTrue();
      } finally {
        for (AutoCloseable one : open.reversed()) {
          one.close();
        }
      }
    }
  }
}
