package org.gatun.nativeaccess;

/**
 * An ioctl request: its name, for messages, and its number, as {@code asm-generic/ioctl.h} has it:
 * eight bits of number and eight of type. The size and direction of the argument, which other
 * subsystems have in there too, VFIO leaves 0.
 */
public record Ioctl(String name, long number) {
  private static final int TYPE_SHIFT = 8;

  /** {@code _IO(type, number)}: no argument, or one whose size is not part of the request. */
  public static Ioctl io(String name, int type, int number) {
    if ((type & ~0xff) != 0 || (number & ~0xff) != 0) {
      throw new IllegalArgumentException(
          "%s: type %d and number %d must be bytes".formatted(name, type, number));
    }
    return new Ioctl(name, (long) type << TYPE_SHIFT | number);
  }

  @Override
  public String toString() {
    return name;
  }
}
