package org.gatun.vfiouser.wire;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import org.gatun.pci.BusRange;

/**
 * What one end can do, as it says in its VERSION message (vfio-user specification,
 * "VFIO_USER_VERSION"): JSON, of which what is not known is passed over.
 *
 * @param descriptors how many the sender takes in one message
 * @param transfer the most bytes that one message may move
 * @param dmaMaps how many DMA regions there may be at a time
 * @param pageSizes of DMA regions, a bit each
 * @param writeMulti whether several register writes may come in one message
 * @param usable the bus addresses that the sender can do with: a key of ours, since the protocol
 *     has none for it; empty if it was not said. A server says it only to a client that says it:
 *     QEMU has room for a reply that is no longer than its request, and warns of keys that it does
 *     not know
 */
public record Capabilities(
    int descriptors,
    int transfer,
    int dmaMaps,
    long pageSizes,
    boolean writeMulti,
    List<BusRange> usable) {
  /** What counts where nothing is said. */
  public static final Capabilities DEFAULT =
      new Capabilities(1, 1 << 20, 65535, 4096, false, List.of());

  /** Longer than anybody's. */
  private static final int TEXT_LIMIT = 64 << 10;

  private static final int MAX_RANGES = 1024;
  private static final String OURS = "org.gatun";
  private static final String USABLE = "usable_bus_addresses";

  private static final JsonFactory JSON =
      JsonFactory.builder()
          .streamReadConstraints(
              StreamReadConstraints.builder()
                  .maxNestingDepth(16)
                  .maxNumberLength(32)
                  .maxStringLength(4096)
                  .build())
          .build();

  /** Copies the ranges. */
  public Capabilities {
    usable = List.copyOf(usable);
  }

  /**
   * Reads what follows the version numbers.
   *
   * @param text UTF-8, with a NUL at its end that counts for nothing; empty stands for {@link
   *     #DEFAULT}
   * @throws ProtocolException if it is no JSON, or has values that make no sense
   */
  public static Capabilities parse(byte[] text) {
    int length = text.length;
    while (length > 0 && text[length - 1] == 0) {
      length--;
    }
    if (length == 0) {
      return DEFAULT;
    }
    if (length > TEXT_LIMIT) {
      throw new ProtocolException("VERSION has " + length + " bytes of JSON");
    }
    Reader reader = new Reader();
    try (JsonParser parser = JSON.createParser(text, 0, length)) {
      if (parser.nextToken() != JsonToken.START_OBJECT) {
        throw new ProtocolException("VERSION has JSON that is no object");
      }
      reader.top(parser);
      if (parser.nextToken() != null) {
        throw new ProtocolException("VERSION goes on after its JSON");
      }
    } catch (IOException e) {
      throw new ProtocolException("VERSION has no sound JSON: " + e.getMessage());
    }
    return reader.result();
  }

  /** The JSON, with a NUL at its end. */
  public byte[] text() {
    ByteArrayOutputStream text = new ByteArrayOutputStream();
    try (JsonGenerator json = JSON.createGenerator(text)) {
      json.writeStartObject();
      json.writeObjectFieldStart("capabilities");
      json.writeNumberField("max_msg_fds", descriptors);
      json.writeNumberField("max_data_xfer_size", transfer);
      json.writeNumberField("max_dma_maps", dmaMaps);
      json.writeNumberField("pgsizes", pageSizes);
      json.writeBooleanField("write_multiple", writeMulti);
      json.writeEndObject();
      if (!usable.isEmpty()) {
        json.writeObjectFieldStart(OURS);
        json.writeArrayFieldStart(USABLE);
        for (BusRange range : usable) {
          json.writeStartArray();
          json.writeString(Long.toHexString(range.first()));
          json.writeString(Long.toHexString(range.last()));
          json.writeEndArray();
        }
        json.writeEndArray();
        json.writeEndObject();
      }
      json.writeEndObject();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    text.write(0);
    return text.toByteArray();
  }

  private static final class Reader {
    private int descriptors = DEFAULT.descriptors;
    private int transfer = DEFAULT.transfer;
    private int dmaMaps = DEFAULT.dmaMaps;
    private long pageSizes = DEFAULT.pageSizes;
    private boolean writeMulti = DEFAULT.writeMulti;
    private final List<BusRange> usable = new ArrayList<>();

    Capabilities result() {
      return new Capabilities(descriptors, transfer, dmaMaps, pageSizes, writeMulti, usable);
    }

    void top(JsonParser parser) throws IOException {
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        String name = parser.currentName();
        JsonToken value = parser.nextToken();
        if (name.equals("capabilities") && value == JsonToken.START_OBJECT) {
          capabilities(parser);
        } else if (name.equals(OURS) && value == JsonToken.START_OBJECT) {
          ours(parser);
        } else {
          parser.skipChildren();
        }
      }
    }

    private void capabilities(JsonParser parser) throws IOException {
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        String name = parser.currentName();
        JsonToken value = parser.nextToken();
        switch (name) {
          case "max_msg_fds" -> descriptors = (int) number(parser, name, 0, 1 << 16);
          case "max_data_xfer_size" -> transfer = (int) number(parser, name, 8, 1L << 30);
          case "max_dma_maps" -> dmaMaps = (int) number(parser, name, 0, Integer.MAX_VALUE);
          case "pgsizes" -> pageSizes = number(parser, name, 1, Long.MAX_VALUE);
          case "write_multiple" -> {
            if (!value.isBoolean()) {
              throw new ProtocolException("VERSION: " + name + " is neither true nor false");
            }
            writeMulti = parser.getBooleanValue();
          }
          default -> parser.skipChildren();
        }
      }
    }

    private void ours(JsonParser parser) throws IOException {
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        String name = parser.currentName();
        JsonToken value = parser.nextToken();
        if (!name.equals(USABLE) || value != JsonToken.START_ARRAY) {
          parser.skipChildren();
          continue;
        }
        while (parser.nextToken() == JsonToken.START_ARRAY) {
          long first = hex(parser);
          long last = hex(parser);
          if (parser.nextToken() != JsonToken.END_ARRAY
              || Long.compareUnsigned(last, first) < 0
              || usable.size() == MAX_RANGES) {
            throw new ProtocolException("VERSION: " + USABLE + " has no sound ranges");
          }
          usable.add(new BusRange(first, last));
        }
      }
    }

    private static long hex(JsonParser parser) throws IOException {
      if (parser.nextToken() != JsonToken.VALUE_STRING) {
        throw new ProtocolException("VERSION: " + USABLE + " has something else than text");
      }
      try {
        return Long.parseUnsignedLong(parser.getText(), 16);
      } catch (NumberFormatException e) {
        throw new ProtocolException("VERSION: " + USABLE + " has no hexadecimal number");
      }
    }

    /** What is too large for us is as good as the most that we use. */
    private static long number(JsonParser parser, String name, long least, long most)
        throws IOException {
      if (parser.currentToken() != JsonToken.VALUE_NUMBER_INT) {
        throw new ProtocolException("VERSION: " + name + " is no whole number");
      }
      double value = parser.getDoubleValue();
      if (value < least) {
        throw new ProtocolException("VERSION: " + name + " is too small");
      }
      return value >= most ? most : parser.getLongValue();
    }
  }
}
