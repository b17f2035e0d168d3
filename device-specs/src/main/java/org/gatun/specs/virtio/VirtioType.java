package org.gatun.specs.virtio;

/** What a device is (5). */
public enum VirtioType {
  /** A network card (5.1). */
  NETWORK(1),
  /** A disk (5.2). */
  BLOCK(2),
  /** A source of entropy (5.4). */
  ENTROPY(4);

  private final int number;

  VirtioType(int number) {
    this.number = number;
  }

  /** That of the specification. */
  public int number() {
    return number;
  }

  /** The PCI device id of a modern device of this type. */
  public int deviceId() {
    return VirtioPci.FIRST_DEVICE_ID + number;
  }
}
