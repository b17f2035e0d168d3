package org.gatun.broker.service.varlink;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;

/**
 * Replies to one call that go on until the caller leaves. A thread writes them, as a caller may be
 * slow to read; one for whom too many wait is sent away.
 */
final class ReplyStream implements VarlinkInterface.Replies, AutoCloseable {
  private static final System.Logger LOG = System.getLogger(ReplyStream.class.getName());

  /** That wait. */
  private static final int MOST = 1024;

  private final MessageChannel messages;
  private final BlockingQueue<ObjectNode> waiting = new LinkedBlockingQueue<>(MOST);
  private final Thread writer;

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

  /** Ends the connection: a reply may be half written. */
  @Override
  public void close() {
    leave();
    writer.interrupt();
  }

  private void writeAll() {
    try {
      while (true) {
        ObjectNode reply = JsonNodeFactory.instance.objectNode().put("continues", true);
        reply.set("parameters", waiting.take());
        messages.write(reply);
      }
    } catch (IOException e) {
      LOG.log(Level.DEBUG, "a caller left: " + e.getMessage());
      leave();
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
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
