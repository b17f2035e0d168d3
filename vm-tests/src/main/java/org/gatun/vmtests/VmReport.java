package org.gatun.vmtests;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.gatun.vmtests.inside.TestEvent;
import org.gatun.vmtests.inside.TestEvent.AllEnded;
import org.gatun.vmtests.inside.TestEvent.Finished;
import org.gatun.vmtests.inside.TestEvent.Planned;
import org.gatun.vmtests.inside.TestEvent.Skipped;
import org.gatun.vmtests.inside.TestEvent.Started;
import org.gatun.vmtests.inside.TestEvent.Status;
import org.gatun.vmtests.machine.Boot;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.DynamicContainer;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.DynamicTest;
import org.opentest4j.TestAbortedException;

/**
 * The run inside as tests of the outer run. What did not pass, be it skipped or fail, there, does
 * so here.
 */
final class VmReport {
  private final Boot boot;
  private final Map<String, Planned> planned = new LinkedHashMap<>();

  /** The last event of each id. */
  private final Map<String, TestEvent> last = new LinkedHashMap<>();

  private boolean allEnded;

  VmReport(Boot boot, Path events) throws IOException {
    this.boot = boot;
    if (Files.exists(events)) {
      String text = new String(Files.readAllBytes(events), StandardCharsets.UTF_8);
      // A last line without its end was cut by a crash.
      text.substring(0, text.lastIndexOf('\n') + 1)
          .lines()
          .map(TestEvent::parse)
          .flatMap(Optional::stream)
          .forEach(this::add);
    }
  }

  private void add(TestEvent event) {
    switch (event) {
      case Planned p -> planned.put(p.id(), p);
      case AllEnded _ -> allEnded = true;
      case Started _, Skipped _, Finished _ -> last.put(event.id(), event);
    }
  }

  /** One test for the machine itself, then the tree of tests. */
  Stream<DynamicNode> nodes() {
    List<DynamicNode> nodes = new ArrayList<>();
    nodes.add(DynamicTest.dynamicTest("the machine ended orderly", this::checkMachine));
    for (Planned node : planned.values()) {
      // The engine is the root; its children are the classes.
      if (node.parent().isEmpty()) {
        nodes.addAll(children(node, Optional.empty()));
      }
    }
    return nodes.stream();
  }

  private void checkMachine() throws IOException {
    if (!boot.successful() || !allEnded) {
      throw new InVmFailure(boot.report());
    }
    if (planned.values().stream().noneMatch(Planned::test)) {
      throw new InVmFailure("no tests were found in the classes; " + boot.report());
    }
  }

  private List<DynamicNode> children(Planned parent, Optional<TestEvent> cause) {
    return planned.values().stream()
        .filter(node -> node.parent().equals(parent.id()))
        .map(node -> node(node, cause))
        .toList();
  }

  /**
   * @param cause why a container above did not pass: then its tests have no event of their own
   */
  private DynamicNode node(Planned node, Optional<TestEvent> cause) {
    TestEvent event = last.get(node.id());
    if (node.test()) {
      return DynamicTest.dynamicTest(node.displayName(), () -> check(event, cause));
    }
    List<DynamicNode> nodes = new ArrayList<>();
    Optional<TestEvent> own = Optional.ofNullable(event).filter(VmReport::keepsChildrenFromRunning);
    if (own.isPresent()) {
      nodes.add(DynamicTest.dynamicTest("the container", () -> check(event, Optional.empty())));
    }
    nodes.addAll(children(node, own.or(() -> cause)));
    return DynamicContainer.dynamicContainer(node.displayName(), nodes);
  }

  private static boolean keepsChildrenFromRunning(TestEvent event) {
    return event instanceof Skipped || (event instanceof Finished f && f.status() != Status.PASSED);
  }

  private void check(@Nullable TestEvent event, Optional<TestEvent> cause) throws IOException {
    switch (event) {
      case Finished f -> {
        switch (f.status()) {
          case PASSED -> {}
          case ABORTED -> throw new TestAbortedException(f.trace());
          case FAILED ->
              throw new InVmFailure(
                  "inside the machine: "
                      + f.trace().stripTrailing()
                      + "\nConsole log: "
                      + boot.console());
        }
      }
      case Skipped s -> throw new TestAbortedException(s.reason());
      case Started _ -> throw new InVmFailure("began and did not end: " + boot.report());
      case null, default -> {
        if (cause.isPresent()) {
          throw new TestAbortedException("did not run: its container failed or was skipped");
        }
        throw new InVmFailure("did not run: " + boot.summary());
      }
    }
  }
}
