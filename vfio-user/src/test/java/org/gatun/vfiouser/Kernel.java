package org.gatun.vfiouser;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.util.List;
import org.gatun.nativeaccess.Fd;

/** Descriptors that native-access makes none of, of kinds that no good peer sends. */
@SuppressWarnings("restricted") // a test's own calls
final class Kernel {
  private static final int AF_INET = 2;
  private static final int SOCK_STREAM = 1;
  private static final int SOL_SOCKET = 1;
  private static final int SO_LINGER = 13;
  private static final int F_SETFL = 4;
  private static final int O_RDWR = 2;
  private static final int RLIMIT_NOFILE = 7;
  private static final int MSG_DONTWAIT = 0x40;

  private Kernel() {}

  /** A pipe's ends. */
  static List<Fd> pipe() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment two = arena.allocate(JAVA_INT, 2);
      check(call("pipe", FunctionDescriptor.of(JAVA_INT, ADDRESS), two));
      return List.of(
          own(two.getAtIndex(JAVA_INT, 0), "pipe"), own(two.getAtIndex(JAVA_INT, 1), "pipe"));
    }
  }

  /** Clears O_NONBLOCK, for all who have the file. */
  static void block(Fd fd) {
    check(
        call(
            "fcntl",
            FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT),
            number(fd),
            F_SETFL,
            O_RDWR));
  }

  /** A limit on the number of open descriptors, until it is closed. */
  static AutoCloseable limitDescriptors(long limit) {
    FunctionDescriptor signature = FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS);
    Arena arena = Arena.ofAuto();
    MemorySegment before = arena.allocate(16, 8);
    check(call("getrlimit", signature, RLIMIT_NOFILE, before));
    MemorySegment now = arena.allocate(16, 8).copyFrom(before);
    now.set(JAVA_LONG, 0, limit);
    check(call("setrlimit", signature, RLIMIT_NOFILE, now));
    return () -> check(call("setrlimit", signature, RLIMIT_NOFILE, before));
  }

  static int number(Fd fd) {
    try {
      var field = Fd.class.getDeclaredField("number");
      field.setAccessible(true);
      return field.getInt(fd);
    } catch (ReflectiveOperationException e) {
      throw new LinkageError("Fd", e);
    }
  }

  /**
   * A TCP connection whose other end reads nothing, with more sent than goes through, and told to
   * wait for that when it is closed: whoever closes it last waits, until this is closed.
   */
  static final class Lingering implements BlocksWhoCloses {
    private final ServerSocket server;
    private final Fd fd;

    Lingering(int seconds) {
      try {
        server = new ServerSocket();
        server.setReceiveBufferSize(1024);
        server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 1);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      fd =
          own(
              call(
                  "socket",
                  FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT),
                  AF_INET,
                  SOCK_STREAM,
                  0),
              "lingering socket");
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment address = arena.allocate(16, 4);
        int port = server.getLocalPort();
        address.set(JAVA_SHORT, 0, (short) AF_INET);
        address.set(JAVA_BYTE, 2, (byte) (port >> 8));
        address.set(JAVA_BYTE, 3, (byte) port);
        address.asSlice(4, 4).copyFrom(MemorySegment.ofArray(new byte[] {127, 0, 0, 1}));
        check(
            call(
                "connect",
                FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT),
                number(fd),
                address,
                16));
        MemorySegment linger = arena.allocateFrom(JAVA_INT, 1, seconds);
        check(
            call(
                "setsockopt",
                FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT),
                number(fd),
                SOL_SOCKET,
                SO_LINGER,
                linger,
                8));
        MemorySegment data = arena.allocate(1 << 16);
        int sent;
        do {
          sent =
              call(
                  "send",
                  FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT),
                  number(fd),
                  data,
                  (int) data.byteSize(),
                  MSG_DONTWAIT);
        } while (sent > 0);
      }
    }

    @Override
    public Fd fd() {
      return fd;
    }

    @Override
    public void close() {
      try {
        server.close(); // nobody accepted: that resets the connection
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      fd.close();
    }
  }

  private static Fd own(int number, String description) {
    check(number);
    try {
      var constructor = Fd.class.getDeclaredConstructor(int.class, String.class);
      constructor.setAccessible(true);
      return constructor.newInstance(number, description);
    } catch (ReflectiveOperationException e) {
      throw new LinkageError("Fd", e);
    }
  }

  static int call(String name, FunctionDescriptor signature, Object... arguments) {
    Linker linker = Linker.nativeLinker();
    Linker.Option[] options =
        name.equals("fcntl")
            ? new Linker.Option[] {Linker.Option.firstVariadicArg(2)}
            : new Linker.Option[0];
    MethodHandle handle =
        linker.downcallHandle(linker.defaultLookup().find(name).orElseThrow(), signature, options);
    try {
      return (int) handle.invokeWithArguments(arguments);
    } catch (Throwable e) {
      throw new LinkageError(name, e);
    }
  }

  private static void check(int result) {
    if (result < 0) {
      throw new IllegalStateException("the kernel refuses");
    }
  }
}
