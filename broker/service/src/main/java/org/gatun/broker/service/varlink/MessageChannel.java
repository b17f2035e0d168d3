package org.gatun.broker.service.varlink;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.Arrays;
import java.util.Optional;

/** JSON objects over a socket, each ended by a zero byte. One thread reads, and one writes. */
final class MessageChannel implements AutoCloseable {
  /** The largest message that is read, in bytes: a hundred times what any of ours has. */
  static final int LARGEST = 1 << 18;

  private static final ObjectMapper MAPPER =
      JsonMapper.builder().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS).build();

  static {
    // Far deeper than any of ours, and far from the end of the stack.
    MAPPER
        .getFactory()
        .setStreamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(50).build());
  }

  private final SocketChannel channel;

  /** What was received: the bytes before the position are read, those from it on are not. */
  private ByteBuffer received = ByteBuffer.allocate(4096).limit(0);

  MessageChannel(SocketChannel channel) {
    this.channel = channel;
  }

  /** A message is no JSON object, or too large. The connection is of no use any more. */
  static final class MalformedException extends IOException {
    private static final long serialVersionUID = 1L;

    MalformedException(String message) {
      super(message);
    }
  }

  /**
   * Reads the next one.
   *
   * @return empty if the other side has left, between two messages
   * @throws MalformedException if it sent something else
   * @throws IOException if it left within a message, or this was closed
   */
  Optional<ObjectNode> read() throws IOException {
    int searched = 0;
    while (true) {
      for (; searched < received.remaining(); searched++) {
        if (received.get(received.position() + searched) == 0) {
          byte[] message = new byte[searched];
          received.get(message).get();
          return Optional.of(parse(message));
        }
      }
      if (searched >= LARGEST) {
        throw new MalformedException("a message is longer than " + LARGEST + " bytes");
      }
      if (!receive()) {
        if (searched == 0) {
          return Optional.empty();
        }
        throw new EOFException("the connection ended within a message");
      }
    }
  }

  void write(ObjectNode message) throws IOException {
    byte[] json = MAPPER.writeValueAsBytes(message);
    ByteBuffer bytes = ByteBuffer.wrap(Arrays.copyOf(json, json.length + 1));
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }

  private boolean receive() throws IOException {
    received.compact();
    if (!received.hasRemaining()) {
      received = ByteBuffer.allocate(2 * received.capacity()).put(received.flip());
    }
    int count = channel.read(received);
    received.flip();
    return count >= 0;
  }

  private static ObjectNode parse(byte[] message) throws MalformedException {
    try {
      JsonNode node = MAPPER.readTree(message);
      if (node instanceof ObjectNode object) {
        return object;
      }
      throw new MalformedException("a message is no JSON object");
    } catch (JsonProcessingException e) {
      throw new MalformedException("a message is no JSON: " + e.getOriginalMessage());
    } catch (IOException e) {
      throw new MalformedException("a message is no JSON: " + new String(message, UTF_8));
    }
  }
}
