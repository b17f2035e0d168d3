package org.gatun.broker.service.varlink;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * Replies to one call that go on until the caller leaves. A thread writes them, as a caller may be
 * slow to read; one for whom too many wait is sent away.
 */
final class ReplyStream implements VarlinkInterface.Replies, AutoCloseable {
  private static final System.Logger LOG = System.getLogger(ReplyStream.class.getName());

  /** That wait. */
  private static final int MOST = 1024;

  /** Until the writer sees that this was closed. */
  private static final Duration LOOK = Duration.ofMillis(100);

  /** For what waits when this is closed. */
  private static final Duration FAREWELL = Duration.ofSeconds(1);

  private final MessageChannel messages;
  private final BlockingQueue<ObjectNode> waiting = new LinkedBlockingQueue<>(MOST);
  private final Thread writer;
  private volatile boolean closing;

  ReplyStream(MessageChannel messages) {
    this.messages = messages;
    this.writer = Thread.ofPlatform().daemon().name("gatun control replies").start(this::writeAll);
  }

  @Override
  public void send(ObjectNode parameters) {
    if (!waiting.offer(parameters)) {
      LOG.log(Level.WARNING, "a caller does not read its replies: it is sent away");
      leave();
    }
  }

  /** Lets what waits go out, if the caller reads it soon, and ends the connection. */
  @Override
  public void close() {
    closing = true;
    try {
      if (!writer.join(FAREWELL)) {
        leave();
      }
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
      leave();
    }
  }

  private void writeAll() {
    try {
      while (true) {
        boolean last = closing;
        ObjectNode parameters = waiting.poll(LOOK.toMillis(), TimeUnit.MILLISECONDS);
        if (parameters != null) {
          ObjectNode reply = JsonNodeFactory.instance.objectNode().put("continues", true);
          reply.set("parameters", parameters);
          messages.write(reply);
        } else if (last) {
          return;
        }
      }
    } catch (IOException e) {
      LOG.log(Level.DEBUG, "a caller left: " + e.getMessage());
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
    } finally {
      leave();
    }
  }

  private void leave() {
    try {
      messages.close();
    } catch (IOException e) {
      LOG.log(Level.DEBUG, "closing a connection: " + e.getMessage());
    }
  }
}
