package org.gatun.vfiouser.server;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;

import java.lang.System.Logger.Level;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.gatun.nativeaccess.Errno;
import org.gatun.nativeaccess.EventFd;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.LinuxException;
import org.gatun.nativeaccess.Mapping;
import org.gatun.nativeaccess.UnixSocket;
import org.gatun.pci.Bar;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PciException;
import org.gatun.pci.ResetUnavailableException;
import org.gatun.pci.spi.RemoteMemory;
import org.gatun.vfio.common.Vfio;
import org.gatun.vfiouser.ExportOptions;
import org.gatun.vfiouser.wire.Capabilities;
import org.gatun.vfiouser.wire.Command;
import org.gatun.vfiouser.wire.Connection;
import org.gatun.vfiouser.wire.DisconnectedException;
import org.gatun.vfiouser.wire.Message;
import org.gatun.vfiouser.wire.ProtocolException;
import org.gatun.vfiouser.wire.Refusal;
import org.gatun.vfiouser.wire.Strays;
import org.jspecify.annotations.Nullable;

/**
 * One client at a device, from its VERSION message to its leaving. A message is carried out when
 * all of it was received and checked. {@link #run} is the thread that serves the client; {@link
 * #requestBack}, {@link #fail} and {@link #end} may be called by any other.
 */
public final class Session {
  private static final System.Logger LOG = System.getLogger(Session.class.getName());

  private static final Duration FOREVER = Duration.ofNanos(Long.MAX_VALUE);
  private static final int MAJOR = 0;
  private static final int MINOR = 1;

  /** BARs 0 to 5, ROM, config space, VGA ({@code VFIO_PCI_NUM_REGIONS}). */
  private static final int REGIONS = 9;

  /** INTx, MSI, MSI-X, error, request ({@code VFIO_PCI_NUM_IRQS}). */
  private static final int IRQS = 5;

  private static final int BARS = 6;
  private static final int UNMAP_DIRTY_BITMAP = 1;
  private static final int UNMAP_ALL = 1 << 1;
  private static final int SPARSE_VERSION = 1;
  private static final int MULTI_WRITE = 24;

  /** Of what GET_REGION_IO_FDS tells of one eventfd. */
  private static final int IO_FD_SIZE = 40;

  private static final int IO_FD_TYPE_IOEVENTFD = 0;

  /** {@code KVM_IOEVENTFD_FLAG_DATAMATCH}. */
  private static final int IOEVENTFD_DATAMATCH = 1;

  private final PciDevice device;
  private final ExportOptions options;
  private final Connection connection;
  private final ClientEvents events;
  private final ClientInterrupts interrupts;
  private final ClientMemory memory;
  private final @Nullable ExportedRegion[] regions = new ExportedRegion[REGIONS];
  private final Map<Integer, List<Ring>> ringsByBar = new HashMap<>();
  private final boolean resettable;
  private final Message reply = new Message();
  private boolean greeted;

  /** Bytes that the client lets one message move. */
  private volatile int peerTransfer = Capabilities.DEFAULT.transfer();

  /**
   * Prepares to serve a client.
   *
   * @param client is taken over
   * @param resettable whether the device has a reset that works
   * @throws LinuxException if the descriptors for it can't be had
   */
  public static Session open(
      PciDevice device,
      UnixSocket client,
      ExportOptions options,
      Strays strays,
      boolean resettable) {
    Connection connection = null;
    ClientEvents events = null;
    boolean done = false;
    try {
      connection = new Connection(client, options.limits(), strays);
      events = new ClientEvents(device.name().toString());
      Session session = new Session(device, options, connection, events, resettable);
      done = true;
      return session;
    } finally {
      if (!done) {
        if (events != null) {
          events.close();
        }
        if (connection != null) {
          connection.close();
        } else {
          client.close();
        }
      }
    }
  }

  private Session(
      PciDevice device,
      ExportOptions options,
      Connection connection,
      ClientEvents events,
      boolean resettable) {
    this.device = device;
    this.options = options;
    this.resettable = resettable;
    this.connection = connection;
    this.events = events;
    this.interrupts = new ClientInterrupts(device, events);
    this.memory = new ClientMemory(device.dma(), options, new ByMessages());
    for (Bar bar : device.bars()) {
      regions[bar.index()] =
          switch (bar.kind()) {
            case MEMORY -> new MemoryRegion(bar);
            case IO -> new PortRegion(bar.ports());
          };
    }
    regions[Vfio.PCI_CONFIG_REGION_INDEX] = new ConfigRegion(device.config());
  }

  /** Serves the client until it leaves, or is sent away; then the device is as before. */
  public void run() {
    try {
      for (Message command = nextCommand(); command != null; command = nextCommand()) {
        try {
          serve(command);
        } finally {
          connection.recycle(command);
        }
      }
    } catch (DisconnectedException e) {
      LOG.log(Level.DEBUG, () -> device + ": its client was sent away: " + e.getMessage());
    } catch (ProtocolException e) {
      LOG.log(Level.WARNING, device + ": its client was sent away: " + e.getMessage());
    } catch (RuntimeException | VirtualMachineError e) {
      // A fault of ours, or of the device's model, or no memory is left: the next client is not to
      // suffer from that.
      LOG.log(Level.ERROR, device + ": its client was sent away: " + e, e);
    } finally {
      cleanUp();
    }
  }

  /** Tells the client that the device is wanted back. */
  public void requestBack() {
    interrupts.deviceRequested();
  }

  /** Tells the client that the device has failed. */
  public void fail() {
    interrupts.deviceFailed();
  }

  /** Sends the client away; {@link #run} returns soon. */
  public void end(String why) {
    connection.end(why);
  }

  /** First the device is stopped, then it is taken what it may be using. */
  private void cleanUp() {
    connection.end("its session ended");
    attempt("interrupts off", interrupts::close);
    attempt("stopping it", this::stop);
    attempt("its events", events::close);
    attempt("unmapping its DMA memory", memory::close);
    for (ExportedRegion region : regions) {
      if (region instanceof MemoryRegion bar) {
        attempt("unmapping a BAR", bar::close);
      }
    }
    attempt("its connection", connection::close);
  }

  private void stop() {
    try {
      device.busMaster(false);
      if (resettable) {
        device.reset();
      }
    } catch (DeviceGoneException _) {
      // Then it does nothing any more.
    }
  }

  private void attempt(String step, Runnable action) {
    try {
      action.run();
    } catch (RuntimeException e) {
      LOG.log(
          Level.WARNING,
          device + ": after its client has left, " + step + " failed: " + e.getMessage(),
          e);
    }
  }

  /**
   * A client may be quiet for ever, once it has said that it is one. Who was started with all that
   * it gets may be slow to say it: nobody else waits for the device.
   */
  private @Nullable Message nextCommand() {
    boolean hurried = !greeted && options.inherited().isEmpty();
    return connection.nextCommand(hurried ? options.limits().patience() : FOREVER);
  }

  private void serve(Message command) {
    Message answer = reply;
    try {
      carryOut(command);
    } catch (Refusal e) {
      LOG.log(Level.DEBUG, () -> device + ": refused its client: " + e.getMessage());
      answer = reply.errorTo(command, e.errno());
    } catch (DeviceGoneException e) {
      answer = reply.errorTo(command, Errno.ENODEV);
    } catch (PciException | IllegalArgumentException | IllegalStateException | LinuxException e) {
      LOG.log(Level.DEBUG, device + ": a command of its client's failed", e);
      answer = reply.errorTo(command, Errno.EIO);
    }
    if (!command.isPosted()) {
      try {
        connection.send(answer);
      } finally {
        answer.descriptors().clear(); // they are the device's, not the message's
      }
    }
  }

  /** Leaves the reply in {@link #reply}. */
  private void carryOut(Message message) {
    Command command = Command.of(message.commandNumber());
    if (command == null) {
      throw new Refusal(Errno.EINVAL, "there is no command " + message.commandNumber());
    }
    if (message.payloadSize() < command.requestSize()) {
      throw new Refusal(
          Errno.EINVAL, "%s has %d bytes of payload".formatted(command, message.payloadSize()));
    }
    boolean takesDescriptors =
        switch (command) {
          // SPDK sends one with DMA_UNMAP, too; it is closed.
          case DMA_MAP, DMA_UNMAP, DEVICE_SET_IRQS -> true;
          default -> false;
        };
    if (!takesDescriptors && !message.descriptors().isEmpty()) {
      throw new Refusal(Errno.EINVAL, command + " comes with descriptors");
    }
    if ((command == Command.VERSION) == greeted) {
      throw new ProtocolException(
          greeted ? "VERSION a second time" : command + " comes before VERSION");
    }
    switch (command) {
      case VERSION -> version(message);
      case DMA_MAP -> mapMemory(message);
      case DMA_UNMAP -> unmapMemory(message);
      case DEVICE_GET_INFO -> deviceInfo(message);
      case DEVICE_GET_REGION_INFO -> regionInfo(message);
      case DEVICE_GET_IRQ_INFO -> irqInfo(message);
      case DEVICE_SET_IRQS -> setIrqs(message);
      case REGION_READ -> readRegion(message);
      case REGION_WRITE -> writeRegion(message);
      case REGION_WRITE_MULTI -> writeRegions(message);
      case DEVICE_RESET -> reset(message);
      case DEVICE_GET_REGION_IO_FDS -> regionIoFds(message);
      case DEVICE_FEATURE, MIG_DATA_READ, MIG_DATA_WRITE ->
          throw new Refusal(Errno.EOPNOTSUPP, command + ": there is no migration");
      case DMA_READ, DMA_WRITE ->
          throw new Refusal(Errno.EINVAL, command + " is not for a client to send");
    }
  }

  private void version(Message message) {
    int major = message.getShort(0);
    int minor = message.getShort(2);
    if (major != MAJOR) {
      throw new ProtocolException("it speaks version %d.%d".formatted(major, minor));
    }
    MemorySegment text = message.payload(4, message.payloadSize() - 4L);
    Capabilities theirs = Capabilities.parse(text.toArray(JAVA_BYTE));
    connection.peerTakes(options.inherited().isPresent() ? 0 : theirs.descriptors());
    peerTransfer = theirs.transfer();
    Capabilities ours =
        new Capabilities(
            options.limits().descriptors(),
            options.limits().transfer(),
            options.limits().dmaRegions(),
            Mapping.pageSize(),
            true,
            theirs.usable().isEmpty() ? List.of() : device.dma().usableRanges());
    byte[] json = ours.text();
    reply
        .replyTo(message, 4 + json.length)
        .putShort(0, MAJOR)
        .putShort(2, Math.min(minor, MINOR))
        .payload(4, json.length)
        .copyFrom(MemorySegment.ofArray(json));
    greeted = true;
  }

  private void mapMemory(Message message) {
    memory.map(
        message.getInt(4),
        message.getLong(8),
        message.getLong(16),
        message.getLong(24),
        message.descriptors());
    message.takeDescriptors().forEach(Fd::close); // mapped, and known not to block
    reply.replyTo(message, 0);
  }

  private void unmapMemory(Message message) {
    int flags = message.getInt(4);
    long address = message.getLong(8);
    long size = message.getLong(16);
    if ((flags & UNMAP_DIRTY_BITMAP) != 0) {
      throw new Refusal(Errno.EOPNOTSUPP, "there is no dirty page logging");
    }
    if (flags == UNMAP_ALL && address == 0 && size == 0) {
      memory.close();
    } else if (flags == 0) {
      memory.unmap(address, size);
    } else {
      throw new Refusal(Errno.EINVAL, "flags 0x%x".formatted(flags));
    }
    reply.replyTo(message, 24).putInt(0, 24).putInt(4, flags).putLong(8, address).putLong(16, size);
  }

  private void deviceInfo(Message message) {
    reply
        .replyTo(message, 16)
        .putInt(0, 16)
        .putInt(4, Vfio.DEVICE_FLAGS_PCI | (resettable ? Vfio.DEVICE_FLAGS_RESET : 0))
        .putInt(8, REGIONS)
        .putInt(12, IRQS);
  }

  private void regionInfo(Message message) {
    int index = message.getInt(8);
    if (index < 0 || index >= REGIONS) {
      throw new Refusal(Errno.EINVAL, "there is no region " + index);
    }
    ExportedRegion region = regions[index];
    int fixed = (int) Vfio.REGION_INFO.byteSize();
    if (region == null) {
      reply.replyTo(message, fixed).putInt(0, fixed).putInt(8, index);
      return;
    }
    Optional<MemoryRegion.Sharing> sharing =
        connection.peerTakes() > 0 && region instanceof MemoryRegion bar
            ? bar.share()
            : Optional.empty();
    int flags = Vfio.REGION_INFO_FLAG_READ | Vfio.REGION_INFO_FLAG_WRITE;
    if (sharing.isEmpty()) {
      reply
          .replyTo(message, fixed)
          .putInt(0, fixed)
          .putInt(4, flags)
          .putInt(8, index)
          .putLong(16, region.size());
      return;
    }
    MemoryRegion.Sharing shared = sharing.get();
    int sparse =
        (int)
            (Vfio.REGION_INFO_CAP_SPARSE.byteSize()
                + shared.areas().size() * Vfio.SPARSE_MMAP_AREA.byteSize());
    // Where the client left no room for it, it asks again.
    boolean fits = Integer.toUnsignedLong(message.getInt(0)) >= fixed + sparse;
    reply
        .replyTo(message, fits ? fixed + sparse : fixed)
        .putInt(0, fixed + sparse)
        .putInt(4, flags | Vfio.REGION_INFO_FLAG_MMAP | Vfio.REGION_INFO_FLAG_CAPS)
        .putInt(8, index)
        .putInt(12, fits ? fixed : 0)
        .putLong(16, region.size())
        .putLong(24, shared.base());
    if (fits) {
      reply
          .putShort(fixed, Vfio.REGION_INFO_CAP_SPARSE_MMAP)
          .putShort(fixed + 2, SPARSE_VERSION)
          .putInt(fixed + 4, 0)
          .putInt(fixed + 8, shared.areas().size())
          .putInt(fixed + 12, 0);
      long at = fixed + Vfio.REGION_INFO_CAP_SPARSE.byteSize();
      for (var area : shared.areas()) {
        reply.putLong(at, area.offset()).putLong(at + 8, area.size());
        at += Vfio.SPARSE_MMAP_AREA.byteSize();
      }
    }
    reply.descriptors().add(shared.file());
  }

  private void irqInfo(Message message) {
    int index = irqIndex(message);
    reply
        .replyTo(message, 16)
        .putInt(0, 16)
        .putInt(4, interrupts.flags(index))
        .putInt(8, index)
        .putInt(12, interrupts.count(index));
  }

  private void setIrqs(Message message) {
    ClientInterrupts.Setting setting =
        new ClientInterrupts.Setting(
            message.getInt(4),
            irqIndex(message),
            message.getInt(12),
            message.getInt(16),
            message.payload(20, message.payloadSize() - 20L));
    options.inherited().ifPresent(events -> addInherited(setting, events, message.descriptors()));
    interrupts.set(setting, message.descriptors());
    reply.replyTo(message, 0);
  }

  /** As if the client had passed those that it names. */
  private static void addInherited(
      ClientInterrupts.Setting setting, List<EventFd> events, List<Fd> descriptors) {
    if (!setting.namesEvents()) {
      return;
    }
    for (long i = 0; i < setting.count(); i++) {
      int index = setting.data().get(JAVA_INT_UNALIGNED, i * Integer.BYTES);
      if (index < 0 || index >= events.size()) {
        throw new Refusal(Errno.EINVAL, "event %d of %d".formatted(index, events.size()));
      }
      Fd event = events.get(index).fd();
      descriptors.add(event.duplicate(event + " for interrupts"));
    }
  }

  private static int irqIndex(Message message) {
    int index = message.getInt(8);
    if (index < 0 || index >= IRQS) {
      throw new Refusal(Errno.EINVAL, "there are no interrupts " + index);
    }
    return index;
  }

  private void readRegion(Message message) {
    long offset = message.getLong(0);
    int index = message.getInt(8);
    int count = count(message);
    ExportedRegion region = region(index);
    reply.replyTo(message, 16 + count);
    region.read(offset, reply.payload(16, count));
    reply.putLong(0, offset).putInt(8, index).putInt(12, count);
  }

  private void writeRegion(Message message) {
    long offset = message.getLong(0);
    int index = message.getInt(8);
    int count = count(message);
    if (message.payloadSize() - 16 != count) {
      throw new Refusal(
          Errno.EINVAL, "%d bytes to write, %d sent".formatted(count, message.payloadSize() - 16));
    }
    write(index, offset, message.payload(16, count));
    reply.replyTo(message, 16).putLong(0, offset).putInt(8, index).putInt(12, count);
  }

  private void writeRegions(Message message) {
    long number = message.getLong(0);
    if (number < 0
        || number != (message.payloadSize() - 8) / MULTI_WRITE
        || (message.payloadSize() - 8) % MULTI_WRITE != 0) {
      throw new Refusal(Errno.EINVAL, "0x%x writes do not fill the message".formatted(number));
    }
    for (long i = 0, at = 8; i < number; i++, at += MULTI_WRITE) {
      int count = message.getInt(at + 12);
      if (count < 0 || count > Long.BYTES) {
        throw new Refusal(Errno.EINVAL, "one of several writes has %d bytes".formatted(count));
      }
    }
    for (long i = 0, at = 8; i < number; i++, at += MULTI_WRITE) {
      int count = message.getInt(at + 12);
      write(message.getInt(at + 8), message.getLong(at), message.payload(at + 16, count));
    }
    reply.replyTo(message, 8).putLong(0, number);
  }

  private void write(int index, long offset, MemorySegment data) {
    region(index).write(offset, data);
    if (index == Vfio.PCI_CONFIG_REGION_INDEX) {
      interrupts.rearm(); // what was written may have reset the function
    }
  }

  private int count(Message message) {
    int count = message.getInt(12);
    if (count < 0 || count > options.limits().transfer()) {
      throw new Refusal(Errno.EINVAL, "a transfer of %d bytes".formatted(count & 0xffff_ffffL));
    }
    return count;
  }

  private ExportedRegion region(int index) {
    ExportedRegion region = index >= 0 && index < REGIONS ? regions[index] : null;
    if (region == null) {
      throw new Refusal(Errno.EINVAL, "there is no region " + index);
    }
    return region;
  }

  private void reset(Message message) {
    try {
      device.reset();
    } catch (ResetUnavailableException e) {
      throw new Refusal(Errno.EOPNOTSUPP, String.valueOf(e.getMessage()));
    }
    interrupts.rearm();
    reply.replyTo(message, 0);
  }

  private void regionIoFds(Message message) {
    int index = message.getInt(8);
    if (index < 0 || index >= BARS || message.getInt(4) != 0) {
      throw new Refusal(Errno.EINVAL, "no region " + index + " has descriptors for I/O");
    }
    List<Ring> rings = rings(index);
    int size = 16 + rings.size() * IO_FD_SIZE;
    boolean fits = Integer.toUnsignedLong(message.getInt(0)) >= size;
    reply.replyTo(message, fits ? size : 16).putInt(0, size).putInt(8, index);
    if (!fits) {
      return; // the client asks again
    }
    reply.putInt(12, rings.size());
    for (int i = 0; i < rings.size(); i++) {
      Bar.Doorbell doorbell = rings.get(i).doorbell;
      long at = 16 + (long) i * IO_FD_SIZE;
      reply
          .putLong(at, doorbell.offset())
          .putLong(at + 8, doorbell.width())
          .putInt(at + 16, i)
          .putInt(at + 20, IO_FD_TYPE_IOEVENTFD)
          .putInt(at + 24, IOEVENTFD_DATAMATCH)
          .putInt(at + 28, 0)
          .putLong(at + 32, doorbell.value());
      reply.descriptors().add(rings.get(i).eventFd.fd());
    }
  }

  /** The doorbells of a BAR, as many as the client takes descriptors, each with an eventfd. */
  private List<Ring> rings(int index) {
    if (!(regions[index] instanceof MemoryRegion bar)) {
      return List.of();
    }
    return ringsByBar.computeIfAbsent(
        index,
        _ ->
            bar.doorbells().stream()
                .limit(Math.min(connection.peerTakes(), options.limits().descriptors()))
                .map(doorbell -> ring(bar, doorbell))
                .toList());
  }

  private Ring ring(MemoryRegion bar, Bar.Doorbell doorbell) {
    EventFd eventFd =
        EventFd.createToShare("%s doorbell 0x%x".formatted(device.name(), doorbell.offset()));
    events.watch(
        eventFd, () -> bar.writeOnce(doorbell.offset(), doorbell.width(), doorbell.value()));
    return new Ring(doorbell, eventFd);
  }

  /** An eventfd that a client signals in place of a write. */
  private record Ring(Bar.Doorbell doorbell, EventFd eventFd) {}

  /** Memory of which the client gave no descriptor. */
  private final class ByMessages implements RemoteMemory {
    @Override
    public void read(long busAddress, MemorySegment target) {
      transfer(busAddress, target, false);
    }

    @Override
    public void write(long busAddress, MemorySegment source) {
      transfer(busAddress, source, true);
    }

    private void transfer(long busAddress, MemorySegment data, boolean write) {
      long most = Math.min(options.limits().transfer(), peerTransfer);
      for (long done = 0; done < data.byteSize(); done += most) {
        long part = Math.min(most, data.byteSize() - done);
        try {
          transferPart(busAddress + done, data.asSlice(done, part), write);
        } catch (DisconnectedException e) {
          throw new PciException(device.name(), "its client has left", null, e);
        }
      }
    }

    private void transferPart(long busAddress, MemorySegment data, boolean write) {
      int size = (int) data.byteSize();
      try (Connection.Exchange exchange = connection.begin()) {
        Message request =
            write
                ? exchange.request(Command.DMA_WRITE, 16 + size)
                : exchange.request(Command.DMA_READ, 16);
        request.putLong(0, busAddress).putLong(8, size);
        if (write) {
          request.payload(16, size).copyFrom(data);
        }
        Message answer = exchange.call(write ? 12 : 16 + size, options.limits().patience());
        if (answer.isError() || answer.getLong(0) != busAddress || answer.getInt(8) != size) {
          throw new PciException(
              device.name(),
              "its client refused 0x%x bytes at bus address 0x%x".formatted(size, busAddress),
              null,
              null);
        }
        if (!write) {
          data.copyFrom(answer.payload(16, size));
        }
      }
    }
  }
}
