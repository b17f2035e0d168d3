package org.gatun.hostile;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * Messages of one's own making, on both connections that the process holds (vfio-user
 * specification, and the launcher's steps). An outcome ends with how many descriptors have come.
 */
final class WireAttempts {
  private static final int HEADER = 16;
  private static final int COMMAND = 0;
  private static final int REPLY = 1;
  private static final int NO_REPLY = 1 << 4;
  private static final int IS_REPLY = 0xf;

  private static final int VERSION = 1;
  private static final int DMA_MAP = 2;
  private static final int DMA_UNMAP = 3;
  private static final int GET_INFO = 4;
  private static final int GET_REGION_INFO = 5;
  private static final int GET_REGION_IO_FDS = 6;
  private static final int SET_IRQS = 8;
  private static final int REGION_READ = 9;
  private static final int REGION_WRITE = 10;
  private static final int DMA_READ = 11;
  private static final int RESET = 13;
  private static final int WRITE_MULTI = 15;

  private static final int CONFIG_REGION = 7;
  private static final int CONFIG_SIZE = 4096;
  private static final int READ_WRITE = 3;

  /** {@code VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER}. */
  private static final int EVENT_TRIGGER = 1 << 2 | 1 << 5;

  private static final int FLOOD_CHUNK = 1 << 16;

  private static @Nullable WireAttempts device;

  private final RawSocket socket;
  private int nextId;

  /** What came of a message: the number of an error, or 0, or {@link #CLOSED}. */
  private record Answer(int error, ByteBuffer payload) {}

  private static final int CLOSED = -1;

  private WireAttempts(RawSocket socket) {
    this.socket = socket;
  }

  /** Makes one on the socket of the device. */
  static synchronized String device(List<String> arguments) throws IOException {
    WireAttempts attempts = device;
    if (attempts == null) {
      attempts = new WireAttempts(RawSocket.device());
      attempts.takeOver();
      device = attempts;
    }
    String outcome = attempts.make(arguments.getFirst(), arguments);
    return outcome + ", " + attempts.socket.descriptors() + " descriptors";
  }

  /**
   * A thread of the client's may be in the middle of receiving from the socket still, and would
   * have the reply to the first attempt: it gets that to a message that is none.
   */
  private void takeOver() {
    socket.briefly(() -> exchange(GET_INFO, payload(16).putInt(0, 16)));
  }

  /** Makes one on the control socket. */
  static String control(List<String> arguments) {
    RawSocket control = RawSocket.control();
    byte[] alive = {'.'};
    return switch (arguments.getFirst()) {
      case "byte" -> sentToBroker(control.send(new byte[] {'x'}, 0));
      case "descriptor" -> sentToBroker(control.send(alive, 0, RawSocket.openNull()));
      case "descriptors" -> {
        int[] many = new int[250];
        for (int i = 0; i < many.length; i++) {
          many[i] = RawSocket.openNull();
        }
        yield sentToBroker(control.send(alive, 0, many));
      }
      case "end" -> {
        control.endSending();
        yield sentToBroker(0);
      }
      case "receive" -> {
        byte[] came = control.receive(64, RawSocket.MSG_DONTWAIT);
        yield came.length + " bytes, " + control.descriptors() + " descriptors";
      }
      case "flood" -> {
        byte[] chunk = new byte[FLOOD_CHUNK];
        Arrays.fill(chunk, (byte) '.');
        yield sentToBroker(flood(control, chunk, arguments.get(1), RawSocket.MSG_DONTWAIT));
      }
      default -> throw new IllegalArgumentException("there is no attempt " + arguments);
    };
  }

  /** If this is ever printed, the broker has let it pass. */
  private static String sentToBroker(long result) {
    try {
      Thread.sleep(20_000);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return "sent " + result + ", and still there";
  }

  private String make(String name, List<String> arguments) {
    return switch (name) {
      case "regions" -> regions();
      case "io-fds" -> ioFds();
      case "config" -> config();
      case "unknown" -> unknown();
      case "limits" -> limits();
      case "version" -> said(exchange(VERSION, payload(4)));
      case "reset" -> said(exchange(RESET, payload(0)));
      case "dma-map" -> said(exchange(DMA_MAP, dmaMap()));
      case "dma-map-descriptor" -> said(exchange(DMA_MAP, dmaMap(), RawSocket.openNull()));
      case "dma-unmap-all" -> said(exchange(DMA_UNMAP, payload(24).putInt(0, 24).putInt(4, 2)));
      case "dma-read" -> said(exchange(DMA_READ, payload(16).putLong(8, 4096)));
      case "set-irqs-descriptor" ->
          said(exchange(SET_IRQS, setIrqs(0).limit(20), RawSocket.openNull()));
      case "set-irqs-event" -> said(exchange(SET_IRQS, setIrqs(Integer.MAX_VALUE)));
      case "info-descriptor" ->
          said(exchange(GET_INFO, payload(16).putInt(0, 16), RawSocket.openNull()));
      case "truncated" -> {
        socket.send(new byte[] {1, 0, GET_INFO, 0, 32, 0, 0}, 0);
        socket.endSending();
        yield said(answer());
      }
      case "oversized" -> sendSized(Integer.MAX_VALUE);
      case "negative" -> sendSized(-1);
      case "undersized" -> sendSized(HEADER - 1);
      case "reply" -> {
        socket.send(message(GET_INFO, REPLY, payload(16)), 0);
        yield said(answer());
      }
      case "flood" -> floodDevice(arguments.get(1));
      default -> throw new IllegalArgumentException("there is no attempt " + name);
    };
  }

  /** Each index that there could be, with room for all capabilities. */
  private String regions() {
    int answered = 0;
    int flags = 0;
    Set<Integer> errors = new TreeSet<>();
    for (int index = 0; index < 16; index++) {
      Answer answer = exchange(GET_REGION_INFO, payload(32).putInt(0, 4096).putInt(8, index));
      if (answer.error == 0) {
        answered++;
        flags |= answer.payload.getInt(4);
      } else {
        errors.add(answer.error);
      }
    }
    return "%d answered, flags %d, errors %s".formatted(answered, flags, errors);
  }

  private String ioFds() {
    int answered = 0;
    int count = 0;
    Set<Integer> errors = new TreeSet<>();
    for (int index = 0; index < 16; index++) {
      Answer answer = exchange(GET_REGION_IO_FDS, payload(16).putInt(0, 4096).putInt(8, index));
      if (answer.error == 0) {
        answered++;
        count += answer.payload.getInt(12);
      } else {
        errors.add(answer.error);
      }
    }
    return "%d answered, %d eventfds, errors %s".formatted(answered, count, errors);
  }

  /** All ones to all of config space, by words, then by bytes, and past both of its ends. */
  private String config() {
    int closed = 0;
    for (int width : new int[] {4, 1}) {
      for (int offset = 0; offset < CONFIG_SIZE; offset += width) {
        closed += write(CONFIG_REGION, offset, width).error == CLOSED ? 1 : 0;
      }
    }
    Set<Integer> past = new TreeSet<>();
    for (long offset :
        new long[] {CONFIG_SIZE, CONFIG_SIZE - 2, -4, Long.MIN_VALUE, Long.MAX_VALUE - 3}) {
      past.add(write(CONFIG_REGION, offset, 4).error);
    }
    ByteBuffer several = payload(8 + 24);
    several.putLong(0, 1).putLong(8, CONFIG_SIZE).putInt(16, CONFIG_REGION).putInt(20, 4);
    past.add(exchange(WRITE_MULTI, several).error);
    return "%d not answered, errors past its ends %s".formatted(closed, past);
  }

  private Answer write(int region, long offset, int width) {
    ByteBuffer payload = payload(16 + width);
    payload.putLong(0, offset).putInt(8, region).putInt(12, width);
    for (int i = 0; i < width; i++) {
      payload.put(16 + i, (byte) -1);
    }
    return exchange(REGION_WRITE, payload);
  }

  /** Numbers that stand for no command. */
  private String unknown() {
    Set<Integer> errors = new TreeSet<>();
    for (int command : new int[] {0, 14, 16, 17, 18, 19, 20, 255, 256, 0x7fff, 0xffff}) {
      errors.add(exchange(command, payload(32)).error);
    }
    return "errors " + errors;
  }

  /** Numbers out of their ranges, and payloads that are too short for their command. */
  private String limits() {
    Set<Integer> errors = new TreeSet<>();
    errors.add(exchange(REGION_READ, payload(16).putInt(8, 0).putInt(12, -1)).error);
    errors.add(
        exchange(REGION_READ, payload(16).putInt(8, CONFIG_REGION).putInt(12, 1 << 30)).error);
    errors.add(exchange(REGION_READ, payload(16).putInt(8, -1).putInt(12, 4)).error);
    errors.add(exchange(REGION_READ, payload(16).putInt(8, 16).putInt(12, 4)).error);
    errors.add(exchange(WRITE_MULTI, payload(8).putLong(0, Long.MAX_VALUE)).error);
    errors.add(exchange(GET_REGION_INFO, payload(8)).error);
    errors.add(exchange(SET_IRQS, payload(20).putInt(8, 5)).error);
    errors.add(exchange(REGION_WRITE, payload(16).putInt(12, 4096)).error);
    return "errors " + errors;
  }

  private static ByteBuffer dmaMap() {
    return payload(32).putInt(0, 32).putInt(4, READ_WRITE).putLong(16, 64L << 20).putLong(24, 4096);
  }

  private static ByteBuffer setIrqs(int event) {
    return payload(24)
        .putInt(0, 24)
        .putInt(4, EVENT_TRIGGER)
        .putInt(8, 1)
        .putInt(16, 1)
        .putInt(20, event);
  }

  private String sendSized(int size) {
    ByteBuffer header = ByteBuffer.wrap(message(GET_INFO, COMMAND, payload(0)));
    socket.send(header.order(ByteOrder.LITTLE_ENDIAN).putInt(4, size).array(), 0);
    return said(answer());
  }

  /** Commands that want no reply, as many as go through. */
  private String floodDevice(String seconds) {
    byte[] one = message(GET_INFO, COMMAND | NO_REPLY, payload(16).putInt(0, 16));
    byte[] chunk = new byte[FLOOD_CHUNK];
    for (int at = 0; at < chunk.length; at += one.length) {
      System.arraycopy(one, 0, chunk, at, one.length);
    }
    return "sent " + flood(socket, chunk, seconds, 0) / one.length + " messages";
  }

  private static long flood(RawSocket socket, byte[] chunk, String seconds, int flags) {
    long end = System.nanoTime() + Long.parseLong(seconds) * 1_000_000_000L;
    long sent = 0;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment data = arena.allocate(chunk.length);
      data.copyFrom(MemorySegment.ofArray(chunk));
      long done = 0;
      while (System.nanoTime() - end < 0) {
        long result = socket.send(data.asSlice(done), chunk.length - done, flags);
        if (result > 0) {
          sent += result;
          done = (done + result) % chunk.length;
        }
      }
      while (done > 0 && flags == 0) { // to the end of a message
        done = (done + socket.send(data.asSlice(done), chunk.length - done, 0)) % chunk.length;
      }
    }
    return sent;
  }

  private Answer exchange(int command, ByteBuffer payload, int... descriptors) {
    socket.send(message(command, COMMAND, payload), 0, descriptors);
    return answer();
  }

  /** To the last message: what comes for one before is too late. */
  private Answer answer() {
    while (true) {
      ByteBuffer header = ByteBuffer.wrap(socket.receiveAll(HEADER)).order(ByteOrder.LITTLE_ENDIAN);
      if (header.remaining() < HEADER) {
        return new Answer(CLOSED, header);
      }
      ByteBuffer payload =
          ByteBuffer.wrap(socket.receiveAll(header.getInt(4) - HEADER))
              .order(ByteOrder.LITTLE_ENDIAN);
      if ((header.getInt(8) & IS_REPLY) == REPLY && header.getShort(0) == (short) (nextId - 1)) {
        return new Answer(header.getInt(12), payload);
      }
    }
  }

  private byte[] message(int command, int flags, ByteBuffer payload) {
    ByteBuffer message =
        ByteBuffer.allocate(HEADER + payload.limit()).order(ByteOrder.LITTLE_ENDIAN);
    message.putShort(0, (short) nextId++).putShort(2, (short) command);
    message.putInt(4, message.capacity()).putInt(8, flags);
    message.put(HEADER, payload, 0, payload.limit());
    return message.array();
  }

  private static ByteBuffer payload(int size) {
    return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
  }

  private static String said(Answer answer) {
    return switch (answer.error) {
      case CLOSED -> "sent away";
      case 0 -> "answered";
      default -> "error " + answer.error;
    };
  }
}
