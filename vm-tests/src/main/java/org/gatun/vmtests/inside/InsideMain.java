package org.gatun.vmtests.inside;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import org.gatun.vmtests.inside.TestEvent.AllEnded;
import org.gatun.vmtests.inside.TestEvent.Finished;
import org.gatun.vmtests.inside.TestEvent.Planned;
import org.gatun.vmtests.inside.TestEvent.Skipped;
import org.gatun.vmtests.inside.TestEvent.Started;
import org.gatun.vmtests.inside.TestEvent.Status;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.discovery.ClassSelector;
import org.junit.platform.engine.discovery.DiscoverySelectors;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.TestPlan;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/**
 * Runs test classes inside the machine and writes {@linkplain TestEvent events}. Arguments: the
 * file for the events, and the names of the classes. The status is 0 also when tests failed: the
 * events say so.
 */
public final class InsideMain {
  private InsideMain() {}

  static void main(String[] args) throws IOException {
    List<ClassSelector> classes =
        Arrays.stream(args).skip(1).map(DiscoverySelectors::selectClass).toList();
    try (EventWriter writer = new EventWriter(Path.of(args[0]))) {
      LauncherFactory.create()
          .execute(LauncherDiscoveryRequestBuilder.request().selectors(classes).build(), writer);
    }
    // Threads that a test left behind must not keep the machine up.
    System.exit(0);
  }

  /** Writes each event in one write: each is in the kernel's hands when the test goes on. */
  private static final class EventWriter implements TestExecutionListener, AutoCloseable {
    private final FileChannel file;

    EventWriter(Path path) throws IOException {
      file =
          FileChannel.open(
              path, StandardOpenOption.CREATE, StandardOpenOption.APPEND, StandardOpenOption.WRITE);
    }

    @Override
    public void testPlanExecutionStarted(TestPlan plan) {
      plan.accept(
          new TestPlan.Visitor() {
            @Override
            public void visit(TestIdentifier identifier) {
              write(planned(identifier));
            }
          });
    }

    @Override
    public void dynamicTestRegistered(TestIdentifier identifier) {
      write(planned(identifier));
    }

    @Override
    public void executionStarted(TestIdentifier identifier) {
      write(new Started(identifier.getUniqueId()));
    }

    @Override
    public void executionSkipped(TestIdentifier identifier, String reason) {
      write(new Skipped(identifier.getUniqueId(), reason));
    }

    @Override
    public void executionFinished(TestIdentifier identifier, TestExecutionResult result) {
      Status status =
          switch (result.getStatus()) {
            case SUCCESSFUL -> Status.PASSED;
            case ABORTED -> Status.ABORTED;
            case FAILED -> Status.FAILED;
          };
      write(
          new Finished(
              identifier.getUniqueId(),
              status,
              result.getThrowable().map(EventWriter::trace).orElse("")));
    }

    @Override
    public void testPlanExecutionFinished(TestPlan plan) {
      write(new AllEnded("run"));
    }

    private static Planned planned(TestIdentifier identifier) {
      return new Planned(
          identifier.getUniqueId(),
          identifier.getParentId().orElse(""),
          identifier.isTest(),
          identifier.getDisplayName());
    }

    private static String trace(Throwable throwable) {
      StringWriter text = new StringWriter();
      throwable.printStackTrace(new PrintWriter(text, true));
      return text.toString();
    }

    private synchronized void write(TestEvent event) {
      try {
        ByteBuffer line = ByteBuffer.wrap((event.toLine() + "\n").getBytes(StandardCharsets.UTF_8));
        while (line.hasRemaining()) {
          file.write(line);
        }
      } catch (IOException e) {
        throw new UncheckedIOException("cannot write the test events", e);
      }
    }

    @Override
    public void close() throws IOException {
      file.close();
    }
  }
}
