package org.gatun.simulated;

import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * One end of a network cable: of a {@link VirtioNetworkModel}, or of a test. What is sent at one
 * end is received at the other one. Any thread; who listens is called on the thread that sends.
 */
public final class NetworkEnd {
  /** Who is at an end. */
  public interface Listener {
    /** A frame has arrived, from its destination's address on, without a checksum: its own. */
    void received(byte[] frame);

    /** The link is there now, or not. */
    void link(boolean up);
  }

  private static final Listener NOBODY =
      new Listener() {
        @Override
        public void received(byte[] frame) {}

        @Override
        public void link(boolean up) {}
      };

  /** The other end; null if nothing is connected. */
  private @Nullable NetworkEnd other;

  private volatile Listener listener = NOBODY;

  private NetworkEnd() {}

  /** An end without another one: what is sent is lost. */
  public static NetworkEnd unconnected() {
    return new NetworkEnd();
  }

  /** A plug that returns all that is sent. */
  public static NetworkEnd loop() {
    NetworkEnd end = new NetworkEnd();
    end.other = end;
    return end;
  }

  /** The two ends of a cable. */
  public static List<NetworkEnd> cable() {
    NetworkEnd first = new NetworkEnd();
    NetworkEnd second = new NetworkEnd();
    first.other = second;
    second.other = first;
    return List.of(first, second);
  }

  /** The other end. */
  public Optional<NetworkEnd> peer() {
    return Optional.ofNullable(other);
  }

  /**
   * Somebody listens from now on.
   *
   * @throws IllegalStateException if somebody does already
   */
  public synchronized void attach(Listener who) {
    if (listener != NOBODY) {
      throw new IllegalStateException("somebody is at this end of the cable already");
    }
    listener = who;
  }

  /** Nobody listens any more. */
  public void detach() {
    listener = NOBODY;
  }

  /** Sends a frame, a copy of which arrives. */
  public void send(byte[] frame) {
    NetworkEnd peer = other;
    if (peer != null) {
      peer.listener.received(frame.clone());
    }
  }

  /** Plugs the cable in, or pulls it out: both ends see that. */
  public void plug(boolean in) {
    listener.link(in);
    NetworkEnd peer = other;
    if (peer != null && peer != this) {
      peer.listener.link(in);
    }
  }
}
