package org.gatun.containertests;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import org.gatun.driver.edu.EduDevice;
import org.gatun.driver.edu.EduOptions;
import org.gatun.driver.nvme.Completion;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.driver.nvme.NvmeDisk;
import org.gatun.driver.nvme.NvmeOptions;
import org.gatun.pci.DetachListener;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.PciDevice;

/**
 * A device from a grant directory: it is driven by the driver that its description calls for, and
 * held until it is taken.
 */
final class DrivenDevice implements Runnable {
  private static final int FACTORIAL_OF = 10;

  private final Path socket;
  private final String slot;
  private final long seed;
  private final CountDownLatch taken = new CountDownLatch(1);

  DrivenDevice(Path socket, long seed) {
    this.socket = socket;
    this.slot = socket.getFileName().toString().replace(".sock", "");
    this.seed = seed;
  }

  /** What is written to a disk, from its start. */
  static byte[] pattern(long seed) {
    byte[] bytes = new byte[1 << 20];
    new Random(seed).nextBytes(bytes);
    return bytes;
  }

  @Override
  public void run() {
    Map<String, String> description = description();
    say("is %s:%s".formatted(description.get("vendor"), description.get("device-id")));
    try (PciDevice device = GuestMain.open(socket)) {
      device.onDetach(new Listener());
      switch (description.get("class")) {
        case "010802" -> driveNvme(device);
        case "00ff00" -> driveEdu(device);
        case null, default -> throw new IllegalStateException("no driver for " + description);
      }
    } catch (DeviceGoneException _) {
      say("was taken by force");
      return;
    } catch (InterruptedException e) {
      throw new IllegalStateException("nobody interrupts this", e);
    }
    say("was let go");
  }

  private void driveNvme(PciDevice device) throws InterruptedException {
    NvmeOptions options = NvmeOptions.defaults().withCompletion(Completion.INTERRUPT);
    try (NvmeController controller = NvmeController.open(device, options);
        NvmeDisk disk = controller.openDisk(1)) {
      byte[] written = pattern(seed);
      disk.write(0, written);
      byte[] read = new byte[written.length];
      disk.read(0, read);
      int wrong = Arrays.mismatch(read, written);
      say(wrong < 0 ? "reads what was written" : "reads something else at " + wrong);
      taken.await();
    }
  }

  private void driveEdu(PciDevice device) throws InterruptedException {
    EduOptions options = EduOptions.defaults().withCompletion(org.gatun.driver.edu.Completion.MSI);
    try (EduDevice edu = EduDevice.open(device, options)) {
      say(FACTORIAL_OF + "! = " + edu.factorial(FACTORIAL_OF));
      byte[] data = Arrays.copyOf(pattern(seed), EduDevice.MAX_TRANSFER);
      edu.roundTrip(data);
      say("moved " + data.length + " bytes by DMA and back");
      taken.await();
    }
  }

  /** The texts of the description that stands beside the socket. */
  private Map<String, String> description() {
    Map<String, String> texts = new HashMap<>();
    try (JsonParser json =
        new JsonFactory().createParser(Files.readAllBytes(socket.resolveSibling(slot + ".json")))) {
      while (json.nextToken() != null) {
        if (json.currentToken() == JsonToken.VALUE_STRING && json.currentName() != null) {
          texts.put(json.currentName(), json.getText());
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return texts;
  }

  private void say(String what) {
    GuestMain.say(slot + " " + what);
  }

  private final class Listener implements DetachListener {
    @Override
    public void requested(Duration deadline) {
      say("is wanted back");
      taken.countDown();
    }

    @Override
    public void gone(String cause) {
      say("is gone");
      taken.countDown();
    }
  }
}
