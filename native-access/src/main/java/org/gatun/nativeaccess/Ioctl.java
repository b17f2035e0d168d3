package org.gatun.nativeaccess;

/**
 * An ioctl request: its name, for messages, and its number. The factories are {@code
 * asm-generic/ioctl.h}'s macros: eight bits of number, eight of type, fourteen of size and two of
 * direction.
 */
public record Ioctl(String name, long number) {
  private static final int TYPE_SHIFT = 8;
  private static final int SIZE_SHIFT = 16;
  private static final int DIRECTION_SHIFT = 30;
  private static final int MAX_SIZE = (1 << 14) - 1;
  private static final long WRITE = 1;
  private static final long READ = 2;

  /** {@code _IO(type, number)}: no argument, or one whose size is not part of the request. */
  public static Ioctl io(String name, int type, int number) {
    return of(name, 0, type, number, 0);
  }

  /** {@code _IOR(type, number, T)}: the kernel writes an argument of {@code size} bytes. */
  public static Ioctl ior(String name, int type, int number, long size) {
    return of(name, READ, type, number, size);
  }

  /** {@code _IOW(type, number, T)}: the kernel reads an argument of {@code size} bytes. */
  public static Ioctl iow(String name, int type, int number, long size) {
    return of(name, WRITE, type, number, size);
  }

  /**
   * {@code _IOWR(type, number, T)}: the kernel reads and writes an argument of {@code size} bytes.
   */
  public static Ioctl iowr(String name, int type, int number, long size) {
    return of(name, READ | WRITE, type, number, size);
  }

  private static Ioctl of(String name, long direction, int type, int number, long size) {
    if ((type & ~0xff) != 0 || (number & ~0xff) != 0 || size < 0 || size > MAX_SIZE) {
      throw new IllegalArgumentException(
          "%s: type %d and number %d must be bytes, size %d at most %d"
              .formatted(name, type, number, size, MAX_SIZE));
    }
    return new Ioctl(
        name,
        direction << DIRECTION_SHIFT | size << SIZE_SHIFT | (long) type << TYPE_SHIFT | number);
  }

  @Override
  public String toString() {
    return name;
  }
}
