package org.gatun.simulated.trace;

import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.gatun.pci.Interrupts;

/**
 * One thing that a driver or its device did. Its text is one line, as {@code write32 BAR0+0x14 =
 * 0x460001}, in traces, in recordings and in messages.
 *
 * @param space of a register: the index of its BAR, or {@link #CONFIG}; else 0
 * @param address of a register: its offset; of memory: its bus address; else the number of a vector
 * @param length in bytes: the width of a register, 1, 2, 4 or 8; the size of memory; else 0
 * @param value of a register, zero-extended; else a count or a flag
 */
public record Access(Kind kind, int space, long address, long length, long value) {
  /** The space of config space; others are BARs, 0 to 5. */
  public static final int CONFIG = -1;

  private static final String HEX = "0x([0-9a-f]{1,16})";

  /** What the numbers of an access are. */
  private enum Form {
    REGISTER("(8|16|32|64) (config|BAR[0-5])\\+" + HEX + " = " + HEX),
    MEMORY(" " + HEX + " \\+" + HEX),
    VECTOR(" vector (\\d{1,4})"),
    COUNT(" = (\\d{1,4})"),
    PLAIN("");

    private final Pattern rest;

    Form(String rest) {
      this.rest = Pattern.compile("([a-z-]+)" + rest);
    }
  }

  /** What was done. */
  public enum Kind {
    /** Of a register, in config space or behind a BAR. */
    READ(Form.REGISTER),
    WRITE(Form.REGISTER),
    /** Of interrupts: how many vectors. */
    ENABLE_INTX(Form.COUNT),
    ENABLE_MSI(Form.COUNT),
    ENABLE_MSIX(Form.COUNT),
    DISABLE(Form.PLAIN),
    MASK(Form.VECTOR),
    UNMASK(Form.VECTOR),
    /** Of a vector to an event. */
    CONNECT(Form.VECTOR),
    /** The driver waited for an interrupt, or looked for one, and consumed it. */
    INTERRUPT(Form.VECTOR),
    /** An interrupt signalled the event that its vector is connected to. */
    SIGNAL(Form.VECTOR),
    /** DMA memory was made, or was mapped, or was given back. */
    ALLOCATE(Form.MEMORY),
    MAP(Form.MEMORY),
    FREE(Form.MEMORY),
    /** The device read or wrote DMA memory. */
    DEVICE_READ(Form.MEMORY),
    DEVICE_WRITE(Form.MEMORY),
    /** The same, and the IOMMU refused it, or a part of it. */
    REFUSED_READ(Form.MEMORY),
    REFUSED_WRITE(Form.MEMORY),
    /** The driver wrote DMA memory; noticed only by a {@link Recorder}. */
    DRIVER_WRITE(Form.MEMORY),
    /** On, 1, or off, 0. */
    BUS_MASTER(Form.COUNT),
    RESET(Form.PLAIN),
    /** The driver was told that its device is wanted back, or gone. */
    WANTED(Form.PLAIN),
    GONE(Form.PLAIN),
    /** The driver's owner closed the device. */
    CLOSE(Form.PLAIN);

    private static final Map<String, Kind> BY_WORD =
        Arrays.stream(values()).collect(Collectors.toMap(Kind::word, Function.identity()));

    private final Form form;

    Kind(Form form) {
      this.form = form;
    }

    /** That enables interrupts of a kind. */
    static Kind enabling(Interrupts.Kind interrupts) {
      return switch (interrupts) {
        case INTX -> ENABLE_INTX;
        case MSI -> ENABLE_MSI;
        case MSIX -> ENABLE_MSIX;
      };
    }

    /** As it is written. */
    String word() {
      return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /**
     * Whether a driver that is the same does it again as it did, in the same order, with the same
     * values. A read can be one too few or too many where it waits for something; memory may come
     * from elsewhere.
     */
    boolean replayedInOrder() {
      return switch (this) {
        case WRITE,
            ENABLE_INTX,
            ENABLE_MSI,
            ENABLE_MSIX,
            DISABLE,
            MASK,
            UNMASK,
            CONNECT,
            BUS_MASTER,
            RESET ->
            true;
        default -> false;
      };
    }
  }

  /** The register of a read or write; whoever reads it again reads the same register. */
  record Register(int space, long offset, long width) {}

  /** Zero-extends the value of a register. */
  public Access {
    if (kind.form == Form.REGISTER && length < Long.BYTES) {
      value &= (1L << (8 * length)) - 1;
    }
  }

  Register register() {
    return new Register(space, address, length);
  }

  /**
   * Reads what {@link #toString} writes.
   *
   * @throws IllegalArgumentException if it is nothing of that kind
   */
  static Access parse(String text) {
    for (Form form : Form.values()) {
      Matcher matcher = form.rest.matcher(text);
      Kind kind = matcher.matches() ? Kind.BY_WORD.get(matcher.group(1)) : null;
      if (kind != null && kind.form == form) {
        return of(kind, matcher);
      }
    }
    throw new IllegalArgumentException("'" + shortened(text) + "' is no access");
  }

  private static Access of(Kind kind, Matcher text) {
    return switch (kind.form) {
      case REGISTER ->
          register(
              kind,
              text.group(3),
              hex(text.group(4)),
              Integer.parseInt(text.group(2)) / 8,
              hex(text.group(5)));
      case MEMORY -> new Access(kind, 0, hex(text.group(2)), hex(text.group(3)), 0);
      case VECTOR -> new Access(kind, 0, Integer.parseInt(text.group(2)), 0, 0);
      case COUNT -> new Access(kind, 0, 0, 0, Integer.parseInt(text.group(2)));
      case PLAIN -> new Access(kind, 0, 0, 0, 0);
    };
  }

  private static Access register(Kind kind, String space, long offset, int width, long value) {
    if (offset < 0 || offset % width != 0) {
      throw new IllegalArgumentException(
          "offset 0x%x is not a multiple of %d".formatted(offset, width));
    }
    int number = space.equals("config") ? CONFIG : space.charAt(space.length() - 1) - '0';
    return new Access(kind, number, offset, width, value);
  }

  private static long hex(String digits) {
    return Long.parseUnsignedLong(digits, 16);
  }

  static String shortened(String text) {
    return text.length() <= 60 ? text : text.substring(0, 60) + "...";
  }

  @Override
  public String toString() {
    String word = kind.word();
    return switch (kind.form) {
      case REGISTER ->
          "%s%d %s+0x%x = 0x%x"
              .formatted(
                  word, length * 8, space == CONFIG ? "config" : "BAR" + space, address, value);
      case MEMORY -> "%s 0x%x +0x%x".formatted(word, address, length);
      case VECTOR -> word + " vector " + address;
      case COUNT -> word + " = " + value;
      case PLAIN -> word;
    };
  }
}
