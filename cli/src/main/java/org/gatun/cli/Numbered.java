package org.gatun.cli;

import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;

/** What NVMe has a number of 8 bits for, and the command line a name: what it prints as. */
interface Numbered {
  /** 0 to 255. */
  int number();

  /** That with a number; empty if it has no name. */
  static <T extends Numbered> Optional<T> find(T[] named, int number) {
    return Arrays.stream(named).filter(one -> one.number() == number).findFirst();
  }

  /**
   * Reads a name or a number.
   *
   * @param kind of thing, for messages
   * @return the number
   * @throws IllegalArgumentException if it is neither; the message lists the names
   */
  static int parse(String kind, Numbered[] named, String text) {
    String name = text.toLowerCase(Locale.ROOT);
    for (Numbered one : named) {
      if (one.toString().equals(name)) {
        return one.number();
      }
    }
    if (text.isEmpty() || !Character.isDigit(text.charAt(0))) {
      throw new IllegalArgumentException(
          "there is no %s '%s': say a number, or %s; nothing was sent"
              .formatted(
                  kind,
                  text,
                  Arrays.stream(named).map(Numbered::toString).collect(Collectors.joining(", "))));
    }
    return Dword.parse(text).byteValue("the number of a " + kind);
  }
}
