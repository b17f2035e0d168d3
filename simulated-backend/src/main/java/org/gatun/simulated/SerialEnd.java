package org.gatun.simulated;

import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * One end of a serial line: of a {@link SerialModel}, or of a test. What is sent at one end is
 * received at the other one. Any thread; who listens is called on the thread that sends.
 */
public final class SerialEnd {
  /** Who is at an end. */
  public interface Listener {
    /**
     * A character has arrived.
     *
     * @param data up to 8 bits
     * @param errors what is wrong with it, in the bits of {@link
     *     org.gatun.specs.serial.UartRegisters#LINE_STATUS}: parity, framing, break
     */
    void received(int data, int errors);

    /** The other one has raised these signals, and no others. */
    void signalled(boolean dataTerminalReady, boolean requestToSend);
  }

  private static final Listener NOBODY =
      new Listener() {
        @Override
        public void received(int data, int errors) {}

        @Override
        public void signalled(boolean dataTerminalReady, boolean requestToSend) {}
      };

  /** The other end; null if nothing is connected. */
  private @Nullable SerialEnd other;

  private volatile Listener listener = NOBODY;
  private volatile boolean dataTerminalReady;
  private volatile boolean requestToSend;

  private SerialEnd() {}

  /** An end without another one: what is sent is lost. */
  public static SerialEnd unconnected() {
    return new SerialEnd();
  }

  /** A plug that returns all that is sent. */
  public static SerialEnd loop() {
    SerialEnd end = new SerialEnd();
    end.other = end;
    return end;
  }

  /** The two ends of a null modem cable. */
  public static List<SerialEnd> nullModem() {
    SerialEnd first = new SerialEnd();
    SerialEnd second = new SerialEnd();
    first.other = second;
    second.other = first;
    return List.of(first, second);
  }

  /** The other end. */
  public Optional<SerialEnd> peer() {
    return Optional.ofNullable(other);
  }

  /**
   * Somebody listens from now on, and hears at once which signals are up.
   *
   * @throws IllegalStateException if somebody does already
   */
  public void attach(Listener who) {
    synchronized (this) {
      if (listener != NOBODY) {
        throw new IllegalStateException("somebody is at this end of the serial line already");
      }
      listener = who;
    }
    SerialEnd peer = other;
    if (peer != null) {
      who.signalled(peer.dataTerminalReady, peer.requestToSend);
    }
  }

  /** Nobody listens any more, and no signals are up. */
  public void detach() {
    listener = NOBODY;
    signal(false, false);
  }

  /**
   * Sends a character, at once: in time, the sender is.
   *
   * @param data up to 8 bits
   * @param errors as the other end is to see them
   */
  public void send(int data, int errors) {
    SerialEnd peer = other;
    if (peer != null) {
      peer.listener.received(data, errors);
    }
  }

  /** Raises these signals, and no others. */
  public void signal(boolean terminalReady, boolean sendRequest) {
    dataTerminalReady = terminalReady;
    requestToSend = sendRequest;
    SerialEnd peer = other;
    if (peer != null) {
      peer.listener.signalled(terminalReady, sendRequest);
    }
  }
}
