package org.gatun.vfiouser.wire;

import org.jspecify.annotations.Nullable;

/** The commands (vfio-user specification, "Commands"), in both directions. */
public enum Command {
  VERSION(1, 4),
  DMA_MAP(2, 32),
  DMA_UNMAP(3, 24),
  DEVICE_GET_INFO(4, 16),
  DEVICE_GET_REGION_INFO(5, 32),
  DEVICE_GET_REGION_IO_FDS(6, 16),
  DEVICE_GET_IRQ_INFO(7, 16),
  DEVICE_SET_IRQS(8, 20),
  REGION_READ(9, 16),
  REGION_WRITE(10, 16),
  DMA_READ(11, 16),
  DMA_WRITE(12, 16),
  DEVICE_RESET(13, 0),
  REGION_WRITE_MULTI(15, 8),
  DEVICE_FEATURE(16, 8),
  MIG_DATA_READ(17, 8),
  MIG_DATA_WRITE(18, 8);

  private static final @Nullable Command[] BY_NUMBER = byNumber();

  private final int number;
  private final int requestSize;

  Command(int number, int requestSize) {
    this.number = number;
    this.requestSize = requestSize;
  }

  /** What stands for it in a header. */
  public int number() {
    return number;
  }

  /** The least payload of a request, in bytes: its fixed part. */
  public int requestSize() {
    return requestSize;
  }

  /** Returns the command with that number, or null if there is none. */
  public static @Nullable Command of(int number) {
    return number >= 0 && number < BY_NUMBER.length ? BY_NUMBER[number] : null;
  }

  private static @Nullable Command[] byNumber() {
    @Nullable Command[] commands = new Command[MIG_DATA_WRITE.number + 1];
    for (Command command : values()) {
      commands[command.number] = command;
    }
    return commands;
  }
}
