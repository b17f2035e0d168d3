package org.gatun.vfio;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.Reader;
import java.lang.System.Logger.Level;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.LongConsumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.gatun.pci.PciAddress;
import org.jspecify.annotations.Nullable;

/**
 * What the kernel's log says about accesses that the IOMMU refused. VFIO's type 1 tells its users
 * nothing of them, so this is the only source; the kernel limits how often it writes such a line,
 * and only root reads its log.
 */
final class KernelFaultLog {
  private static final System.Logger LOG = System.getLogger(KernelFaultLog.class.getName());

  private static final KernelFaultLog OF_THIS_MACHINE =
      new KernelFaultLog(Path.of("/dev/kmsg"), Path.of("/proc/uptime"));

  private static final String DEVICE = "((?:[0-9a-f]{4,8}:)?[0-9a-f]{2}:[0-9a-f]{2}\\.[0-7])";

  /** Linux {@code drivers/iommu/intel/dmar.c}. */
  private static final Pattern INTEL =
      Pattern.compile(
          "DMAR: .*Request device \\[" + DEVICE + "\\].* fault addr (?:0x)?([0-9a-f]{1,16})\\b.*");

  /** Linux {@code drivers/iommu/amd/iommu.c}. */
  private static final Pattern AMD =
      Pattern.compile(
          ".*IO_PAGE_FAULT (?:device=)?" + DEVICE + ".* address=(?:0x)?([0-9a-f]{1,16})\\b.*");

  private final Path log;
  private final Path uptime;
  private final Map<PciAddress, LongConsumer> listeners = new ConcurrentHashMap<>();

  /** Guarded by this. */
  private boolean started;

  /**
   * @param log records as {@code /dev/kmsg} has them: {@code priority,sequence,microseconds,flags;
   *     text}
   * @param uptime the time of records written now, in seconds
   */
  KernelFaultLog(Path log, Path uptime) {
    this.log = log;
    this.uptime = uptime;
  }

  static KernelFaultLog ofThisMachine() {
    return OF_THIS_MACHINE;
  }

  /** From now on somebody hears of the faults of a device. */
  void listen(PciAddress device, LongConsumer listener) {
    listeners.put(device, listener);
    synchronized (this) {
      if (!started) {
        started = true;
        // It stays for the next listeners, waiting for the kernel to write.
        Thread.ofPlatform().daemon().name("gatun kernel log").start(this::follow);
      }
    }
  }

  void forget(PciAddress device) {
    listeners.remove(device);
  }

  private void follow() {
    try {
      // The log begins with all that was written since the machine was started.
      long start =
          (long)
              (Double.parseDouble(Files.readString(uptime).strip().split(" ", 2)[0]) * 1_000_000);
      try (BufferedReader lines = new BufferedReader(reader())) {
        for (String line = next(lines); line != null; line = next(lines)) {
          if (microseconds(line).orElse(-1) >= start) {
            tell(line);
          }
        }
      }
    } catch (IOException | RuntimeException e) {
      LOG.log(Level.INFO, "DMA faults are not noticed: the kernel's log can't be read: " + e);
    }
  }

  private Reader reader() throws IOException {
    return new InputStreamReader(Files.newInputStream(log), StandardCharsets.UTF_8);
  }

  private static @Nullable String next(BufferedReader lines) throws IOException {
    while (true) {
      try {
        return lines.readLine();
      } catch (IOException e) {
        // EPIPE: records were overwritten before they were read; the next one is there.
        if (!String.valueOf(e.getMessage()).contains("Broken pipe")) {
          throw e;
        }
      }
    }
  }

  private void tell(String line) {
    parse(line)
        .ifPresent(
            fault -> {
              LongConsumer listener = listeners.get(fault.device());
              if (listener != null) {
                listener.accept(fault.busAddress());
              }
            });
  }

  private static OptionalLong microseconds(String line) {
    String[] fields = line.split(",", 4);
    return fields.length == 4 && fields[2].matches("[0-9]{1,18}")
        ? OptionalLong.of(Long.parseLong(fields[2]))
        : OptionalLong.empty();
  }

  /** A fault, as a line of the log has it. */
  record Fault(PciAddress device, long busAddress) {}

  static Optional<Fault> parse(String line) {
    for (Pattern pattern : new Pattern[] {INTEL, AMD}) {
      Matcher matcher = pattern.matcher(line.substring(line.indexOf(';') + 1));
      if (matcher.matches()) {
        return PciAddress.find(matcher.group(1))
            .map(device -> new Fault(device, Long.parseUnsignedLong(matcher.group(2), 16)));
      }
    }
    return Optional.empty();
  }
}
