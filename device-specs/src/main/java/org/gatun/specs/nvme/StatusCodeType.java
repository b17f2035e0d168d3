package org.gatun.specs.nvme;

import java.util.Optional;

/** Status Code Type, SCT: which table a status code is from (Base 3.3.3.2.1, 1.4 figure 125). */
public enum StatusCodeType {
  /** 0h: Generic Command Status. */
  GENERIC(0, "Generic Command Status"),
  /** 1h: Command Specific Status. */
  COMMAND_SPECIFIC(1, "Command Specific Status"),
  /** 2h: Media and Data Integrity Errors. */
  MEDIA_AND_DATA_INTEGRITY(2, "Media and Data Integrity Error"),
  /** 3h: Path Related Status. */
  PATH_RELATED(3, "Path Related Status"),
  /** 7h: Vendor Specific. */
  VENDOR_SPECIFIC(7, "Vendor Specific Status");

  private final int code;
  private final String text;

  StatusCodeType(int code, String text) {
    this.code = code;
    this.text = text;
  }

  /** Returns the type with that code, 0 to 7; 4h to 6h are reserved. */
  public static Optional<StatusCodeType> of(int code) {
    for (StatusCodeType type : values()) {
      if (type.code == code) {
        return Optional.of(type);
      }
    }
    return Optional.empty();
  }

  /** Returns the code, 0 to 7. */
  public int code() {
    return code;
  }

  /** Returns the name as in the specification. */
  @Override
  public String toString() {
    return text;
  }
}
