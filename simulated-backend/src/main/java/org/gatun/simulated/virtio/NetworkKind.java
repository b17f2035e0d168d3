package org.gatun.simulated.virtio;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import org.gatun.simulated.NetworkEnd;
import org.gatun.specs.virtio.VirtioNetwork;
import org.gatun.specs.virtio.VirtioType;

/** A network card (5.1) without any offload. */
public final class NetworkKind implements VirtioKind {
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** Received frames that wait for buffers; more are lost. And those that are on the way out. */
  private static final int BACKLOG = 256;

  /** The most bytes of a frame that anybody can mean. */
  private static final int LARGEST_FRAME = 1 << 16;

  private final NetworkEnd wire;
  private final MemorySegment config = Arena.ofAuto().allocate(VirtioNetwork.CONFIG_SIZE, 8);
  private final MemorySegment header = Arena.ofAuto().allocate(VirtioNetwork.HEADER_SIZE, 8);
  private final ArrayDeque<byte[]> received = new ArrayDeque<>();

  /** Of those, and of those that are on their way to there. */
  private final AtomicInteger backlog = new AtomicInteger();

  private final AtomicInteger outgoing = new AtomicInteger();

  /**
   * @param mac 6 bytes
   * @param mtu the most bytes of a frame without its Ethernet header
   * @param wire that it is connected to
   */
  public NetworkKind(byte[] mac, int mtu, NetworkEnd wire) {
    this.wire = wire;
    MemorySegment.copy(mac, 0, config, ValueLayout.JAVA_BYTE, VirtioNetwork.MAC, mac.length);
    config.set(SHORT, VirtioNetwork.STATUS, (short) VirtioNetwork.LINK_UP);
    config.set(SHORT, VirtioNetwork.MTU, (short) mtu);
    header.set(SHORT, VirtioNetwork.BUFFERS, (short) 1);
  }

  @Override
  public VirtioType type() {
    return VirtioType.NETWORK;
  }

  @Override
  public long features() {
    return VirtioNetwork.FEATURE_MAC | VirtioNetwork.FEATURE_MTU | VirtioNetwork.FEATURE_STATUS;
  }

  @Override
  public MemorySegment config() {
    return config;
  }

  @Override
  public int queues() {
    return 2;
  }

  @Override
  public void started(VirtioDevice device) {
    wire.attach(
        new NetworkEnd.Listener() {
          @Override
          public void received(byte[] frame) {
            // Counted here: what is on its way takes memory, too.
            if (backlog.incrementAndGet() > BACKLOG) {
              backlog.decrementAndGet();
            } else {
              device.soon(() -> receive(device, frame));
            }
          }

          @Override
          public void link(boolean up) {
            device.soon(() -> linked(device, up));
          }
        });
  }

  private void receive(VirtioDevice device, byte[] frame) {
    received.add(frame);
    device.serve(VirtioNetwork.RECEIVE_QUEUE);
  }

  private void linked(VirtioDevice device, boolean up) {
    config.set(SHORT, VirtioNetwork.STATUS, (short) (up ? VirtioNetwork.LINK_UP : 0));
    device.configChanged();
  }

  @Override
  public void notified(VirtioDevice device, int queue) {
    if (queue == VirtioNetwork.RECEIVE_QUEUE) {
      deliver(device);
    } else {
      transmit(device);
    }
  }

  private void deliver(VirtioDevice device) {
    while (!received.isEmpty()) {
      Optional<Chain> next = device.take(VirtioNetwork.RECEIVE_QUEUE);
      if (next.isEmpty()) {
        return;
      }
      Chain chain = next.get();
      byte[] frame = Objects.requireNonNull(received.poll());
      backlog.decrementAndGet();
      // 5.1.6.3.1: without a feature for it, a frame is in one chain; what it does not fit is lost.
      if (chain.writable() < VirtioNetwork.HEADER_SIZE + frame.length) {
        device.putBack(VirtioNetwork.RECEIVE_QUEUE, chain);
        continue;
      }
      chain.write(header, 0, VirtioNetwork.HEADER_SIZE);
      chain.write(MemorySegment.ofArray(frame), 0, frame.length);
      device.give(VirtioNetwork.RECEIVE_QUEUE, chain);
    }
  }

  private void send(VirtioDevice device, byte[] frame) {
    wire.send(frame);
    if (outgoing.getAndDecrement() == BACKLOG) {
      device.soon(() -> device.serve(VirtioNetwork.TRANSMIT_QUEUE));
    }
  }

  private void transmit(VirtioDevice device) {
    while (outgoing.get() < BACKLOG) {
      Optional<Chain> next = device.take(VirtioNetwork.TRANSMIT_QUEUE);
      if (next.isEmpty()) {
        return;
      }
      Chain chain = next.get();
      long length = chain.readable() - VirtioNetwork.HEADER_SIZE;
      if (length > 0 && length <= LARGEST_FRAME) {
        byte[] frame = new byte[(int) length];
        MemorySegment ignored = MemorySegment.ofArray(new byte[VirtioNetwork.HEADER_SIZE]);
        if (chain.read(ignored, 0, VirtioNetwork.HEADER_SIZE)
            && chain.read(MemorySegment.ofArray(frame), 0, length)) {
          outgoing.incrementAndGet();
          device.handOver(() -> send(device, frame));
        }
      }
      device.give(VirtioNetwork.TRANSMIT_QUEUE, chain);
    }
  }

  @Override
  public void reset() {
    backlog.addAndGet(-received.size());
    received.clear();
  }

  @Override
  public void close() {
    wire.detach();
  }
}
