package org.gatun.broker.service.varlink;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Map;

/**
 * What a service answers to.
 *
 * @param name such as {@code org.gatun.Broker}
 * @param description in Varlink's interface definition language
 * @param methods by the last part of their names
 */
public record VarlinkInterface(String name, String description, Map<String, Method> methods) {
  /** The interface that every service has. */
  static final String SERVICE = "org.varlink.service";

  /** Copies the map. */
  public VarlinkInterface {
    methods = Map.copyOf(methods);
  }

  /** What a call does. On the thread of the caller's connection, which has one call at a time. */
  public sealed interface Method {
    /** A method with one reply. */
    @FunctionalInterface
    non-sealed interface Single extends Method {
      /**
       * Does it.
       *
       * @param parameters of the call, an object; nobody vouches for it
       * @return those of the reply
       * @throws VarlinkException as the answer
       */
      ObjectNode call(JsonNode parameters);
    }

    /** A method that replies until the caller leaves. */
    @FunctionalInterface
    non-sealed interface Stream extends Method {
      /**
       * Begins to reply.
       *
       * @param parameters as for {@link Single#call}
       * @param replies where replies go
       * @return what is closed when the caller has left
       * @throws VarlinkException as the answer
       */
      Subscription subscribe(JsonNode parameters, Replies replies);
    }
  }

  /** What ends replies. */
  @FunctionalInterface
  public interface Subscription extends AutoCloseable {
    @Override
    void close();
  }

  /** Where the replies of a {@link Method.Stream} go. */
  @FunctionalInterface
  public interface Replies {
    /** Sends one more, soon. Any thread; does not block. A caller who is too slow is sent away. */
    void send(ObjectNode parameters);
  }
}
