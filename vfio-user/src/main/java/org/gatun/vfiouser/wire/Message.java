package org.gatun.vfiouser.wire;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static java.nio.ByteOrder.LITTLE_ENDIAN;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.gatun.nativeaccess.Errno;
import org.gatun.nativeaccess.Fd;

/**
 * A message to be sent, or one that was received: whole, in memory of our own, so that what was
 * checked once stays as it was. Used again for other messages. For one thread at a time.
 *
 * <p>The byte order is the machine's, which Gatun runs on only where that is little-endian
 * (vfio-user specification, "Protocol Specification").
 */
public final class Message {
  /** Of the header, in bytes (vfio-user specification, "Header"). */
  public static final int HEADER = 16;

  private static final ValueLayout.OfShort U16 = JAVA_SHORT.withOrder(LITTLE_ENDIAN);
  private static final ValueLayout.OfInt U32 = JAVA_INT_UNALIGNED.withOrder(LITTLE_ENDIAN);
  private static final ValueLayout.OfLong U64 = JAVA_LONG_UNALIGNED.withOrder(LITTLE_ENDIAN);

  private static final int ID = 0;
  private static final int COMMAND = 2;
  private static final int SIZE = 4;
  private static final int FLAGS = 8;
  private static final int ERROR = 12;

  private static final int TYPE_MASK = 0xf;
  private static final int TYPE_COMMAND = 0;
  private static final int TYPE_REPLY = 1;
  private static final int NO_REPLY = 1 << 4;
  private static final int HAS_ERROR = 1 << 5;

  /**
   * What there is room for at least, in bytes. Most messages are smaller: a queue of them is to
   * take little memory.
   */
  static final int INITIAL_CAPACITY = 512;

  private MemorySegment bytes = allocate(INITIAL_CAPACITY);
  private final List<Fd> descriptors = new ArrayList<>();

  /** Makes it a request. */
  public Message request(Command command, int id, int payloadSize) {
    return start(command.number(), id, TYPE_COMMAND, 0, payloadSize);
  }

  /** Makes it a request that is not to be replied to. */
  public Message posted(Command command, int id, int payloadSize) {
    return start(command.number(), id, TYPE_COMMAND | NO_REPLY, 0, payloadSize);
  }

  /** Makes it the reply to a request. */
  public Message replyTo(Message request, int payloadSize) {
    return start(request.commandNumber(), request.id(), TYPE_REPLY, 0, payloadSize);
  }

  /** Makes it a reply that says what is wrong: without payload. */
  public Message errorTo(Message request, Errno errno) {
    return start(request.commandNumber(), request.id(), TYPE_REPLY | HAS_ERROR, errno.number(), 0);
  }

  /** Which request it is or replies to, for its sender. */
  public int id() {
    return Short.toUnsignedInt(bytes.get(U16, ID));
  }

  /** The command, which may be one that there is not. */
  public int commandNumber() {
    return Short.toUnsignedInt(bytes.get(U16, COMMAND));
  }

  /** Of all of it, in bytes, unsigned; of a received header not checked yet. */
  public long size() {
    return Integer.toUnsignedLong(bytes.get(U32, SIZE));
  }

  /** Of what follows the header, in bytes. */
  public int payloadSize() {
    return (int) size() - HEADER;
  }

  /** Whether it is a command, to be carried out. */
  public boolean isCommand() {
    return (bytes.get(U32, FLAGS) & TYPE_MASK) == TYPE_COMMAND;
  }

  /** Whether it is a reply. */
  public boolean isReply() {
    return (bytes.get(U32, FLAGS) & TYPE_MASK) == TYPE_REPLY;
  }

  /** Whether nobody waits for a reply. */
  public boolean isPosted() {
    return (bytes.get(U32, FLAGS) & NO_REPLY) != 0;
  }

  /** Whether the peer says that something went wrong; {@link #errorNumber} tells what. */
  public boolean isError() {
    return (bytes.get(U32, FLAGS) & HAS_ERROR) != 0;
  }

  /** An errno, or anything. */
  public int errorNumber() {
    return bytes.get(U32, ERROR);
  }

  /** The descriptors that come with it: of a received message the receiver's, to be closed. */
  public List<Fd> descriptors() {
    return descriptors;
  }

  /** Takes the descriptors out: they are the caller's. */
  public List<Fd> takeDescriptors() {
    List<Fd> taken = List.copyOf(descriptors);
    descriptors.clear();
    return taken;
  }

  /**
   * What follows the header. Changes with the message.
   *
   * @param offset into the payload
   */
  public MemorySegment payload(long offset, long length) {
    return bytes.asSlice(HEADER + offset, length);
  }

  /** All of the payload. */
  public MemorySegment payload() {
    return payload(0, payloadSize());
  }

  /** Reads a field of the payload. */
  public int getInt(long offset) {
    return bytes.get(U32, HEADER + offset);
  }

  /** Reads a field of the payload. */
  public long getLong(long offset) {
    return bytes.get(U64, HEADER + offset);
  }

  /** Reads a field of the payload. */
  public byte getByte(long offset) {
    return bytes.get(JAVA_BYTE, HEADER + offset);
  }

  /** Reads a field of the payload. */
  public int getShort(long offset) {
    return Short.toUnsignedInt(bytes.get(U16, HEADER + offset));
  }

  /** Writes a field of the payload. */
  public Message putInt(long offset, int value) {
    bytes.set(U32, HEADER + offset, value);
    return this;
  }

  /** Writes a field of the payload. */
  public Message putLong(long offset, long value) {
    bytes.set(U64, HEADER + offset, value);
    return this;
  }

  /** Writes a field of the payload. */
  public Message putShort(long offset, int value) {
    bytes.set(U16, HEADER + offset, (short) value);
    return this;
  }

  /** How much memory it takes, in bytes. */
  long capacity() {
    return bytes.byteSize();
  }

  /** Where a received header and payload go, and what is sent. */
  MemorySegment bytes() {
    return bytes;
  }

  /** Makes room for all of a message whose beginning is there, of a size that was checked. */
  void ensure(long size) {
    if (bytes.byteSize() < size) {
      MemorySegment larger = allocate(Math.max(size, 2 * bytes.byteSize()));
      MemorySegment.copy(bytes, 0, larger, 0, bytes.byteSize());
      bytes = larger;
    }
  }

  private Message start(int command, int id, int flags, int error, int payloadSize) {
    ensure((long) HEADER + payloadSize);
    bytes.set(U16, ID, (short) id);
    bytes.set(U16, COMMAND, (short) command);
    bytes.set(U32, SIZE, HEADER + payloadSize);
    bytes.set(U32, FLAGS, flags);
    bytes.set(U32, ERROR, error);
    bytes.asSlice(HEADER, Math.min(payloadSize, 64)).fill((byte) 0);
    descriptors.clear();
    return this;
  }

  private static MemorySegment allocate(long size) {
    return Arena.ofAuto().allocate(size, Long.BYTES);
  }
}
