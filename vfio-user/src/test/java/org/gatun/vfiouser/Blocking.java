package org.gatun.vfiouser;

import static org.junit.jupiter.api.Assumptions.abort;

import org.gatun.vfiouser.Kernel.Lingering;

/** Descriptors of which nobody is to wait for the end of a close. */
enum Blocking {
  SOCKET,
  FUSE;

  private static final int HOUR = 3600;

  BlocksWhoCloses create() {
    if (this == SOCKET) {
      return new Lingering(HOUR);
    }
    FuseFile file = FuseFile.create();
    return file != null ? file : abort("FUSE is for root here, or not there: run as root");
  }
}
