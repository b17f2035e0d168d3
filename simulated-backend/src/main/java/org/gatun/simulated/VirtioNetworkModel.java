package org.gatun.simulated;

import org.gatun.simulated.virtio.NetworkKind;
import org.gatun.simulated.virtio.VirtioDevice;
import org.gatun.specs.virtio.VirtioType;

/**
 * A network card (Virtual I/O Device, Version 1.2, 5.1), without any offload.
 *
 * @param mac its address: the low 48 bits, the first byte of the address highest
 * @param mtu the most bytes of a frame without its Ethernet header, 68 to 65535
 * @param cable that it is connected to: by one device at a time
 */
public record VirtioNetworkModel(long mac, int mtu, NetworkEnd cable) implements DeviceModel {
  private static final int QUEUES = 2;
  private static final int MAC_SIZE = 6;

  /** Locally administered, as QEMU's first one. */
  private static final long DEFAULT_MAC = 0x5254_0012_3456L;

  private static final int ETHERNET_MTU = 1500;

  /**
   * @throws IllegalArgumentException if a part breaks its rule
   */
  public VirtioNetworkModel {
    if (mac >>> (8 * MAC_SIZE) != 0 || (mac & (1L << 40)) != 0) {
      throw new IllegalArgumentException("0x%012x is no address of a single card".formatted(mac));
    }
    if (mtu < 68 || mtu > 0xffff) {
      throw new IllegalArgumentException("the MTU is 68 to 65535, not " + mtu);
    }
  }

  /** One with the address 52:54:00:12:34:56, and Ethernet's MTU. */
  public VirtioNetworkModel(NetworkEnd cable) {
    this(DEFAULT_MAC, ETHERNET_MTU, cable);
  }

  @Override
  public FunctionDescription description() {
    return VirtioDevice.description(VirtioType.NETWORK, QUEUES);
  }

  /**
   * @throws IllegalStateException if the cable has a device already
   */
  @Override
  public RunningModel start(ModelContext context) {
    byte[] bytes = new byte[MAC_SIZE];
    for (int i = 0; i < MAC_SIZE; i++) {
      bytes[i] = (byte) (mac >>> (8 * (MAC_SIZE - 1 - i)));
    }
    return VirtioDevice.start(new NetworkKind(bytes, mtu, cable), context);
  }
}
