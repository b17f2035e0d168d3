package org.gatun.simulated.trace;

import java.util.Objects;
import org.gatun.simulated.trace.Access.Kind;
import org.jspecify.annotations.Nullable;

/**
 * An access in a recording.
 *
 * @param data of memory that was written, as many bytes as the access is long; null of all others
 */
@SuppressWarnings("ArrayRecordComponent") // made once, and looked at by us only
record RecordedLine(Access access, byte @Nullable [] data) {
  RecordedLine {
    boolean hasData = access.kind() == Kind.DEVICE_WRITE || access.kind() == Kind.DRIVER_WRITE;
    if (hasData ? data == null || data.length != access.length() : data != null) {
      throw new IllegalArgumentException(access + (hasData ? " needs data" : " has no data"));
    }
  }

  /** The data of memory that was written. */
  byte[] written() {
    return Objects.requireNonNull(data);
  }

  @Override
  public String toString() {
    return data == null ? access.toString() : access + " = " + HexRuns.format(data);
  }
}
