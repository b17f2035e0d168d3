package org.gatun.vfiouser.client;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.System.Logger.Level;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.List;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.LinuxException;
import org.gatun.nativeaccess.Mapping;
import org.gatun.nativeaccess.Memfd;
import org.gatun.nativeaccess.UnixSocket;
import org.gatun.nativeaccess.WrongDescriptorException;
import org.gatun.pci.BusRange;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.vfio.common.InfoStruct;
import org.gatun.vfio.common.Region;
import org.gatun.vfio.common.Vfio;
import org.gatun.vfiouser.Limits;
import org.gatun.vfiouser.wire.Capabilities;
import org.gatun.vfiouser.wire.Command;
import org.gatun.vfiouser.wire.Connection;
import org.gatun.vfiouser.wire.DisconnectedException;
import org.gatun.vfiouser.wire.Message;
import org.gatun.vfiouser.wire.ProtocolException;
import org.gatun.vfiouser.wire.Strays;
import org.jspecify.annotations.Nullable;

/**
 * The commands that a client sends. Any thread; one after the other. An error that the server
 * replies is a {@link LinuxException} that names the command; a server that is gone, a {@link
 * DeviceGoneException}.
 */
final class Wire implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(Wire.class.getName());

  private static final int MAJOR = 0;
  private static final int MINOR = 1;

  /** So much longer a reset may take (vfio-user specification, "Command Concurrency"). */
  private static final int RESET_PATIENCE = 6;

  /** Room for the capabilities of a region: at first, and at most. */
  private static final int REGION_INFO_ROOM = 4096;

  private static final int REGION_INFO_LIMIT = 1 << 20;

  /**
   * Where the server does not say which bus addresses it can map: those that any platform has, low
   * ones apart from what a bug makes of a small number.
   */
  private static final List<BusRange> DEFAULT_USABLE =
      List.of(new BusRange(16L << 20, 0xfdff_ffffL), new BusRange(1L << 32, (1L << 38) - 1));

  private final DeviceName device;
  private final Connection connection;
  private final Strays strays;
  private final Limits limits;
  private Capabilities peer = Capabilities.DEFAULT;

  private volatile long end;
  private volatile boolean isEnding;

  /** A region as the server told of it, with what can be mapped of it. */
  record RegionAndFile(Region region, @Nullable Memfd memory) {}

  /** What GET_INFO says. */
  record DeviceInfo(int flags, int regions, int irqs) {}

  /**
   * Takes over a connected socket, and agrees on the version.
   *
   * @throws LinuxException if the server refuses
   */
  static Wire connect(DeviceName device, UnixSocket socket, Limits limits) {
    Wire wire = new Wire(device, socket, limits);
    boolean agreed = false;
    try {
      wire.agree();
      agreed = true;
      return wire;
    } finally {
      if (!agreed) {
        wire.close();
      }
    }
  }

  private Wire(DeviceName device, UnixSocket socket, Limits limits) {
    this.device = device;
    this.limits = limits;
    this.strays = new Strays(device.toString());
    this.connection = new Connection(socket, limits, strays);
  }

  Connection connection() {
    return connection;
  }

  /** The bus addresses that the server can map. */
  List<BusRange> usable() {
    return peer.usable().isEmpty() ? DEFAULT_USABLE : peer.usable();
  }

  /** The smallest page of DMA regions, in bytes. */
  long pageSize() {
    return Math.max(Mapping.pageSize(), Long.lowestOneBit(peer.pageSizes()));
  }

  DeviceInfo info() {
    return call(
        Command.DEVICE_GET_INFO,
        16,
        request -> request.putInt(0, 16),
        16,
        reply -> new DeviceInfo(reply.getInt(4), reply.getInt(8), reply.getInt(12)));
  }

  RegionAndFile region(int index) {
    int room = REGION_INFO_ROOM;
    for (boolean again = true; ; again = false) {
      int argsz = room;
      int fixed = (int) Vfio.REGION_INFO.byteSize();
      int[] needed = new int[1];
      RegionAndFile found =
          call(
              Command.DEVICE_GET_REGION_INFO,
              fixed,
              request -> request.putInt(0, argsz).putInt(8, index),
              fixed,
              reply -> {
                needed[0] = reply.getInt(0);
                return region(index, reply);
              });
      if (!again || needed[0] <= room || needed[0] > REGION_INFO_LIMIT) {
        return found;
      }
      if (found.memory != null) {
        found.memory.close();
      }
      room = needed[0];
    }
  }

  private RegionAndFile region(int index, Message reply) {
    // A copy, aligned: what is in the message goes with it.
    MemorySegment bytes =
        MemorySegment.ofArray(new long[Math.ceilDiv(reply.payloadSize(), Long.BYTES)])
            .asSlice(0, reply.payloadSize());
    bytes.copyFrom(reply.payload());
    Region region = Region.of(new InfoStruct(Vfio.REGION_INFO, bytes), index);
    List<Fd> files = reply.takeDescriptors();
    if (files.isEmpty()) {
      return new RegionAndFile(region, null);
    }
    strays.close(files.subList(1, files.size()));
    return new RegionAndFile(region, memory(index, files.getFirst()));
  }

  /**
   * Only memory is mapped: a page of a file of FUSE comes when its maker likes, and a thread that
   * waits for one in the middle of an access holds up the whole JVM.
   */
  private @Nullable Memfd memory(int index, Fd file) {
    try {
      return Memfd.of(file);
    } catch (WrongDescriptorException e) {
      LOG.log(
          Level.INFO,
          "%s: region %d is reached by messages only: %s".formatted(device, index, e.getMessage()));
      strays.close(List.of(file));
      return null;
    }
  }

  /** The doorbells of a region: none, if the server does not know of such things. */
  WireDoorbells doorbells(Region region) {
    try {
      return call(
          Command.DEVICE_GET_REGION_IO_FDS,
          16,
          request -> request.putInt(0, REGION_INFO_ROOM).putInt(8, region.index()),
          16,
          reply -> WireDoorbells.of(reply, region.size(), strays));
    } catch (LinuxException e) {
      LOG.log(Level.DEBUG, () -> device + ": no doorbells: " + e.getMessage());
      return WireDoorbells.NONE;
    }
  }

  /** Flags in the high half, count in the low one. */
  long irqInfo(int index) {
    return call(
        Command.DEVICE_GET_IRQ_INFO,
        16,
        request -> request.putInt(0, 16).putInt(8, index),
        16,
        reply -> (long) reply.getInt(4) << 32 | Integer.toUnsignedLong(reply.getInt(12)));
  }

  /** How many descriptors a message to the server may have. */
  int descriptorsAtATime() {
    return Math.clamp(connection.peerTakes(), 1, limits.descriptors());
  }

  void setIrqs(int flags, int index, int start, int count, List<Fd> events) {
    call(
        Command.DEVICE_SET_IRQS,
        20,
        request -> {
          request
              .putInt(0, 20)
              .putInt(4, flags)
              .putInt(8, index)
              .putInt(12, start)
              .putInt(16, count)
              .descriptors()
              .addAll(events);
          return request;
        },
        0,
        _ -> null);
  }

  /**
   * As {@link #setIrqs(int, int, int, int, List)}, with eventfds that this process was started
   * with.
   *
   * @param places of them, as the server has them
   */
  void setIrqs(int flags, int index, int start, int[] places) {
    int size = 20 + places.length * Integer.BYTES;
    call(
        Command.DEVICE_SET_IRQS,
        size,
        request -> {
          request
              .putInt(0, size)
              .putInt(4, flags)
              .putInt(8, index)
              .putInt(12, start)
              .putInt(16, places.length);
          for (int i = 0; i < places.length; i++) {
            request.putInt(20 + (long) i * Integer.BYTES, places[i]);
          }
          return request;
        },
        0,
        _ -> null);
  }

  void mapDma(int flags, long address, long size, Fd memory) {
    call(
        Command.DMA_MAP,
        32,
        request -> {
          request
              .putInt(0, 32)
              .putInt(4, flags)
              .putLong(8, 0)
              .putLong(16, address)
              .putLong(24, size)
              .descriptors()
              .add(memory);
          return request;
        },
        0,
        _ -> null);
  }

  void unmapDma(long address, long size) {
    call(
        Command.DMA_UNMAP,
        24,
        request -> request.putInt(0, 24).putLong(8, address).putLong(16, size),
        0,
        _ -> null);
  }

  void reset() {
    try (Connection.Exchange exchange = connection.begin()) {
      exchange.request(Command.DEVICE_RESET, 0);
      check(Command.DEVICE_RESET, exchange.call(0, limits.patience().multipliedBy(RESET_PATIENCE)));
    } catch (DisconnectedException e) {
      throw gone(Command.DEVICE_RESET.toString(), e);
    }
  }

  /** One access. Allocates nothing. */
  long read(int region, long offset, int width) {
    try (Connection.Exchange exchange = connection.begin()) {
      exchange
          .request(Command.REGION_READ, 16)
          .putLong(0, offset)
          .putInt(8, region)
          .putInt(12, width);
      Message reply = exchange.call(16, patience());
      check(Command.REGION_READ, reply);
      if (reply.getInt(12) != width || reply.payloadSize() < 16 + width) {
        throw new DeviceGoneException(
            device, "read of %d bytes: its server sent others".formatted(width), null);
      }
      return switch (width) {
        case 1 -> Byte.toUnsignedLong(reply.getByte(16));
        case 2 -> reply.getShort(16);
        case 4 -> Integer.toUnsignedLong(reply.getInt(16));
        default -> reply.getLong(16);
      };
    } catch (DisconnectedException e) {
      throw gone("read of region %d at 0x%x".formatted(region, offset), e);
    }
  }

  /**
   * One access. Allocates nothing.
   *
   * @param posted whether to go on at once: what is sent later is carried out later, but nothing
   *     else is ordered after it
   */
  void write(int region, long offset, int width, long value, boolean posted) {
    try (Connection.Exchange exchange = connection.begin()) {
      Message request =
          posted
              ? exchange.posted(Command.REGION_WRITE, 16 + width)
              : exchange.request(Command.REGION_WRITE, 16 + width);
      request.putLong(0, offset).putInt(8, region).putInt(12, width);
      switch (width) {
        case 1 -> request.payload(16, 1).set(JAVA_BYTE, 0, (byte) value);
        case 2 -> request.putShort(16, (int) value);
        case 4 -> request.putInt(16, (int) value);
        default -> request.putLong(16, value);
      }
      if (posted) {
        exchange.post();
      } else {
        check(Command.REGION_WRITE, exchange.call(0, patience()));
      }
    } catch (DisconnectedException e) {
      throw gone("write of region %d at 0x%x".formatted(region, offset), e);
    }
  }

  /** From now on all calls together have the time of two: for closing, which makes many. */
  void hurry() {
    end = System.nanoTime() + limits.patience().multipliedBy(2).toNanos();
    isEnding = true;
  }

  @Override
  public void close() {
    connection.close();
  }

  /** How long to wait for a reply. */
  private Duration patience() {
    if (!isEnding) {
      return limits.patience();
    }
    Duration left = Duration.ofNanos(Math.max(0, end - System.nanoTime()));
    return left.compareTo(limits.patience()) < 0 ? left : limits.patience();
  }

  private interface Filler {
    Message fill(Message request);
  }

  private interface Reader<T extends @Nullable Object> {
    T read(Message reply);
  }

  private <T extends @Nullable Object> T call(
      Command command, int size, Filler filler, int least, Reader<T> reader) {
    try (Connection.Exchange exchange = connection.begin()) {
      Message request = exchange.request(command, size);
      Message reply;
      try {
        filler.fill(request);
        reply = exchange.call(least, patience());
      } finally {
        request.descriptors().clear(); // they are the caller's
      }
      check(command, reply);
      return reader.read(reply);
    } catch (DisconnectedException e) {
      throw gone(command.toString(), e);
    }
  }

  private void check(Command command, Message reply) {
    if (reply.isError()) {
      throw new LinuxException(
          "VFIO_USER_" + command, device.toString(), Math.max(reply.errorNumber(), 0));
    }
  }

  private void agree() {
    byte[] json =
        new Capabilities(
                limits.descriptors(),
                limits.transfer(),
                Capabilities.DEFAULT.dmaMaps(),
                Mapping.pageSize(),
                true,
                List.of(new BusRange(0, ~0L)))
            .text();
    int minor =
        call(
            Command.VERSION,
            4 + json.length,
            request -> {
              request.putShort(0, MAJOR).putShort(2, MINOR);
              request.payload(4, json.length).copyFrom(MemorySegment.ofArray(json));
              return request;
            },
            4,
            this::agreed);
    LOG.log(Level.DEBUG, () -> "%s: version %d.%d, %s".formatted(device, MAJOR, minor, peer));
  }

  private int agreed(Message reply) {
    int major = reply.getShort(0);
    int minor = reply.getShort(2);
    if (major != MAJOR || minor > MINOR) {
      throw new ProtocolException(
          "it speaks version %d.%d, not %d.%d".formatted(major, minor, MAJOR, MINOR));
    }
    peer = Capabilities.parse(reply.payload(4, reply.payloadSize() - 4L).toArray(JAVA_BYTE));
    connection.peerTakes(peer.descriptors());
    return minor;
  }

  private DeviceGoneException gone(String operation, DisconnectedException e) {
    return new DeviceGoneException(device, operation + " (" + e.getMessage() + ")", e);
  }
}
