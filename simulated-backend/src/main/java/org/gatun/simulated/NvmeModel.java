package org.gatun.simulated;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.UUID;
import org.gatun.pci.Bar;
import org.gatun.pci.config.PciClass;
import org.gatun.pci.config.PciId;
import org.gatun.simulated.FunctionDescription.BarDescription;
import org.gatun.simulated.FunctionDescription.InterruptDescription;
import org.gatun.simulated.FunctionDescription.Msix;
import org.gatun.simulated.fault.Faults;
import org.gatun.simulated.media.MemoryMedia;
import org.gatun.simulated.nvme.NvmeDevice;
import org.gatun.specs.nvme.NvmeRegisters;
import org.jspecify.annotations.Nullable;

/**
 * An NVMe 1.4 controller with namespaces in memory, or one in a file. Commands are processed on the
 * thread that rings the doorbell, and are complete when the write returns, unless they take {@link
 * Builder#latency}.
 *
 * <p>Besides what each controller has: Format NVM between blocks of 512 and 4096 bytes, Sanitize,
 * three slots for {@link NvmeFirmware}, of which the first is read only, and events. Blocks keep
 * their data, and slots their firmware, until the device is unplugged; a file keeps the data only,
 * and is in blocks of {@link Builder#blockSize} again when it is plugged the next time.
 */
public final class NvmeModel implements DeviceModel {
  /** In bytes: what each namespace in memory has if nothing else is said. */
  public static final long DEFAULT_SIZE = 64L << 20;

  /** The serial number of a controller whose namespaces are in memory. */
  public static final String SERIAL = "GATUN0001";

  private static final int MIN_PAGE = 4096;
  private static final int MAX_QUEUES = 1024;
  private static final int MAX_NAMESPACES = 1024;

  private static final int RED_HAT = 0x1b36;
  private static final int QEMU_NVME = 0x0010;
  private static final int QEMU_SUBSYSTEM_VENDOR = 0x1af4;
  private static final int QEMU_SUBSYSTEM = 0x1100;

  private final String serial;
  private final @Nullable Path file;
  private final OptionalLong size;
  private final int namespaces;
  private final int blockSize;
  private final int queues;
  private final int vectors;
  private final int maxTransfer;
  private final Duration latency;
  private final Duration formatTime;
  private final boolean sharedDoorbells;
  private final boolean shadowDoorbells;
  private final boolean scatterGather;
  private final @Nullable NvmeFault fault;
  private final long faultAfter;

  private NvmeModel(Builder builder) {
    file = builder.file;
    serial = builder.serial.orElseGet(() -> file().map(NvmeModel::serialOf).orElse(SERIAL));
    size = builder.size;
    namespaces = builder.namespaces;
    blockSize = builder.blockSize;
    queues = builder.queues;
    vectors = builder.vectors.orElse(builder.queues + 1);
    maxTransfer = builder.maxTransfer;
    latency = builder.latency;
    formatTime = builder.formatTime;
    sharedDoorbells = builder.sharedDoorbells;
    shadowDoorbells = builder.shadowDoorbells;
    scatterGather = builder.scatterGather;
    fault = builder.fault;
    faultAfter = builder.faultAfter;
    if (file != null && namespaces > 1) {
      throw new IllegalArgumentException(
          "%d namespaces do not fit into one file: leave out the file, or their number"
              .formatted(namespaces));
    }
    if (sharedDoorbells && shadowDoorbells) {
      throw new IllegalArgumentException(
          "doorbells that are shared memory need no shadow: choose one of the two");
    }
    if (size.isPresent() && size.getAsLong() % blockSize != 0) {
      throw new IllegalArgumentException(
          "a size of %d bytes is not a multiple of the block, %d bytes"
              .formatted(size.getAsLong(), blockSize));
    }
  }

  /** One namespace of 64 MiB in memory, in blocks of 512 bytes, with 16 I/O queues. */
  public NvmeModel() {
    this(new Builder());
  }

  /** Options, each with its default. */
  public static Builder builder() {
    return new Builder();
  }

  /** What can be chosen. */
  public static final class Builder {
    private Optional<String> serial = Optional.empty();
    private @Nullable Path file;
    private OptionalLong size = OptionalLong.empty();
    private int namespaces = 1;
    private int blockSize = 512;
    private int queues = 16;
    private OptionalInt vectors = OptionalInt.empty();
    private int maxTransfer = 512 << 10;
    private Duration latency = Duration.ZERO;
    private Duration formatTime = Duration.ZERO;
    private boolean sharedDoorbells;
    private boolean shadowDoorbells;
    private boolean scatterGather = true;
    private @Nullable NvmeFault fault;
    private long faultAfter;

    private Builder() {}

    /**
     * The serial number, of which the other names that have to be unique are made: two controllers
     * that one host sees need two. By default it is made of the file's path; memory has {@link
     * #SERIAL}.
     *
     * @param text 1 to 20 printable ASCII characters without spaces
     */
    public Builder serial(String text) {
      if (!text.matches("[!-~]{1,20}")) {
        throw new IllegalArgumentException(
            "a serial number is 1 to 20 printable ASCII characters without spaces");
      }
      serial = Optional.of(text);
      return this;
    }

    /** The one namespace is in this file, which exists. */
    public Builder file(Path path) {
      file = path;
      return this;
    }

    /**
     * How many namespaces there are, all of the same size, and each with blocks of its own.
     *
     * @param count 1, the default, to 1024
     */
    public Builder namespaces(int count) {
      namespaces = (int) inRange("number of namespaces", count, 1, MAX_NAMESPACES);
      return this;
    }

    /**
     * The size of each namespace.
     *
     * @param bytes a multiple of the block, up to 16 TiB; of a file, how much of its start is used.
     *     By default a file is used as a whole, and memory has {@link #DEFAULT_SIZE}
     */
    public Builder size(long bytes) {
      size = OptionalLong.of(inRange("size", bytes, 512, MemoryMedia.MAX_SIZE));
      return this;
    }

    /**
     * The size of a logical block, until a host formats a namespace otherwise.
     *
     * @param bytes 512 or 4096
     */
    public Builder blockSize(int bytes) {
      if (bytes != 512 && bytes != 4096) {
        throw new IllegalArgumentException("a block has 512 or 4096 bytes, not " + bytes);
      }
      blockSize = bytes;
      return this;
    }

    /**
     * How many I/O queues of each kind there can be.
     *
     * @param count 1 to 1024
     */
    public Builder queues(int count) {
      queues = (int) inRange("number of queues", count, 1, MAX_QUEUES);
      return this;
    }

    /**
     * How many MSI-X vectors there are; by default one more than I/O queues.
     *
     * @param count 1 to 2048
     */
    public Builder vectors(int count) {
      vectors = OptionalInt.of((int) inRange("number of vectors", count, 1, 2048));
      return this;
    }

    /**
     * The longest transfer of one command (MDTS).
     *
     * @param bytes a power of two, 8 KiB to 256 MiB: MDTS can't tell a single page from no limit
     */
    public Builder maxTransfer(int bytes) {
      if (Integer.bitCount(bytes) != 1) {
        throw new IllegalArgumentException(
            "the longest transfer is a power of two, not " + bytes + " bytes");
      }
      maxTransfer = (int) inRange("longest transfer", bytes, 2 * MIN_PAGE, 256 << 20);
      return this;
    }

    /**
     * How long an I/O command takes, in the bus's time.
     *
     * @param time zero, the default, is at once; up to an hour
     */
    public Builder latency(Duration time) {
      latency = upToAnHour("a command", time);
      return this;
    }

    /**
     * How long Format NVM takes, in the bus's time: meanwhile the namespace takes no commands.
     *
     * @param time zero, the default, is at once; up to an hour
     */
    public Builder formatTime(Duration time) {
      formatTime = upToAnHour("a format", time);
      return this;
    }

    /**
     * Whether doorbells are memory that a thread of the controller polls, as a way to ring without
     * a call; by default they are trapped. The thread takes a processor as long as there are
     * commands, and some milliseconds longer; the longer there are none, the more it sleeps, and
     * the next command may then wait for about a millisecond. In virtual time this is not
     * deterministic.
     */
    public Builder sharedDoorbells(boolean shared) {
      sharedDoorbells = shared;
      return this;
    }

    /**
     * Whether there is Doorbell Buffer Config: a host that uses it writes doorbells to its own
     * memory, and the registers only when the controller would not look otherwise. By default there
     * is not. It excludes {@link #sharedDoorbells}.
     */
    public Builder shadowDoorbells(boolean shadow) {
      shadowDoorbells = shadow;
      return this;
    }

    /** Whether I/O commands may name their data by scatter gather lists; by default they may. */
    public Builder scatterGather(boolean lists) {
      scatterGather = lists;
      return this;
    }

    /** What goes wrong; by default nothing. */
    public Builder fault(NvmeFault what) {
      fault = what;
      return this;
    }

    /**
     * How many I/O commands are served before the fault; by default 0.
     *
     * @param commands 0 or more
     */
    public Builder faultAfter(long commands) {
      faultAfter = inRange("number of commands before the fault", commands, 0, Long.MAX_VALUE);
      return this;
    }

    /**
     * The model.
     *
     * @throws IllegalArgumentException if options contradict each other
     */
    public NvmeModel build() {
      return new NvmeModel(this);
    }

    private static Duration upToAnHour(String what, Duration time) {
      if (time.isNegative() || time.compareTo(Duration.ofHours(1)) > 0) {
        throw new IllegalArgumentException(what + " takes from zero to one hour, not " + time);
      }
      return time;
    }

    private static long inRange(String what, long value, long least, long most) {
      if (value < least || value > most) {
        throw new IllegalArgumentException(
            "the %s is from %d to %d, not %d".formatted(what, least, most, value));
      }
      return value;
    }
  }

  private static String serialOf(Path file) {
    byte[] path = file.toAbsolutePath().normalize().toString().getBytes(StandardCharsets.UTF_8);
    return "GATUN-%012x".formatted(UUID.nameUUIDFromBytes(path).getMostSignificantBits() >>> 16);
  }

  /** Its serial number. */
  public String serial() {
    return serial;
  }

  /** How many namespaces. */
  public int namespaces() {
    return namespaces;
  }

  /** The file that the namespace is in; empty if all are in memory. */
  public Optional<Path> file() {
    return Optional.ofNullable(file);
  }

  /** The size that was asked for, of each namespace, in bytes. */
  public OptionalLong size() {
    return size;
  }

  /** Of a block before any format, in bytes: 512 or 4096. */
  public int blockSize() {
    return blockSize;
  }

  /** The most I/O queues of each kind. */
  public int queues() {
    return queues;
  }

  /** MSI-X vectors. */
  public int vectors() {
    return vectors;
  }

  /** The longest transfer of one command in bytes. */
  public int maxTransfer() {
    return maxTransfer;
  }

  /** How long an I/O command takes. */
  public Duration latency() {
    return latency;
  }

  /** How long Format NVM takes. */
  public Duration formatTime() {
    return formatTime;
  }

  /** Whether doorbells are shared memory. */
  public boolean hasSharedDoorbells() {
    return sharedDoorbells;
  }

  /** Whether there is Doorbell Buffer Config. */
  public boolean hasShadowDoorbells() {
    return shadowDoorbells;
  }

  /** Whether I/O commands may name their data by scatter gather lists. */
  public boolean hasScatterGather() {
    return scatterGather;
  }

  /** What goes wrong; empty if nothing does. */
  public Optional<NvmeFault> fault() {
    return Optional.ofNullable(fault);
  }

  /** How many I/O commands are served before the fault. */
  public long faultAfter() {
    return faultAfter;
  }

  @Override
  public FunctionDescription description() {
    long table = roundUp(NvmeRegisters.sizeWithDoorbells(queues, 0));
    Msix msix = new Msix(vectors, NvmeRegisters.BAR, table, table + 16L * vectors);
    long barSize = Long.highestOneBit(msix.pending() + msix.pendingSize() - 1) << 1;
    List<Bar.Range> ranges =
        sharedDoorbells
            ? List.of(
                new Bar.Range(0, NvmeRegisters.DOORBELLS, Bar.Access.TRAPPED),
                new Bar.Range(
                    NvmeRegisters.DOORBELLS, table - NvmeRegisters.DOORBELLS, Bar.Access.DIRECT),
                new Bar.Range(table, barSize - table, Bar.Access.TRAPPED))
            : List.of(new Bar.Range(0, barSize, Bar.Access.TRAPPED));
    return new FunctionDescription(
        new PciId(RED_HAT, QEMU_NVME, QEMU_SUBSYSTEM_VENDOR, QEMU_SUBSYSTEM),
        new PciClass(NvmeRegisters.CLASS_CODE),
        0,
        true,
        List.of(new BarDescription(NvmeRegisters.BAR, barSize, true, false, ranges)),
        new InterruptDescription(1, 0, Optional.of(msix)));
  }

  @Override
  public RunningModel start(ModelContext context) {
    if (fault == null) {
      return new NvmeDevice(context, this);
    }
    Faults faults = new Faults();
    faults.add(fault.after(faultAfter));
    return faults.on(new Sound()).start(context);
  }

  /** Without the fault. */
  private final class Sound implements DeviceModel {
    @Override
    public FunctionDescription description() {
      return NvmeModel.this.description();
    }

    @Override
    public RunningModel start(ModelContext context) {
      return new NvmeDevice(context, NvmeModel.this);
    }
  }

  private static long roundUp(long size) {
    return (size + MIN_PAGE - 1) & -MIN_PAGE;
  }
}
