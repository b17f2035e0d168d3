package org.gatun.vmtests;

import java.io.IOException;
import java.nio.file.ClosedWatchServiceException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardWatchEventKinds;
import java.nio.file.WatchService;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import org.gatun.vmtests.machine.Boot;
import org.gatun.vmtests.machine.Host;
import org.gatun.vmtests.machine.TestDevice;
import org.gatun.vmtests.machine.VirtualMachine;

/**
 * Linux's own nvme driver, and ext4, on a machine's only NVMe disk, of 256 MiB or more. Each call
 * boots a machine. The disk is QEMU's, or is served by another program, which then serves one
 * machine after the other.
 */
final class LinuxNvme {
  private static final Duration LIMIT = Duration.ofMinutes(5);
  private static final long SEED = 20_261;
  private static final int FILES = 60;
  private static final int LARGEST = 1 << 20;
  private static final int BLOCK = 4096;

  private static final String FIND_DISK =
      """
      set -euo pipefail
      modprobe nvme
      disk=/dev/nvme0n1
      for _ in {1..300}; do
        [ -b $disk ] && break
        sleep 0.1
      done
      """;

  private static final String COPY =
      """
      mkfs.ext4 -q $disk
      mount -t ext4 $disk /mnt
      cp -a tree /mnt/
      umount /mnt
      fsck.ext4 -f -n $disk
      """;

  private static final String COMPARE =
      """
      mount -t ext4 -o ro $disk /mnt
      (cd /mnt/tree && sha256sum --quiet -c) <sums
      find /mnt/tree -type f | wc -l | diff - count
      umount /mnt
      fsck.ext4 -f -n $disk
      """;

  private static final String READING = "reading";

  /** A pass over 16 MiB after the other; the first that is through makes the file. */
  private static final String READ_UNTIL_IT_FAILS =
      """
      while dd if=$disk of=/dev/null bs=64k count=256 iflag=direct status=none; do
        touch %s
      done
      dmesg | grep nvme
      """
          .formatted(READING);

  private final Host host;
  private final Path directory;
  private final TestDevice disk;
  private boolean iommu;

  /**
   * @param directory for the machine's files: what is there is overwritten
   */
  LinuxNvme(Host host, Path directory, TestDevice disk) {
    this.host = host;
    this.directory = directory;
    this.disk = disk;
  }

  /** Gives the machine an IOMMU, which Linux then uses for the disk: it maps each transfer. */
  LinuxNvme behindIommu() {
    iommu = true;
    return this;
  }

  /** Makes a file system, copies a tree of files into it, unmounts it and checks it. */
  void copiesFiles() throws IOException, InterruptedException {
    Path share = machine().share();
    makeTree(share.resolve("tree"), share.resolve("sums"));
    Files.writeString(share.resolve("count"), FILES + "\n");
    expectSuccess(run(COPY));
  }

  /** Finds the same files there: their names, their number, their checksums. */
  void findsTheFilesAgain() throws IOException, InterruptedException {
    expectSuccess(run(COMPARE));
  }

  /**
   * Reads the disk over and over until that fails, and then ends.
   *
   * @param whileReading what makes it fail; on a thread of its own, while reads are in flight
   */
  Boot readsUntilItFails(Runnable whileReading) throws IOException, InterruptedException {
    Path share = machine().share();
    Files.deleteIfExists(share.resolve(READING));
    try (WatchService events = share.getFileSystem().newWatchService()) {
      share.register(events, StandardWatchEventKinds.ENTRY_CREATE);
      Thread breaker =
          Thread.startVirtualThread(
              () -> {
                try {
                  while (!Files.exists(share.resolve(READING))) {
                    events.take().reset();
                  }
                  whileReading.run();
                } catch (InterruptedException | ClosedWatchServiceException machineEnded) {
                  // What it was to break has broken before.
                }
              });
      Boot boot = run(READ_UNTIL_IT_FAILS);
      breaker.interrupt();
      breaker.join();
      return boot;
    }
  }

  /**
   * Boots, waits for the disk and runs a script of bash, in the directory that is shared with the
   * host.
   *
   * @param script ends at the first command that fails; {@code $disk} is the disk's block device
   */
  Boot run(String script) throws IOException, InterruptedException {
    VirtualMachine machine = machine();
    Path file = machine.share().resolve("script");
    Files.writeString(file, "cd '" + machine.share() + "'\n" + FIND_DISK + script);
    return machine.run(List.of("bash", "-x", file.toString()), LIMIT);
  }

  private VirtualMachine machine() throws IOException {
    VirtualMachine machine = new VirtualMachine(host, directory, List.of(disk));
    return iommu ? machine : machine.withoutIommu();
  }

  private static void expectSuccess(Boot boot) throws IOException {
    if (!boot.successful()) {
      throw new AssertionError(boot.report());
    }
  }

  /** Random files in directories below each other; the first is empty, some end within a block. */
  private static void makeTree(Path tree, Path sums) throws IOException {
    Random random = new Random(SEED);
    List<String> lines = new ArrayList<>();
    Path parent = tree;
    for (int i = 0; i < FILES; i++) {
      if (i % 10 == 0) {
        parent = parent.resolve("directory-" + i);
        Files.createDirectories(parent);
      }
      int length = i == 0 ? 0 : random.nextInt(LARGEST);
      byte[] content = new byte[i % 2 == 0 ? length : length / BLOCK * BLOCK];
      random.nextBytes(content);
      Path file = parent.resolve("file-" + i);
      Files.write(file, content);
      lines.add(sha256(content) + "  " + tree.relativize(file));
    }
    Files.write(sums, lines);
  }

  private static String sha256(byte[] content) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(content));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
