package org.gatun.broker.launcher;

import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.gatun.pci.DeviceName;

/**
 * What stage 2 is told: which guest to run, on which device. With it come descriptors: the socket
 * at which the device is served, the memory, the events, and a file for each range, in this order.
 *
 * @param guest its name, for people
 * @param module that provides the guest
 * @param modulePath as the process sees it
 * @param arguments for the guest
 * @param device its name, as the broker has it
 * @param watchdog whether the guest is to say itself that it is alive
 * @param locks that are still to be closed
 * @param busAddress at which the device finds the memory
 * @param memorySize in bytes, whole pages
 * @param events how many eventfds there are
 * @param ranges of BARs that are mapped
 */
public record Assignment(
    String guest,
    String module,
    List<Path> modulePath,
    List<String> arguments,
    DeviceName device,
    boolean watchdog,
    Set<Lock> locks,
    long busAddress,
    long memorySize,
    int events,
    List<Range> ranges) {
  /**
   * A part of a BAR, and where it is in its file.
   *
   * @param offset in the BAR, whole pages as the others
   */
  public record Range(int bar, long offset, long length, long fileOffset) {}

  /** Copies the collections. */
  public Assignment {
    modulePath = List.copyOf(modulePath);
    arguments = List.copyOf(arguments);
    locks = Set.copyOf(locks);
    ranges = List.copyOf(ranges);
  }

  /** How many descriptors come with it. */
  public int descriptors() {
    return 2 + events + ranges.size();
  }

  /** For the control socket. */
  public byte[] encode() {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (DataOutputStream out = new DataOutputStream(bytes)) {
      out.writeUTF(guest);
      out.writeUTF(module);
      Plan.writeTexts(out, modulePath);
      Plan.writeTexts(out, arguments);
      out.writeUTF(device.toString());
      out.writeBoolean(watchdog);
      Plan.writeTexts(out, locks.stream().map(Lock::name).toList());
      out.writeLong(busAddress);
      out.writeLong(memorySize);
      out.writeInt(events);
      out.writeInt(ranges.size());
      for (Range range : ranges) {
        out.writeInt(range.bar);
        out.writeLong(range.offset);
        out.writeLong(range.length);
        out.writeLong(range.fileOffset);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return bytes.toByteArray();
  }

  /** As {@link #encode} wrote it. */
  static Assignment decode(InputStream bytes) throws IOException {
    try (DataInputStream in = new DataInputStream(bytes)) {
      return new Assignment(
          in.readUTF(),
          in.readUTF(),
          Plan.readPaths(in),
          Plan.readTexts(in),
          DeviceName.parse(in.readUTF()),
          in.readBoolean(),
          Set.copyOf(Plan.readTexts(in).stream().map(Lock::valueOf).toList()),
          in.readLong(),
          in.readLong(),
          in.readInt(),
          readRanges(in));
    }
  }

  private static List<Range> readRanges(DataInputStream in) throws IOException {
    List<Range> ranges = new ArrayList<>();
    for (int left = in.readInt(); left > 0; left--) {
      ranges.add(new Range(in.readInt(), in.readLong(), in.readLong(), in.readLong()));
    }
    return ranges;
  }
}
