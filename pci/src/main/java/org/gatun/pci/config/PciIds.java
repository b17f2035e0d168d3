package org.gatun.pci.config;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Names of vendors, devices and classes, from the pci.ids database where one is installed (Debian's
 * package {@code pci.ids}). Immutable.
 */
public final class PciIds {
  private static final List<Path> PLACES =
      List.of(Path.of("/usr/share/misc/pci.ids"), Path.of("/usr/share/hwdata/pci.ids"));

  private final Map<Integer, String> vendors = new HashMap<>();
  private final Map<Integer, String> devices = new HashMap<>();
  private final Map<Integer, String> classes = new HashMap<>();

  private PciIds() {}

  /** The database of this machine; one without names if none is installed. */
  public static PciIds installed() {
    for (Path place : PLACES) {
      if (Files.isReadable(place)) {
        return load(place);
      }
    }
    return new PciIds();
  }

  /**
   * Reads a database. Lines that make no sense are passed over.
   *
   * @throws UncheckedIOException if the file can't be read
   */
  public static PciIds load(Path file) {
    PciIds ids = new PciIds();
    // The file is in UTF-8, but names in it have not always been: unlike Files.newBufferedReader,
    // this reader replaces what it can't decode.
    try (BufferedReader reader =
        new BufferedReader(
            new InputStreamReader(Files.newInputStream(file), StandardCharsets.UTF_8))) {
      Parser parser = ids.new Parser();
      for (String line = reader.readLine(); line != null; line = reader.readLine()) {
        parser.line(line);
      }
    } catch (IOException e) {
      throw new UncheckedIOException("can't read " + file + ": " + e.getMessage(), e);
    }
    return ids;
  }

  /** The name of a vendor. */
  public Optional<String> vendor(int vendor) {
    return Optional.ofNullable(vendors.get(vendor));
  }

  /** The name of a device. */
  public Optional<String> device(int vendor, int device) {
    return Optional.ofNullable(devices.get(vendor << 16 | device));
  }

  /** The most specific name of a class: of its programming interface, subclass, or base class. */
  public Optional<String> pciClass(PciClass pciClass) {
    for (int key :
        new int[] {
          classKey(3, pciClass.code()),
          classKey(2, pciClass.code() >>> 8),
          classKey(1, pciClass.code() >>> 16)
        }) {
      String name = classes.get(key);
      if (name != null) {
        return Optional.of(name);
      }
    }
    return Optional.empty();
  }

  /** Vendor and device, as far as they are known, else as numbers. */
  public String describe(PciId id) {
    String vendor = vendor(id.vendor()).orElse("Vendor %04x".formatted(id.vendor()));
    String device = device(id.vendor(), id.device()).orElse("Device %04x".formatted(id.device()));
    return vendor + " " + device;
  }

  private static int classKey(int bytes, int code) {
    return bytes << 24 | code;
  }

  /** Lines nest by tabs: vendor, device, subsystem; or {@code C class}, subclass, interface. */
  private final class Parser {
    private boolean inClasses;
    private int outer = -1;
    private int inner = -1;

    void line(String line) {
      if (line.isBlank() || line.startsWith("#")) {
        return;
      }
      int depth = line.startsWith("\t\t") ? 2 : line.startsWith("\t") ? 1 : 0;
      String text = line.strip();
      if (depth == 0) {
        inClasses = text.startsWith("C ");
        outer = number(inClasses ? text.substring(2) : text, inClasses ? 2 : 4);
        inner = -1;
        put(inClasses ? classes : vendors, inClasses ? classKey(1, outer) : outer, outer, text);
      } else if (outer >= 0 && depth == 1) {
        inner = number(text, inClasses ? 2 : 4);
        int key = inClasses ? classKey(2, outer << 8 | inner) : outer << 16 | inner;
        put(inClasses ? classes : devices, key, inner, text);
      } else if (inClasses && inner >= 0) {
        int last = number(text, 2);
        put(classes, classKey(3, outer << 16 | inner << 8 | last), last, text);
      }
    }

    private void put(Map<Integer, String> names, int key, int number, String text) {
      int name = text.indexOf("  ");
      if (number >= 0 && name > 0) {
        names.put(key, text.substring(name).strip());
      }
    }

    private int number(String text, int digits) {
      if (text.length() <= digits || text.charAt(digits) != ' ') {
        return -1;
      }
      try {
        return HexFormat.fromHexDigits(text, 0, digits);
      } catch (IllegalArgumentException _) {
        return -1;
      }
    }
  }
}
