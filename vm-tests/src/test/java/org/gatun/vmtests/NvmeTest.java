package org.gatun.vmtests;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.gatun.testkit.DeviceRoute;
import org.gatun.vmtests.machine.DiskImage;
import org.gatun.vmtests.machine.TestDevice.Namespace;
import org.gatun.vmtests.machine.TestDevice.Nvme;
import org.gatun.vmtests.machine.TestDevice.Place;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/**
 * The NVMe driver on disks with an ext4 file system that Linux made. The system property {@code
 * gatun.image} is their size in MiB; with {@code gatun.test.route} they are reached by a route.
 */
class NvmeTest {
  private static final long MIB = 1 << 20;
  private static final long DEFAULT_IMAGE = 96;
  private static final long SEED = 20_260;

  @TempDir Path files;

  @TestFactory
  Stream<DynamicNode> disksThroughVfio() throws Exception {
    long image = Long.getLong("gatun.image", DEFAULT_IMAGE) * MIB;
    makeFiles(image - 64 * MIB);
    GatunCommand.archiveClasses();
    VmRun run = VmRun.named("nvme").limit(Duration.ofMinutes(15));
    Path original = DiskImage.ext4(run.directory().resolve("original.img"), image, files);
    String sha256 = sha256(original);
    for (String id :
        List.of("poll-512", "interrupt-512", "poll-4096", "interrupt-4096", NvmeInVm.COMMAND)) {
      Path copy = run.directory().resolve(id + ".img");
      Files.copy(original, copy, StandardCopyOption.REPLACE_EXISTING);
      int blockSize = id.endsWith("-4096") ? 4096 : 512;
      run.device(new Nvme(id, Place.ROOT_PORT, List.of(new Namespace(copy, blockSize))))
          .property(NvmeInVm.SHA_256 + id, sha256);
    }
    return run.property(DeviceRoute.PROPERTY, System.getProperty(DeviceRoute.PROPERTY, ""))
        .tests(NvmeInVm.class)
        .run();
  }

  private void makeFiles(long bytes) throws IOException {
    Files.writeString(files.resolve(NvmeInVm.FILE), NvmeInVm.GREETING);
    Random random = new Random(SEED);
    for (long made = 0; made < bytes; made += 4 * MIB) {
      byte[] content = new byte[(int) (4 * MIB)];
      random.nextBytes(content);
      Files.write(files.resolve("random-" + made), content);
    }
  }

  private static String sha256(Path file) throws Exception {
    MessageDigest digest = MessageDigest.getInstance("SHA-256");
    try (InputStream in = new DigestInputStream(Files.newInputStream(file), digest)) {
      in.transferTo(OutputStream.nullOutputStream());
    }
    return HexFormat.of().formatHex(digest.digest());
  }
}
