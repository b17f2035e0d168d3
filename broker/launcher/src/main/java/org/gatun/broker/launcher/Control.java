package org.gatun.broker.launcher;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;

import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.gatun.nativeaccess.Errno;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.LinuxException;
import org.gatun.nativeaccess.UnixSocket;

/**
 * The control socket between a broker and a guest's process: messages with descriptors to the
 * process while it is trusted, and {@linkplain Step steps} both ways.
 */
public final class Control implements AutoCloseable {
  /** Paths and arguments; what is longer is no message of ours. */
  private static final int LONGEST = 1 << 20;

  /** More signs of life than there can be between two looks: there is one each second. */
  private static final int SOME = 64;

  private final UnixSocket socket;

  /**
   * @param socket connected; is taken over
   */
  @SuppressWarnings("exports") // to our own modules
  public Control(UnixSocket socket) {
    this.socket = socket;
  }

  /** The socket, which stays this object's. */
  @SuppressWarnings("exports") // to our own modules
  public UnixSocket socket() {
    return socket;
  }

  /** A message, and the descriptors that came with it: the receiver's. */
  record Received(InputStream message, List<Fd> descriptors) {}

  /**
   * Sends a message.
   *
   * @param descriptors that go with it; they stay the caller's
   */
  @SuppressWarnings("exports") // to our own modules
  public void send(byte[] message, List<Fd> descriptors) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment bytes = arena.allocate(Integer.BYTES + message.length);
      bytes.set(JAVA_INT_UNALIGNED, 0, message.length);
      MemorySegment.copy(message, 0, bytes, JAVA_BYTE, Integer.BYTES, message.length);
      socket.send(bytes, 0, bytes.byteSize(), descriptors);
    }
  }

  /**
   * Receives a message.
   *
   * @param limit how many descriptors may come
   * @throws IOException if the other end has closed
   */
  Received receive(int limit) throws IOException {
    List<Fd> descriptors = new ArrayList<>();
    try (Arena arena = Arena.ofConfined()) {
      int length = receive(arena, Integer.BYTES, limit, descriptors).get(JAVA_INT_UNALIGNED, 0);
      if (length < 0 || length > LONGEST) {
        throw new IOException("a message of " + length + " bytes");
      }
      return new Received(
          new ByteArrayInputStream(receive(arena, length, limit, descriptors).toArray(JAVA_BYTE)),
          descriptors);
    }
  }

  /** Tells the other end one step. */
  public void send(Step step) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment one = arena.allocate(1);
      one.set(JAVA_BYTE, 0, step.sign());
      socket.send(one, 0, 1, List.of());
    }
  }

  /**
   * Waits for a step.
   *
   * @throws IOException if something else comes, or the other end has closed
   */
  public void await(Step step) throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      int came = receive(arena, 1, 0, new ArrayList<>()).get(JAVA_BYTE, 0);
      if (came != step.sign()) {
        throw new IOException("%s was to come, not %d".formatted(step, came));
      }
    }
  }

  /** What a guest, which is not trusted, has said lately. */
  public enum Heard {
    /** That it lives. */
    ALIVE,
    NOTHING,
    /** Something else, or a descriptor, or so often that it lives that it is a flood. */
    NONSENSE,
    /** It has closed its end. */
    END
  }

  /**
   * Listens for the receive time-out of the socket, and reads no more than a little of what has
   * come.
   */
  public Heard heard() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment some = arena.allocate(SOME);
      long count = socket.receive(some, 0, SOME, 0, new ArrayList<>());
      if (count == SOME) {
        return Heard.NONSENSE;
      }
      for (long i = 0; i < count; i++) {
        if (some.get(JAVA_BYTE, i) != Step.ALIVE.sign()) {
          return Heard.NONSENSE;
        }
      }
      return count < 0 ? Heard.NOTHING : count == 0 ? Heard.END : Heard.ALIVE;
    } catch (LinuxException e) {
      return e.errno() == Errno.EMSGSIZE ? Heard.NONSENSE : Heard.END;
    }
  }

  @Override
  public void close() {
    socket.close();
  }

  private MemorySegment receive(Arena arena, int length, int limit, List<Fd> descriptors)
      throws IOException {
    MemorySegment bytes = arena.allocate(Math.max(length, 1));
    for (long done = 0; done < length; ) {
      long count;
      try {
        count = socket.receive(bytes, done, length - done, limit, descriptors);
      } catch (LinuxException e) {
        throw new IOException(e.getMessage(), e);
      }
      if (count <= 0) {
        throw new EOFException(count < 0 ? "nothing came in time" : "the other end has closed");
      }
      done += count;
    }
    return bytes.asSlice(0, length);
  }
}
