package org.gatun.nativeaccess;

/** What a descriptor is opened for, or memory mapped for. */
public enum Access {
  READ(Abi.O_RDONLY, Abi.PROT_READ),
  /** For files that can't be read; can't be mapped. */
  WRITE(Abi.O_WRONLY, Abi.PROT_WRITE),
  READ_WRITE(Abi.O_RDWR, Abi.PROT_READ | Abi.PROT_WRITE);

  private final int openFlags;
  private final int protection;

  Access(int openFlags, int protection) {
    this.openFlags = openFlags;
    this.protection = protection;
  }

  int openFlags() {
    return openFlags;
  }

  int protection() {
    return protection;
  }
}
