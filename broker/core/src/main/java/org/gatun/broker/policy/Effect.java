package org.gatun.broker.policy;

/** What an access to a field means, where it is more than bits behind a mask. */
public enum Effect {
  /** Reads are the hardware's; of a write, the bits of the mask reach it. */
  PLAIN("bits of the mask reach the hardware, the rest is dropped"),

  /** Reads are those of the snapshot, which was taken when the device was seized. */
  SNAPSHOT("dropped"),

  /** A link of the capability list: leads past what the guest may not use. */
  LINK("dropped"),

  /** The command register: decode and interrupt bits are a shadow, the rest is the hardware's. */
  COMMAND("bits of the mask reach the hardware, the rest is kept in a shadow"),

  /** A base address register: all ones ask for the size, which nobody but the broker tells. */
  BAR("all ones: the next reads tell the size; the address itself: restored if lost; else nothing"),

  /** The expansion ROM's: as a BAR, and it is never enabled. */
  ROM("all address bits: the next reads tell the size; else nothing"),

  /** Built-in self test: to be started only. */
  BIST("reaches the hardware if it starts the test and changes nothing else"),

  /** The address register of vital product data: to be read only. */
  VPD_ADDRESS("starts reading; a write of the data (bit 15) is denied"),

  /** MSI's message control. */
  MSI_CONTROL("denied if it changes anything, but for what allow-interrupt-control allows"),

  /** MSI-X's message control. */
  MSIX_CONTROL("denied if it changes anything, but for what allow-interrupt-control allows");

  private final String write;

  Effect(String write) {
    this.write = write;
  }

  /** What a write does, for people. */
  public String write() {
    return write;
  }
}
