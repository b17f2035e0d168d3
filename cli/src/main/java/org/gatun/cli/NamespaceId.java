package org.gatun.cli;

import org.gatun.specs.nvme.SubmissionEntry;

/**
 * The number of a namespace on the command line, decimal or hexadecimal: {@code 1}, {@code 0x10}.
 *
 * @param value unsigned, 1 to FFFFFFFEh: 0 is no namespace, and FFFFFFFFh all of them (Base 3.2.1)
 */
record NamespaceId(int value) {
  static final NamespaceId FIRST = new NamespaceId(1);

  static NamespaceId parse(String text) {
    try {
      int value = Dword.parse(text).value();
      if (value != 0 && value != SubmissionEntry.NSID_ALL) {
        return new NamespaceId(value);
      }
    } catch (IllegalArgumentException _) {
      // Said below, with what is valid.
    }
    throw new IllegalArgumentException(
        "'" + text + "' is not the number of a namespace, which is 1 to 4294967294 (0xfffffffe)");
  }

  @Override
  public String toString() {
    return Integer.toUnsignedString(value);
  }
}
