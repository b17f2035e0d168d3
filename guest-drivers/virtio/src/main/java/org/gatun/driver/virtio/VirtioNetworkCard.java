package org.gatun.driver.virtio;

import java.time.Duration;
import java.util.Objects;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceProtocolException;
import org.gatun.pci.DeviceTimeoutException;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.specs.virtio.VirtioNetwork;
import org.gatun.specs.virtio.VirtioType;
import org.jspecify.annotations.Nullable;

/**
 * A virtio network card (Virtual I/O Device, Version 1.2, 5.1), without any offload: frames go out
 * and come in as they are on the wire, without their checksum. Used by one thread at a time, except
 * for {@link #close}. Errors as for {@link VirtioDisk}.
 */
public final class VirtioNetworkCard implements AutoCloseable {
  private static final long WANTED =
      VirtioNetwork.FEATURE_MAC | VirtioNetwork.FEATURE_MTU | VirtioNetwork.FEATURE_STATUS;

  private static final int PAGE = 4096;
  private static final int ETHERNET_HEADER = 14;

  /** With a tag of a virtual network (IEEE 802.1Q). */
  private static final int TAG = 4;

  private static final int DEFAULT_MTU = 1500;
  private static final int LEAST_MTU = 68;
  private static final int MAC_SIZE = 6;

  /** The header of what is transmitted. */
  private static final byte[] NO_OFFLOAD = new byte[VirtioNetwork.HEADER_SIZE];

  private final Transport transport;

  /** Null if no feature says that there is something in it. */
  private final @Nullable Mmio config;

  private final Virtqueue receiver;
  private final Virtqueue transmitter;
  private final int mtu;

  /** Header and frame of each slot. */
  private final int slotSize;

  private final DmaBuffer received;
  private final DmaBuffer transmitted;

  private VirtioNetworkCard(Transport transport) {
    this.transport = transport;
    int configSize = configSize(transport);
    this.config = configSize == 0 ? null : transport.config(configSize);
    this.mtu =
        transport.has(VirtioNetwork.FEATURE_MTU) ? config().read16(VirtioNetwork.MTU) : DEFAULT_MTU;
    if (mtu < LEAST_MTU) {
      throw transport.protocol("it says that a frame has at most %d bytes".formatted(mtu));
    }
    // 5.1.6.3.1: at least 1526 bytes, whatever the MTU says.
    int frame = Math.max(mtu, DEFAULT_MTU) + ETHERNET_HEADER + TAG;
    this.slotSize = (VirtioNetwork.HEADER_SIZE + frame + 63) & -64;
    this.receiver = transport.queue(VirtioNetwork.RECEIVE_QUEUE, 1);
    this.transmitter = transport.queue(VirtioNetwork.TRANSMIT_QUEUE, 1);
    this.received = transport.allocate(pages(receiver), PAGE);
    this.transmitted = transport.allocate(pages(transmitter), PAGE);
  }

  /** 5.1.4: each field is there if its feature is. */
  private static int configSize(Transport transport) {
    if (transport.has(VirtioNetwork.FEATURE_MTU)) {
      return VirtioNetwork.MTU + Short.BYTES;
    }
    if (transport.has(VirtioNetwork.FEATURE_STATUS)) {
      return VirtioNetwork.STATUS + Short.BYTES;
    }
    return transport.has(VirtioNetwork.FEATURE_MAC) ? VirtioNetwork.MAC + MAC_SIZE : 0;
  }

  private Mmio config() {
    return Objects.requireNonNull(config);
  }

  private long pages(Virtqueue queue) {
    return ((long) queue.slots() * slotSize + PAGE - 1) & -PAGE;
  }

  /**
   * Makes the card ready: it receives from now on.
   *
   * @param device stays the caller's, who closes it after this
   * @throws IllegalArgumentException if the device lacks the interrupts that the options ask for
   * @throws DeviceProtocolException if it is no such card, or does not behave like one
   * @throws DeviceTimeoutException if it does not become reset
   * @throws org.gatun.pci.DmaException if there is no DMA memory for it
   * @throws org.gatun.pci.DeviceGoneException if it is closed, or gone
   */
  public static VirtioNetworkCard open(PciDevice device, VirtioOptions options) {
    Transport transport = Transport.open(device, VirtioType.NETWORK, options, WANTED, 2);
    try {
      VirtioNetworkCard card = new VirtioNetworkCard(transport);
      transport.start();
      for (int slot = card.receiver.acquire();
          slot != Virtqueue.NONE;
          slot = card.receiver.acquire()) {
        card.offer(slot);
      }
      card.receiver.ring();
      return card;
    } catch (RuntimeException | Error e) {
      transport.closeAfter(e);
      throw e;
    }
  }

  private void offer(int slot) {
    receiver.buffer(slot, 0, received.busAddress() + (long) slot * slotSize, slotSize, true);
    receiver.submit(slot, 1);
  }

  /** Its name. */
  public DeviceName name() {
    return transport.name();
  }

  /** Its address, 6 bytes; all zeros if it has none. */
  public byte[] mac() {
    byte[] mac = new byte[MAC_SIZE];
    if (transport.has(VirtioNetwork.FEATURE_MAC)) {
      for (int i = 0; i < MAC_SIZE; i++) {
        mac[i] = (byte) config().read8(VirtioNetwork.MAC + i);
      }
    }
    return mac;
  }

  /** The most bytes of a frame without its Ethernet header. */
  public int mtu() {
    return mtu;
  }

  /** Whether there is a link; a card that does not know has one. */
  public boolean linkUp() {
    return !transport.has(VirtioNetwork.FEATURE_STATUS)
        || (config().read16(VirtioNetwork.STATUS) & VirtioNetwork.LINK_UP) != 0;
  }

  /**
   * Transmits a frame, or waits until there is room for it.
   *
   * @param frame from its destination's address on: 14 bytes to {@link #mtu} and 18
   * @throws IllegalArgumentException if it has fewer bytes, or more
   */
  public void transmit(byte[] frame) {
    if (frame.length < ETHERNET_HEADER || frame.length > mtu + ETHERNET_HEADER + TAG) {
      throw new IllegalArgumentException(
          "%s: no frame has %d bytes: from 14 to %d"
              .formatted(name(), frame.length, mtu + ETHERNET_HEADER + TAG));
    }
    reclaim();
    int slot = transmitter.acquire();
    if (slot == Virtqueue.NONE) {
      if (!transport.await(transmitter, transport.timeout())) {
        throw transport.timedOut("transmitting");
      }
      slot = transmitter.take();
    }
    long at = (long) slot * slotSize;
    transmitted.copyIn(at, NO_OFFLOAD);
    transmitted.copyIn(at + VirtioNetwork.HEADER_SIZE, frame);
    transmitter.buffer(
        slot, 0, transmitted.busAddress() + at, VirtioNetwork.HEADER_SIZE + frame.length, false);
    transmitter.submit(slot, 1);
    transmitter.ring();
  }

  private void reclaim() {
    for (int slot = transmitter.poll(); slot != Virtqueue.NONE; slot = transmitter.poll()) {
      transmitter.release(slot);
    }
  }

  /**
   * Receives a frame.
   *
   * @param limit how long to wait for one; zero does not wait
   * @return the frame, from its destination's address on; empty after the time, or if the thread
   *     was interrupted (its flag stays set)
   */
  public byte[] receive(Duration limit) {
    if (!transport.await(receiver, limit)) {
      transport.checkSound();
      return new byte[0];
    }
    int slot = receiver.take();
    long length = receiver.usedLength() - VirtioNetwork.HEADER_SIZE;
    if (length < 0 || length > slotSize - VirtioNetwork.HEADER_SIZE) {
      offer(slot);
      receiver.ring();
      throw transport.protocol(
          "it has received %d bytes into a buffer of %d"
              .formatted(receiver.usedLength(), slotSize));
    }
    byte[] frame = new byte[(int) length];
    received.copyOut((long) slot * slotSize + VirtioNetwork.HEADER_SIZE, frame);
    offer(slot);
    receiver.ring();
    return frame;
  }

  /**
   * Resets the card, and gives its memory back. Idempotent; the {@link PciDevice} stays open.
   *
   * @throws org.gatun.pci.PciException if the card could be neither reset nor kept from memory: its
   *     memory stays then until the {@link PciDevice} is closed. Or if something else has failed,
   *     after all was given back
   */
  @Override
  public void close() {
    transport.close();
  }

  @Override
  public String toString() {
    return name() + " (virtio network card)";
  }
}
