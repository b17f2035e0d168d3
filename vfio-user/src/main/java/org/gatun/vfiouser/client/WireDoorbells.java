package org.gatun.vfiouser.client;

import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.List;
import org.gatun.nativeaccess.EventFd;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.WrongDescriptorException;
import org.gatun.pci.Bar.Doorbell;
import org.gatun.vfiouser.wire.Message;
import org.gatun.vfiouser.wire.Strays;
import org.jspecify.annotations.Nullable;

/**
 * The doorbells of one region (vfio-user specification, "VFIO_USER_DEVICE_GET_REGION_IO_FDS"): a
 * write there signals an eventfd of the server's, and needs no message. Those of a kind that we
 * don't know are left out: writes there are messages.
 */
final class WireDoorbells implements AutoCloseable {
  static final WireDoorbells NONE = new WireDoorbells(List.of(), List.of());

  private static final System.Logger LOG = System.getLogger(WireDoorbells.class.getName());
  private static final int FIXED = 16;
  private static final int ENTRY = 40;
  private static final int IOEVENTFD = 0;
  private static final int DATAMATCH = 1;

  private final Doorbell[] doorbells;
  private final EventFd[] eventFds;

  private WireDoorbells(List<Doorbell> doorbells, List<EventFd> eventFds) {
    this.doorbells = doorbells.toArray(Doorbell[]::new);
    this.eventFds = eventFds.toArray(EventFd[]::new);
  }

  /**
   * What a reply says, none of which is trusted.
   *
   * @param size of the region
   * @param strays gets what is no eventfd
   */
  static WireDoorbells of(Message reply, long size, Strays strays) {
    List<Fd> received = reply.takeDescriptors();
    List<@Nullable EventFd> found = new ArrayList<>();
    for (Fd fd : received) {
      found.add(eventFd(fd, strays));
    }
    List<Doorbell> doorbells = new ArrayList<>();
    List<EventFd> eventFds = new ArrayList<>();
    int there = (reply.payloadSize() - FIXED) / ENTRY;
    long count = Math.min(Integer.toUnsignedLong(reply.getInt(12)), there);
    for (long i = 0; i < count; i++) {
      long at = FIXED + i * ENTRY;
      long offset = reply.getLong(at);
      long width = reply.getLong(at + 8);
      int index = reply.getInt(at + 16);
      EventFd eventFd = index >= 0 && index < found.size() ? found.get(index) : null;
      if (eventFd != null
          && reply.getInt(at + 20) == IOEVENTFD
          && reply.getInt(at + 24) == DATAMATCH
          && Long.bitCount(width) == 1
          && width <= Long.BYTES
          && offset >= 0
          && offset <= size - width
          && offset % width == 0) {
        doorbells.add(new Doorbell(offset, (int) width, reply.getLong(at + 32)));
        eventFds.add(eventFd);
      }
    }
    found.stream().filter(fd -> fd != null && !eventFds.contains(fd)).forEach(EventFd::close);
    return new WireDoorbells(doorbells, eventFds);
  }

  boolean isEmpty() {
    return doorbells.length == 0;
  }

  /**
   * Signals, if that write is one to a doorbell. Allocates nothing. Like a bus that hangs, a server
   * can keep the caller here: with an eventfd that is full, and that it made block.
   *
   * @return whether it was
   */
  boolean ring(long offset, int width, long value) {
    for (int i = 0; i < doorbells.length; i++) {
      Doorbell doorbell = doorbells[i];
      if (doorbell.offset() == offset
          && doorbell.width() == width
          && ((doorbell.value() ^ value) << (Long.SIZE - 8 * width)) == 0) {
        eventFds[i].signal();
        return true;
      }
    }
    return false;
  }

  @Override
  public void close() {
    for (EventFd eventFd : eventFds) {
      eventFd.close();
    }
  }

  private static @Nullable EventFd eventFd(Fd fd, Strays strays) {
    try {
      return EventFd.of(fd);
    } catch (WrongDescriptorException e) {
      LOG.log(Level.WARNING, "a server's doorbell: " + e.getMessage());
      strays.close(List.of(fd));
      return null;
    }
  }
}
