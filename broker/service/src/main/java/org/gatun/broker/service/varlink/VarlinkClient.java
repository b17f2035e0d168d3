package org.gatun.broker.service.varlink;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.EOFException;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.function.Predicate;

/** Calls a Varlink service. One thread; another may close it. */
public final class VarlinkClient implements AutoCloseable {
  private static final JsonNodeFactory JSON = JsonNodeFactory.instance;

  private final MessageChannel messages;

  private VarlinkClient(MessageChannel messages) {
    this.messages = messages;
  }

  /**
   * Connects.
   *
   * @throws IOException if nobody serves there
   */
  public static VarlinkClient connect(Path path) throws IOException {
    return new VarlinkClient(
        new MessageChannel(SocketChannel.open(UnixDomainSocketAddress.of(path))));
  }

  /**
   * Calls a method, and waits for its reply.
   *
   * @param method with the name of its interface before it
   * @return the reply's parameters
   * @throws VarlinkException if the reply is an error
   * @throws IOException if the connection fails
   */
  public ObjectNode call(String method, ObjectNode parameters) throws IOException {
    send(method, parameters, false);
    return parameters(receive());
  }

  /**
   * Calls a method that replies more than once.
   *
   * @param replies takes the parameters of each reply, and tells whether to go on
   * @throws VarlinkException if a reply is an error
   * @throws IOException if the connection fails, or the service ends it
   */
  public void watch(String method, ObjectNode parameters, Predicate<ObjectNode> replies)
      throws IOException {
    send(method, parameters, true);
    while (true) {
      ObjectNode reply = receive();
      boolean last = !reply.path("continues").asBoolean();
      if (!replies.test(parameters(reply)) || last) {
        return;
      }
    }
  }

  @Override
  public void close() throws IOException {
    messages.close();
  }

  private void send(String method, ObjectNode parameters, boolean more) throws IOException {
    ObjectNode call = JSON.objectNode().put("method", method);
    call.set("parameters", parameters);
    if (more) {
      call.put("more", true);
    }
    messages.write(call);
  }

  private ObjectNode receive() throws IOException {
    return messages.read().orElseThrow(() -> new EOFException("the service ended the connection"));
  }

  private static ObjectNode parameters(ObjectNode reply) {
    ObjectNode parameters =
        reply.path("parameters") instanceof ObjectNode object ? object : JSON.objectNode();
    if (reply.has("error")) {
      throw new VarlinkException(reply.path("error").asText(), parameters);
    }
    return parameters;
  }
}
