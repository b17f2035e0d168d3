package org.gatun.vfio;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceUnavailableException;
import org.jspecify.annotations.Nullable;

/**
 * Keeps a device to one owner: sysfs lets anybody who may open it drive it, so Gatun's processes
 * agree on a lock, on the file {@code enable}, which nobody else opens for long. The kernel drops
 * it with the process.
 */
final class ExclusiveUse implements AutoCloseable {
  private final DeviceName device;
  private final FileChannel file;
  private boolean enabled;

  private ExclusiveUse(DeviceName device, FileChannel file) {
    this.device = device;
    this.file = file;
  }

  /**
   * Takes a device.
   *
   * @throws DeviceUnavailableException if somebody has it, or if this is not root
   */
  static ExclusiveUse of(DeviceName device, Path enable) {
    FileChannel file;
    try {
      file = FileChannel.open(enable, StandardOpenOption.WRITE);
    } catch (AccessDeniedException e) {
      throw failure(device, "no permission for " + enable, "run as root", e);
    } catch (IOException e) {
      throw failure(device, "can't open " + enable + ": " + e.getMessage(), null, e);
    }
    boolean done = false;
    try {
      done = file.tryLock() != null;
      if (!done) {
        throw failure(device, "it is in use by another process", "end that first", null);
      }
      return new ExclusiveUse(device, file);
    } catch (OverlappingFileLockException e) {
      throw failure(device, "it is in use by this process", "close it first", e);
    } catch (IOException e) {
      throw failure(device, "can't lock " + enable + ": " + e.getMessage(), null, e);
    } finally {
      if (!done) {
        closeQuietly(file, device);
      }
    }
  }

  /** Powers a device up that has no driver which did; undone at close. */
  void enable() {
    write("1");
    enabled = true;
  }

  @Override
  public void close() {
    try {
      if (enabled) {
        write("0");
      }
    } finally {
      closeQuietly(file, device);
    }
  }

  private void write(String text) {
    try {
      file.write(StandardCharsets.US_ASCII.encode(text), 0);
    } catch (IOException e) {
      throw failure(device, "can't enable or disable it: " + e.getMessage(), null, e);
    }
  }

  private static void closeQuietly(FileChannel file, DeviceName device) {
    try {
      file.close();
    } catch (IOException e) {
      System.getLogger(ExclusiveUse.class.getName())
          .log(System.Logger.Level.WARNING, device + ": " + e.getMessage(), e);
    }
  }

  private static DeviceUnavailableException failure(
      DeviceName device, String problem, @Nullable String remedy, @Nullable Exception cause) {
    return new DeviceUnavailableException(device, problem, remedy, cause);
  }
}
