package org.gatun.broker.service.process;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.System.Logger.Level;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * What a guest writes to its standard output and its standard error: read on a thread of its own,
 * at a rate that a guest which writes without end can't make anybody suffer from. The last lines
 * are kept.
 */
final class GuestOutput {
  private static final System.Logger LOG = System.getLogger(GuestOutput.class.getName());
  private static final int LINES = 500;
  private static final int LONGEST = 1024;
  private static final int CHUNK = 8192;

  /** After each chunk: some megabytes a second, for a few per mille of a processor. */
  private static final Duration PAUSE = Duration.ofMillis(2);

  private final Deque<String> lines = new ArrayDeque<>();
  private final StringBuilder line = new StringBuilder();
  private final Thread thread;

  /**
   * @param copy where it goes besides; it may block, and then the guest does
   */
  GuestOutput(String guest, InputStream output, OutputStream copy) {
    thread =
        Thread.ofPlatform()
            .daemon()
            .name("gatun output of " + guest)
            .start(() -> pump(guest, output, copy));
  }

  /** The last lines. */
  synchronized List<String> last() {
    List<String> all = new ArrayList<>(lines);
    if (!line.isEmpty()) {
      all.add(line.toString());
    }
    return List.copyOf(all);
  }

  /** Waits until all is read, for a process that has ended. */
  void join(Duration limit) throws InterruptedException {
    thread.join(limit);
  }

  private void pump(String guest, InputStream output, OutputStream copy) {
    byte[] chunk = new byte[CHUNK];
    try (output) {
      for (int count = output.read(chunk); count >= 0; count = output.read(chunk)) {
        copy.write(chunk, 0, count);
        copy.flush();
        keep(new String(chunk, 0, count, StandardCharsets.UTF_8));
        Thread.sleep(PAUSE);
      }
    } catch (IOException | InterruptedException e) {
      LOG.log(Level.DEBUG, "guest " + guest + ": its output is not read any more", e);
    }
  }

  private synchronized void keep(String text) {
    text.chars()
        .forEach(
            c -> {
              if (c == '\n') {
                lines.addLast(line.toString());
                line.setLength(0);
                if (lines.size() > LINES) {
                  lines.removeFirst();
                }
              } else if (line.length() < LONGEST) {
                line.append(Character.isISOControl(c) && c != '\t' ? '?' : (char) c);
              }
            });
  }
}
