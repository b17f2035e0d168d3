package org.gatun.simulated.trace;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedWriter;
import java.io.IOException;
import java.io.Reader;
import java.io.Writer;
import java.nio.channels.Channels;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.gatun.pci.Bar;
import org.gatun.pci.BusRange;
import org.gatun.pci.Interrupts;
import org.gatun.simulated.trace.RecordedDevice.RecordedBar;

/**
 * A session of a driver with its device, written down by a {@link Recorder}, to be played again by
 * a {@link ReplayedDevice}. As a file it is text, a line for each access, without times, so that
 * two of them can be compared: docs/tracing.md describes it. Immutable.
 */
public final class Recording {
  /** The most memory that one line tells of, in bytes. */
  static final int LONGEST = 4096;

  private static final Set<PosixFilePermission> OWNERS_ALONE =
      PosixFilePermissions.fromString("rw-------");

  private static final String FORMAT = "gatun-recording 1";
  private static final Pattern CONFIG = Pattern.compile("config (256|4096) = (.+)");
  private static final Pattern VECTORS = Pattern.compile("vectors (INTX|MSI|MSIX) = (\\d{1,4})");
  private static final Pattern BAR =
      Pattern.compile("bar ([0-5]) (memory|io) 0x([0-9a-f]{1,15})( prefetchable)?");
  private static final Pattern USABLE =
      Pattern.compile("usable 0x([0-9a-f]{1,16}) 0x([0-9a-f]{1,16})");

  private final RecordedDevice device;
  private final List<RecordedLine> lines;

  Recording(RecordedDevice device, List<RecordedLine> lines) {
    this.device = device;
    this.lines = List.copyOf(lines);
  }

  RecordedDevice device() {
    return device;
  }

  /** What was done, and what the device did to memory. */
  List<RecordedLine> lines() {
    return lines;
  }

  /** The number of the first of them in a file. */
  int firstLine() {
    return header().size() + 1;
  }

  /** As it is in a file. */
  public List<String> text() {
    List<String> text = new ArrayList<>(header());
    lines.forEach(line -> text.add(line.toString()));
    return text;
  }

  /** Writes it to a file, which is its owner's alone: it has what the device read and wrote. */
  public void save(Path file) throws IOException {
    if (Files.isRegularFile(file)) {
      Files.setPosixFilePermissions(file, OWNERS_ALONE);
    }
    try (WritableByteChannel channel =
            Files.newByteChannel(
                file,
                Set.of(
                    StandardOpenOption.CREATE,
                    StandardOpenOption.WRITE,
                    StandardOpenOption.TRUNCATE_EXISTING),
                PosixFilePermissions.asFileAttribute(OWNERS_ALONE));
        Writer writer = new BufferedWriter(Channels.newWriter(channel, UTF_8))) {
      for (String line : text()) {
        writer.write(line);
        writer.write('\n');
      }
    }
  }

  /**
   * Reads one from a file, which may be anybody's: what takes too much memory is refused.
   *
   * @throws IllegalArgumentException if it is no recording; the message says where, and why
   */
  public static Recording load(Path file) throws IOException {
    try (Reader reader = Files.newBufferedReader(file)) {
      return parse(new RecordingText(reader));
    } catch (CharacterCodingException e) {
      throw new IllegalArgumentException(file + " is no recording: it is not text", e);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(file + " is no recording: " + e.getMessage(), e);
    }
  }

  private List<String> header() {
    List<String> header = new ArrayList<>();
    header.add(FORMAT);
    header.add("device " + device.name());
    header.add("config %d = %s".formatted(device.config().length, HexRuns.format(device.config())));
    for (Interrupts.Kind kind : Interrupts.Kind.values()) {
      header.add("vectors %s = %d".formatted(kind, device.vectors().getOrDefault(kind, 0)));
    }
    for (RecordedBar bar : device.bars()) {
      header.add(
          "bar %d %s 0x%x%s"
              .formatted(
                  bar.index(),
                  bar.kind() == Bar.Kind.IO ? "io" : "memory",
                  bar.size(),
                  bar.prefetchable() ? " prefetchable" : ""));
    }
    for (BusRange range : device.usable()) {
      header.add("usable 0x%x 0x%x".formatted(range.first(), range.last()));
    }
    header.add("");
    return header;
  }

  private static Recording parse(RecordingText text) throws IOException {
    if (!FORMAT.equals(text.next())) {
      throw new IllegalArgumentException("its first line is not '" + FORMAT + "'");
    }
    RecordedDevice device = header(headerLines(text));
    RecordedMemory memory = new RecordedMemory(device.usable());
    List<RecordedLine> lines = new ArrayList<>();
    for (String next = text.next(); next != null; next = text.next()) {
      try {
        RecordedLine line = RecordedLine.parse(next);
        device.check(line.access());
        memory.follow(line.access());
        lines.add(line);
      } catch (IllegalArgumentException e) {
        throw text.problem(e.getMessage());
      }
    }
    return new Recording(device, lines);
  }

  private static List<String> headerLines(RecordingText text) throws IOException {
    List<String> header = new ArrayList<>();
    for (String next = text.next(); next == null || !next.isEmpty(); next = text.next()) {
      if (next == null) {
        throw new IllegalArgumentException("no empty line ends its header");
      }
      header.add(next);
    }
    return header;
  }

  private static RecordedDevice header(List<String> header) {
    String name = "";
    byte[] config = new byte[0];
    Map<Interrupts.Kind, Integer> vectors = new EnumMap<>(Interrupts.Kind.class);
    List<RecordedBar> bars = new ArrayList<>();
    List<BusRange> usable = new ArrayList<>();
    for (String line : header) {
      switch (line.substring(0, Math.max(0, line.indexOf(' ')))) {
        case "device" -> name = line.substring("device ".length());
        case "config" -> {
          Matcher text = match(CONFIG, line);
          config = HexRuns.parse(text.group(2), Integer.parseInt(text.group(1)));
        }
        case "vectors" -> {
          Matcher text = match(VECTORS, line);
          vectors.put(Interrupts.Kind.valueOf(text.group(1)), Integer.parseInt(text.group(2)));
        }
        case "bar" -> {
          Matcher text = match(BAR, line);
          bars.add(
              new RecordedBar(
                  Integer.parseInt(text.group(1)),
                  text.group(2).equals("io") ? Bar.Kind.IO : Bar.Kind.MEMORY,
                  Long.parseLong(text.group(3), 16),
                  text.group(4) != null));
        }
        default -> {
          Matcher text = match(USABLE, line);
          usable.add(
              new BusRange(
                  Long.parseUnsignedLong(text.group(1), 16),
                  Long.parseUnsignedLong(text.group(2), 16)));
        }
      }
    }
    return new RecordedDevice(name, config, vectors, bars, usable);
  }

  private static Matcher match(Pattern pattern, String line) {
    Matcher matcher = pattern.matcher(line);
    if (!matcher.matches()) {
      throw new IllegalArgumentException("'%s' in its header".formatted(Access.shortened(line)));
    }
    return matcher;
  }
}
