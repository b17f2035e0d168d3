package org.gatun.broker.service.varlink;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import jdk.net.ExtendedSocketOptions;
import org.gatun.broker.service.varlink.VarlinkInterface.Method;
import org.gatun.broker.service.varlink.VarlinkInterface.Subscription;
import org.jspecify.annotations.Nullable;

/**
 * Serves a {@link VarlinkInterface} at a Unix socket, to the processes of some users. Any thread.
 */
public final class VarlinkServer implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(VarlinkServer.class.getName());

  /** At a time: each has a thread. */
  private static final int CONNECTIONS = 64;

  /**
   * Of those who may not call, besides: enough to tell them, and however many come, they take
   * nothing from those who may.
   */
  static final int STRANGERS = 4;

  /** For calls that are being carried out when the server is closed. */
  private static final Duration FAREWELL = Duration.ofSeconds(2);

  private static final JsonNodeFactory JSON = JsonNodeFactory.instance;

  private final VarlinkInterface service;
  private final String version;
  private final Path path;
  private final Set<String> users;
  private final ServerSocketChannel listener;

  /** Guarded by this. */
  private final Map<SocketChannel, Client> clients = new HashMap<>();

  /** Guarded by this. */
  private boolean closed;

  /**
   * Who is connected.
   *
   * @param thread that serves it
   * @param allowed whether it may call
   */
  private record Client(Thread thread, boolean allowed) {}

  private VarlinkServer(
      VarlinkInterface service,
      String version,
      Path path,
      Set<String> users,
      ServerSocketChannel listener) {
    this.service = service;
    this.version = version;
    this.path = path;
    this.users = users;
    this.listener = listener;
  }

  /**
   * Starts serving.
   *
   * @param version of the product, for people
   * @param path in a folder that nobody else can write to; what is left there of a process that
   *     ended is removed, as the caller knows that no other serves
   * @param users whose processes may call, by name; besides root and the user of this process
   * @throws IOException if there can't be a socket
   */
  public static VarlinkServer listen(
      VarlinkInterface service, String version, Path path, Set<String> users) throws IOException {
    Files.deleteIfExists(path);
    ServerSocketChannel listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    boolean started = false;
    try {
      listener.bind(UnixDomainSocketAddress.of(path));
      // Who connects is asked for his user anyway.
      Files.setPosixFilePermissions(
          path, PosixFilePermissions.fromString(users.isEmpty() ? "rw-------" : "rw-rw-rw-"));
      Set<String> allowed = new HashSet<>(users);
      allowed.add("root");
      allowed.add(Files.getOwner(path).getName());
      VarlinkServer server = new VarlinkServer(service, version, path, allowed, listener);
      Thread.ofPlatform().daemon().name("gatun control " + path).start(server::accept);
      started = true;
      return server;
    } finally {
      if (!started) {
        listener.close();
      }
    }
  }

  /** Takes no more calls, and waits a little for those that are there to be answered. */
  @Override
  public void close() {
    List<Thread> serving;
    synchronized (this) {
      if (closed) {
        return;
      }
      closed = true;
      close(listener);
      clients.keySet().forEach(VarlinkServer::endInput);
      serving = clients.values().stream().map(Client::thread).toList();
    }
    try {
      Files.deleteIfExists(path);
    } catch (IOException e) {
      LOG.log(Level.WARNING, "the socket " + path + " stays: " + e.getMessage());
    }
    awaitEnd(serving);
    synchronized (this) {
      clients.keySet().forEach(VarlinkServer::close);
    }
  }

  private static void awaitEnd(List<Thread> serving) {
    long end = System.nanoTime() + FAREWELL.toNanos();
    try {
      for (Thread thread : serving) {
        thread.join(Duration.ofNanos(Math.max(0, end - System.nanoTime())));
      }
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
    }
  }

  private void accept() {
    while (true) {
      try {
        start(listener.accept());
      } catch (ClosedChannelException _) {
        return;
      } catch (IOException e) {
        LOG.log(Level.WARNING, path + ": a caller is lost: " + e.getMessage());
      }
    }
  }

  private void start(SocketChannel channel) {
    boolean allowed;
    try {
      allowed = isAllowed(channel);
    } catch (IOException e) {
      LOG.log(Level.WARNING, path + ": a caller is lost: " + e.getMessage());
      close(channel);
      return;
    }
    Thread thread =
        Thread.ofPlatform()
            .daemon()
            .name("gatun control " + path + " client")
            .unstarted(() -> serve(channel, allowed));
    if (add(channel, new Client(thread, allowed))) {
      thread.start();
    } else {
      close(channel);
    }
  }

  private boolean isAllowed(SocketChannel channel) throws IOException {
    String user = channel.getOption(ExtendedSocketOptions.SO_PEERCRED).user().getName();
    boolean allowed = users.contains(user);
    if (!allowed) {
      LOG.log(Level.WARNING, "{0}: user {1} may not call", path, user);
    }
    return allowed;
  }

  private synchronized boolean add(SocketChannel channel, Client client) {
    if (closed) {
      return false;
    }
    int most = client.allowed() ? CONNECTIONS : STRANGERS;
    if (clients.values().stream().filter(c -> c.allowed() == client.allowed()).count() == most) {
      LOG.log(
          Level.WARNING,
          "{0}: there are {1} callers that {2}: one more is refused",
          path,
          most,
          client.allowed() ? "may call" : "may not call");
      return false;
    }
    clients.put(channel, client);
    return true;
  }

  /**
   * Until the caller leaves; one that may not call leaves when it was told so, since it would keep
   * others of its kind from that.
   */
  private void serve(SocketChannel client, boolean allowed) {
    try (MessageChannel messages = new MessageChannel(client)) {
      do {
        Optional<ObjectNode> call = messages.read();
        if (call.isEmpty()) {
          return;
        }
        answer(call.get(), allowed, messages);
      } while (allowed);
    } catch (MessageChannel.MalformedException e) {
      LOG.log(Level.WARNING, path + ": a caller is sent away: " + e.getMessage());
    } catch (IOException e) {
      LOG.log(Level.DEBUG, path + ": a caller left: " + e.getMessage());
    } finally {
      synchronized (this) {
        clients.remove(client);
      }
    }
  }

  private void answer(ObjectNode call, boolean allowed, MessageChannel messages)
      throws IOException {
    boolean oneway = call.path("oneway").asBoolean();
    ObjectNode reply = JSON.objectNode();
    try {
      if (!allowed) {
        throw VarlinkException.permissionDenied();
      }
      String method = call.path("method").asText();
      JsonNode parameters = call.path("parameters");
      if (method(method) instanceof Method.Stream stream) {
        if (oneway || !call.path("more").asBoolean()) {
          throw VarlinkException.expectedMore();
        }
        stream(stream, parameters, messages);
        return;
      }
      reply.set("parameters", carryOut(method, parameters));
    } catch (VarlinkException e) {
      reply.put("error", e.error());
      reply.set("parameters", e.parameters());
    } catch (RuntimeException e) {
      LOG.log(Level.ERROR, path + ": a call failed: " + call.path("method"), e);
      reply.put("error", service.name() + ".Failed");
      reply.set("parameters", JSON.objectNode().put("reason", String.valueOf(e.getMessage())));
    }
    if (!oneway) {
      messages.write(reply);
    }
  }

  /** Until the caller leaves, which is all that it can do meanwhile. */
  private static void stream(Method.Stream stream, JsonNode parameters, MessageChannel messages)
      throws IOException {
    try (ReplyStream replies = new ReplyStream(messages);
        Subscription _ = stream.subscribe(parameters, replies)) {
      if (messages.read().isPresent()) {
        throw new MessageChannel.MalformedException("a call came before the last one was answered");
      }
    }
  }

  private @Nullable Method method(String name) {
    String prefix = service.name() + ".";
    return name.startsWith(prefix) ? service.methods().get(name.substring(prefix.length())) : null;
  }

  private ObjectNode carryOut(String name, JsonNode parameters) {
    int dot = name.lastIndexOf('.');
    String ofInterface = name.substring(0, Math.max(dot, 0));
    if (ofInterface.equals(VarlinkInterface.SERVICE)) {
      return describe(name.substring(dot + 1), parameters);
    }
    if (!ofInterface.equals(service.name())) {
      throw VarlinkException.interfaceNotFound(ofInterface);
    }
    if (!(method(name) instanceof Method.Single single)) {
      throw VarlinkException.methodNotFound(name);
    }
    return single.call(parameters);
  }

  /** The interface that every service has. */
  private ObjectNode describe(String method, JsonNode parameters) {
    return switch (method) {
      case "GetInfo" -> {
        ObjectNode info =
            JSON.objectNode()
                .put("vendor", "Gatun")
                .put("product", service.name())
                .put("version", version)
                .put("url", "");
        info.putArray("interfaces").add(VarlinkInterface.SERVICE).add(service.name());
        yield info;
      }
      case "GetInterfaceDescription" -> {
        String wanted = parameters.path("interface").asText();
        yield JSON.objectNode()
            .put(
                "description",
                switch (wanted) {
                  case VarlinkInterface.SERVICE -> SERVICE_DESCRIPTION;
                  case "" -> throw VarlinkException.invalidParameter("interface");
                  default -> {
                    if (!wanted.equals(service.name())) {
                      throw VarlinkException.interfaceNotFound(wanted);
                    }
                    yield service.description();
                  }
                });
      }
      default -> throw VarlinkException.methodNotFound(VarlinkInterface.SERVICE + "." + method);
    };
  }

  /** As the specification has it. */
  private static final String SERVICE_DESCRIPTION =
      """
      # What every Varlink service answers to
      interface org.varlink.service

      method GetInfo() -> (
        vendor: string,
        product: string,
        version: string,
        url: string,
        interfaces: []string
      )

      method GetInterfaceDescription(interface: string) -> (description: string)

      error InterfaceNotFound (interface: string)
      error MethodNotFound (method: string)
      error MethodNotImplemented (method: string)
      error InvalidParameter (parameter: string)
      error PermissionDenied ()
      error ExpectedMore ()
      """;

  private static void endInput(SocketChannel client) {
    try {
      client.shutdownInput();
    } catch (IOException e) {
      LOG.log(Level.DEBUG, "a caller has left: " + e.getMessage());
    }
  }

  private static void close(AutoCloseable closeable) {
    try {
      closeable.close();
    } catch (Exception e) {
      LOG.log(Level.DEBUG, "closing " + closeable, e);
    }
  }
}
