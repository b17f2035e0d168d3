package org.gatun.cli;

import java.io.PrintWriter;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.jspecify.annotations.Nullable;

/**
 * Shows how far long work has come: a bar on a terminal, else a plain line each quarter. Goes to
 * standard error, so that what a script reads stays clean. One thread.
 */
final class Progress implements AutoCloseable {
  private static final long MIB = 1 << 20;

  private final PrintWriter err;
  private final String task;
  private final long total;
  private final @Nullable ProgressBar bar;
  private long done;

  /**
   * @param total bytes
   */
  Progress(PrintWriter err, String task, long total) {
    this.err = err;
    this.task = task;
    this.total = total;
    this.bar =
        onTerminal()
            ? new ProgressBarBuilder()
                .setTaskName(task)
                .setInitialMax(total)
                .setUnit(" MiB", MIB)
                .setStyle(ProgressBarStyle.ASCII)
                .setUpdateIntervalMillis(100)
                .showSpeed()
                .continuousUpdate()
                .build()
            : null;
  }

  /** That many bytes more are done. */
  void step(long bytes) {
    long quarter = quarter();
    done += bytes;
    if (bar != null) {
      bar.stepTo(done);
    } else if (quarter() != quarter) {
      err.printf("%s: %d%% of %d MiB%n", task, quarter() * 25, total / MIB);
      err.flush();
    }
  }

  @Override
  public void close() {
    if (bar != null) {
      bar.close();
    }
  }

  private long quarter() {
    return total == 0 ? 4 : done * 4 / total;
  }

  @SuppressWarnings("SystemConsoleNull") // true of JDK 22 to 24 only: 25 gives null again
  private static boolean onTerminal() {
    return System.console() != null && System.console().isTerminal();
  }
}
