package org.gatun.driver.nvme;

import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceProtocolException;
import org.gatun.pci.DeviceTimeoutException;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PciException;
import org.gatun.pci.TimeSource;
import org.gatun.pci.spi.DeviceEraser;
import org.gatun.pci.spi.DeviceMatch;
import org.gatun.pci.spi.EraseMethod;
import org.gatun.specs.nvme.AdminCommand;
import org.gatun.specs.nvme.Cns;
import org.gatun.specs.nvme.IdentifyController;
import org.gatun.specs.nvme.IdentifyNamespace;
import org.gatun.specs.nvme.NvmeRegisters;
import org.gatun.specs.nvme.SanitizeStatusLog;

/**
 * Erases NVMe disks: by Format NVM with User Data Erase, of each namespace in the format that it
 * has; or by Sanitize, with a block erase if the controller has that, else an overwrite, else a
 * change of its key.
 */
public final class NvmeEraser implements DeviceEraser {
  /** The specification gives Format NVM no limit. */
  static final Duration FORMAT_LIMIT = Duration.ofMinutes(30);

  /** What a sanitize operation is given at least, and if it says nothing or nonsense, at most. */
  static final Duration LEAST_SANITIZE = Duration.ofMinutes(5);

  static final Duration MOST_SANITIZE = Duration.ofHours(24);

  private static final Duration INTERVAL = Duration.ofMillis(100);
  private static final int WHOLE_CLASS = 0xffffff;

  /** For {@link java.util.ServiceLoader}. */
  public NvmeEraser() {}

  @Override
  public List<DeviceMatch> matches() {
    return List.of(new DeviceMatch.ByClass(NvmeRegisters.CLASS_CODE, WHOLE_CLASS));
  }

  @Override
  public Set<EraseMethod> methods() {
    return Set.of(EraseMethod.FORMAT, EraseMethod.SANITIZE);
  }

  /**
   * {@inheritDoc}
   *
   * @throws NvmeUnsupportedException if the controller has no such command; nothing was erased
   * @throws NvmeStatusException if it refuses it
   * @throws DeviceTimeoutException if it is not done in time
   */
  @Override
  public void erase(PciDevice device, EraseMethod method, TimeSource time) {
    try (NvmeController controller =
        NvmeController.open(device, NvmeOptions.defaults().withTime(time))) {
      switch (method) {
        case FORMAT -> format(controller);
        case SANITIZE -> sanitize(controller, time);
      }
    }
  }

  private static void format(NvmeController controller) {
    IdentifyController identity = controller.identity();
    DeviceName name = controller.name();
    if ((identity.oacs() & IdentifyController.OACS_FORMAT_NVM) == 0) {
      throw new NvmeUnsupportedException(
          name,
          "the controller has no Format NVM (OACS 0x%04x)".formatted(identity.oacs()),
          "sanitize it, if it can do that");
    }
    List<Integer> active = controller.namespaceIds(Cns.ACTIVE_NAMESPACE_LIST);
    if ((identity.oacs() & IdentifyController.OACS_NAMESPACE_MANAGEMENT) != 0) {
      checkNoneDetached(controller, active);
    }
    for (int id : active) {
      IdentifyNamespace namespace = controller.identifyNamespace(id);
      controller.format(
          id,
          AdminCommand.formatDword10(namespace, AdminCommand.SECURE_ERASE_USER_DATA),
          FORMAT_LIMIT);
      if ((identity.fna() & IdentifyController.FNA_ERASE_ALL) != 0) {
        return; // all were erased with this one (Base 5.14)
      }
    }
  }

  /**
   * Format NVM reaches what is attached; a guest can detach a namespace, and the next attach it.
   */
  private static void checkNoneDetached(NvmeController controller, List<Integer> active) {
    Set<Integer> detached = new TreeSet<>(Integer::compareUnsigned);
    detached.addAll(controller.namespaceIds(Cns.ALLOCATED_NAMESPACE_LIST));
    active.forEach(detached::remove);
    if (!detached.isEmpty()) {
      throw new PciException(
          controller.name(),
          "a format does not reach namespaces that are not attached (%d in all, the first is %s)"
              .formatted(detached.size(), Integer.toUnsignedString(detached.iterator().next())),
          "attach them, or sanitize it",
          null);
    }
  }

  /** An operation that was begun goes on whatever happens to the controller (Base 8.21). */
  private static void sanitize(NvmeController controller, TimeSource time) {
    int action = sanitizeAction(controller);
    int command = AdminCommand.sanitizeDword10(action);
    await(controller, time); // one that the last guest began, or a broker that ended
    controller.sanitize(command);
    SanitizeStatusLog log = await(controller, time);
    int status = log.status();
    if (log.commandDword10() != command) {
      throw new DeviceProtocolException(
          controller.name(),
          "the Sanitize Status log is about command 0x%x, where 0x%x was the last"
              .formatted(log.commandDword10(), command),
          null,
          null);
    }
    if (status != SanitizeStatusLog.STATUS_SUCCESS
        && status != SanitizeStatusLog.STATUS_SUCCESS_DEALLOCATED) {
      throw new PciException(
          controller.name(),
          "sanitizing failed (SSTAT 0x%04x, SANACT %d)".formatted(log.sstat(), action),
          "try again: until it succeeds the disk gives nothing",
          null);
    }
  }

  private static int sanitizeAction(NvmeController controller) {
    int capabilities = controller.identity().sanicap();
    if ((capabilities & IdentifyController.SANICAP_BLOCK_ERASE) != 0) {
      return AdminCommand.SANITIZE_BLOCK_ERASE;
    } else if ((capabilities & IdentifyController.SANICAP_OVERWRITE) != 0) {
      return AdminCommand.SANITIZE_OVERWRITE;
    } else if ((capabilities & IdentifyController.SANICAP_CRYPTO_ERASE) != 0) {
      return AdminCommand.SANITIZE_CRYPTO_ERASE;
    }
    throw new NvmeUnsupportedException(
        controller.name(),
        "the controller has no Sanitize (SANICAP 0x%08x)".formatted(capabilities),
        "format it, if it can do that");
  }

  /** Waits until no sanitize operation is in progress. */
  private static SanitizeStatusLog await(NvmeController controller, TimeSource time) {
    SanitizeStatusLog log = controller.logs().sanitizeStatus();
    Duration limit = limit(log);
    long start = time.nanoTime();
    while (log.status() == SanitizeStatusLog.STATUS_IN_PROGRESS) {
      if (time.nanoTime() - start >= limit.toNanos()) {
        throw new DeviceTimeoutException(
            controller.name(),
            "sanitizing was not done within %d s (progress %d of 65536)"
                .formatted(limit.toSeconds(), log.progress()),
            "look again later: it may still go on",
            null);
      }
      time.sleep(INTERVAL);
      log = controller.logs().sanitizeStatus();
    }
    return log;
  }

  /** Twice what the controller estimates, within reason. */
  private static Duration limit(SanitizeStatusLog log) {
    int action = AdminCommand.sanitizeAction(log.commandDword10());
    if (action < AdminCommand.SANITIZE_BLOCK_ERASE || action > AdminCommand.SANITIZE_CRYPTO_ERASE) {
      return MOST_SANITIZE;
    }
    long seconds = log.estimatedSeconds(action);
    Duration twice = Duration.ofSeconds(2 * seconds);
    if (seconds == SanitizeStatusLog.NO_ESTIMATE || twice.compareTo(MOST_SANITIZE) > 0) {
      return MOST_SANITIZE;
    }
    return twice.compareTo(LEAST_SANITIZE) < 0 ? LEAST_SANITIZE : twice;
  }
}
