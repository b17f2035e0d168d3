package org.gatun.driver.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.function.Consumer;
import org.gatun.pci.DeviceProtocolException;
import org.gatun.pci.DeviceTimeoutException;
import org.gatun.pci.PciDevice;
import org.gatun.simulated.NvmeModel;
import org.gatun.simulated.SimulatedBus;
import org.gatun.specs.nvme.AdminCommand;
import org.gatun.specs.nvme.AdminOpcode;
import org.gatun.specs.nvme.AsynchronousEvent;
import org.gatun.specs.nvme.Cap;
import org.gatun.specs.nvme.ErrorLogEntry;
import org.gatun.specs.nvme.Features;
import org.gatun.specs.nvme.FirmwareSlotLog;
import org.gatun.specs.nvme.IdentifyNamespace;
import org.gatun.specs.nvme.LbaFormat;
import org.gatun.specs.nvme.LogPage;
import org.gatun.specs.nvme.NamespaceList;
import org.gatun.specs.nvme.NvmeStatus;
import org.gatun.specs.nvme.SanitizeStatusLog;
import org.gatun.specs.nvme.SmartLog;
import org.gatun.testkit.DeviceRoute;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a controller tells unasked, and what becomes of disks on namespaces that change. */
class NvmeEventsTest {
  private static final int BLOCK = 512;
  private static final Duration SECOND = Duration.ofSeconds(1);

  private final List<NvmeEvent> events = new ArrayList<>();

  private static Rig rig() {
    return rig(_ -> {});
  }

  private static Rig rig(Consumer<ScriptedNvme> prepare) {
    return new Rig(
        model -> {
          model.identity.setAsynchronousEventRequestLimit(1);
          model.identity.setOaes(Features.EVENT_NAMESPACE_ATTRIBUTE);
          model.logPages.put(LogPage.SMART, SmartLog.create().segment());
          model.logPages.put(
              LogPage.ERROR_INFORMATION, MemorySegment.ofArray(new byte[ErrorLogEntry.SIZE]));
          model.logPages.put(LogPage.FIRMWARE_SLOT, FirmwareSlotLog.create().segment());
          model.logPages.put(LogPage.SANITIZE_STATUS, SanitizeStatusLog.create().segment());
          model.logPages.put(LogPage.CHANGED_NAMESPACE_LIST, NamespaceList.create().segment());
          prepare.accept(model);
        });
  }

  /** Says that namespaces have changed. */
  private static void tellOfNamespaces(Rig rig, int... ids) {
    NamespaceList list = NamespaceList.create();
    for (int i = 0; i < ids.length; i++) {
      list.setNamespaceId(i, ids[i]);
    }
    rig.model.logPages.put(LogPage.CHANGED_NAMESPACE_LIST, list.segment());
    rig.model.tell(
        AsynchronousEvent.TYPE_NOTICE,
        AsynchronousEvent.NOTICE_NAMESPACE_ATTRIBUTE_CHANGED,
        LogPage.CHANGED_NAMESPACE_LIST);
  }

  private static IdentifyNamespace namespace(Rig rig, int id) {
    return Objects.requireNonNull(rig.model.namespaces.get(id));
  }

  /** In virtual time; else as long as it takes. */
  private static void pass(Rig rig, Duration time) {
    rig.bus.time().sleep(time);
  }

  @ParameterizedTest
  @CsvSource({"0, 1", "1, 2", "3, 4", "255, 4"})
  void asksForEventsFromTheFirstCallOn(int limit, int requests) {
    List<Integer> configured = new ArrayList<>();
    try (Rig rig = rig(model -> model.identity.setAsynchronousEventRequestLimit(limit));
        NvmeController controller = rig.open()) {
      assertThat(rig.model.log).doesNotContain("Asynchronous Event Request");
      rig.model.script =
          command -> {
            if (command.opcode == AdminOpcode.SET_FEATURES) {
              assertThat(Features.feature(command.dword10))
                  .isEqualTo(Features.ASYNCHRONOUS_EVENT_CONFIGURATION);
              configured.add(command.dword11);
            }
            command.execute();
          };
      for (int i = 0; i < 3; i++) {
        assertThat(controller.pollEvents(events::add)).isZero();
      }
      assertThat(rig.model.eventRequests).hasSize(requests);
      assertThat(configured).containsExactly(Features.EVENT_NAMESPACE_ATTRIBUTE | 0x1f);
      assertThat(events).isEmpty();
    }
  }

  @Test
  void eachEventIsReadAndAskedForAgain() {
    try (Rig rig = rig();
        NvmeController controller = rig.open()) {
      controller.pollEvents(events::add);
      SmartLog smart = SmartLog.create();
      smart.setCompositeTemperature(400);
      rig.model.logPages.put(LogPage.SMART, smart.segment());
      int[][] told = {
        {AsynchronousEvent.TYPE_ERROR, 3, LogPage.ERROR_INFORMATION},
        {AsynchronousEvent.TYPE_SMART, 1, LogPage.SMART},
        {AsynchronousEvent.TYPE_NOTICE, 1, LogPage.FIRMWARE_SLOT},
        {AsynchronousEvent.TYPE_IO_COMMAND_SPECIFIC, 1, LogPage.SANITIZE_STATUS},
        // Of a vendor; with a page that does not fit; with one that is not there.
        {AsynchronousEvent.TYPE_VENDOR_SPECIFIC, 9, LogPage.SMART},
        {AsynchronousEvent.TYPE_SMART, 1, LogPage.CHANGED_NAMESPACE_LIST},
        {AsynchronousEvent.TYPE_VENDOR_SPECIFIC, 9, 0xc0},
      };
      for (int[] event : told) {
        rig.model.tell(event[0], event[1], event[2]);
        rig.model.log.clear();
        assertThat(controller.pollEvents(events::add)).isEqualTo(1);
        assertThat(rig.model.log).contains("Get Log Page").endsWith("Asynchronous Event Request");
        assertThat(rig.model.eventRequests).hasSize(2);
      }
      assertThat(events)
          .hasExactlyElementsOfTypes(
              NvmeEvent.ControllerError.class,
              NvmeEvent.Health.class,
              NvmeEvent.FirmwareActivation.class,
              NvmeEvent.SanitizeEnded.class,
              NvmeEvent.Other.class,
              NvmeEvent.Other.class,
              NvmeEvent.Other.class);
      assertThat(events.get(1))
          .isInstanceOfSatisfying(
              NvmeEvent.Health.class,
              health -> {
                assertThat(health.information()).isEqualTo(1);
                assertThat(health.log().compositeTemperature()).isEqualTo(400);
              });
      assertThat(events.getLast()).isEqualTo(new NvmeEvent.Other(7, 9, 0xc0));
    }
  }

  @Test
  void severalEventsComeInOrderAlsoWhileACommandIsExecuted() {
    try (Rig rig = rig();
        NvmeController controller = rig.open()) {
      controller.pollEvents(events::add);
      rig.model.script =
          command -> {
            if (command.opcode >= 0xc0) {
              rig.model.tell(AsynchronousEvent.TYPE_SMART, 0, LogPage.SMART);
              command.complete(77, 0);
              rig.model.tell(AsynchronousEvent.TYPE_SMART, 2, LogPage.SMART);
            } else {
              command.execute();
            }
          };
      assertThat(controller.execute(NvmeCommand.of(0xc0, 0)).dword0()).isEqualTo(77);
      assertThat(controller.pollEvents(events::add)).isEqualTo(2);
      assertThat(events)
          .extracting(event -> ((NvmeEvent.Health) event).information())
          .containsExactly(0, 2);
    }
  }

  @Test
  void whatAListenerDoesNotTakeStaysForTheNextCall() {
    try (Rig rig = rig();
        NvmeController controller = rig.open()) {
      controller.pollEvents(events::add);
      rig.model.tell(AsynchronousEvent.TYPE_SMART, 0, LogPage.SMART);
      rig.model.tell(AsynchronousEvent.TYPE_SMART, 1, LogPage.SMART);
      assertThatIllegalStateException()
          .isThrownBy(
              () ->
                  controller.pollEvents(
                      _ -> {
                        throw new IllegalStateException("no");
                      }));
      assertThat(controller.pollEvents(events::add)).isEqualTo(1);
      assertThat(((NvmeEvent.Health) events.getFirst()).information()).isEqualTo(1);
    }
  }

  @Test
  void aListenerMayUseTheController() {
    try (Rig rig = rig();
        NvmeController controller = rig.open()) {
      controller.pollEvents(events::add);
      rig.model.tell(AsynchronousEvent.TYPE_SMART, 0, LogPage.SMART);
      List<Integer> seen = new ArrayList<>();
      controller.pollEvents(
          _ -> {
            rig.model.tell(AsynchronousEvent.TYPE_SMART, 1, LogPage.SMART);
            seen.add(controller.logs().smart().criticalWarning());
            controller.pollEvents(events::add);
          });
      assertThat(seen).containsExactly(0);
      assertThat(events).hasSize(1);
    }
  }

  @Test
  void namespacesAppearVanishAndResize() {
    try (Rig rig =
            rig(
                model -> {
                  model.addNamespace(1, 64, 9, 0);
                  model.addNamespace(2, 64, 9, 0);
                  model.addNamespace(3, 64, 9, 0);
                });
        NvmeController controller = rig.open()) {
      controller.pollEvents(events::add);
      rig.model.namespaces.remove(2);
      namespace(rig, 3).setSize(128);
      rig.model.addNamespace(7, 32, 12, 0);
      rig.model.addNamespace(8, 32, 12, 8); // of a kind that can't be used
      tellOfNamespaces(rig, 2, 3, 7, 8);
      controller.pollEvents(events::add);

      assertThat(events)
          .containsExactly(new NvmeEvent.NamespacesChanged(Set.of(7, 8), Set.of(2), Set.of(3)));
      assertThat(controller.namespaces())
          .extracting(NvmeNamespace::id, NvmeNamespace::blocks)
          .map(tuple -> tuple.toList().toString())
          .containsExactly("[1, 64]", "[3, 128]", "[7, 32]");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> controller.namespace(2))
          .withMessageContaining("active are: 1, 3, 7");
      controller.openDisk(7).close();
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, 1})
  void onlyThoseThatAreNamedAreAskedAbout(int named) {
    try (Rig rig =
            rig(
                model -> {
                  for (int id = 1; id <= 100; id++) {
                    model.addNamespace(id, 64, 9, 0);
                  }
                });
        NvmeController controller = rig.open()) {
      controller.pollEvents(events::add);
      namespace(rig, 1).setSize(32);
      rig.model.log.clear();
      tellOfNamespaces(rig, named);
      controller.pollEvents(events::add);
      assertThat(controller.namespace(1).blocks()).isEqualTo(32);
      // Their list, and each of those: -1 names all.
      assertThat(rig.model.log).filteredOn("Identify"::equals).hasSize(named == -1 ? 101 : 2);
    }
  }

  @Test
  void aDiskOnANamespaceThatHasVanishedSaysSo() {
    try (Rig rig = rig();
        NvmeController controller = rig.open();
        NvmeDisk disk = controller.openDisk(1)) {
      controller.pollEvents(events::add);
      IdentifyNamespace kept = namespace(rig, 1);
      rig.model.namespaces.clear();
      tellOfNamespaces(rig, 1);
      controller.pollEvents(events::add);
      List<String> sent = new ArrayList<>();
      rig.model.script =
          command -> {
            if (command.isIo()) {
              sent.add("I/O");
            }
            command.execute();
          };
      List<Runnable> uses =
          List.of(
              () -> disk.read(0, new byte[BLOCK]),
              () -> disk.write(0, new byte[BLOCK]),
              () -> disk.writeZeroes(0, BLOCK),
              () -> disk.deallocate(0, BLOCK),
              disk::flush,
              disk::namespace,
              () -> disk.execute(NvmeCommand.of(0, 1)));
      for (Runnable use : uses) {
        assertThatExceptionOfType(NvmeNamespaceException.class)
            .isThrownBy(use::run)
            .withMessage(
                "simulated:nvme: namespace 1 has vanished, or can't be used any more: see the"
                    + " controller's namespaces; open it anew, if it is still the one you want")
            .satisfies(e -> assertThat(e.namespaceId()).isEqualTo(1));
      }
      assertThat(sent).isEmpty();

      rig.model.namespaces.put(1, kept);
      tellOfNamespaces(rig, 1);
      controller.pollEvents(events::add);
      disk.flush();
      assertThat(sent).hasSize(1);
    }
  }

  @Test
  void aDiskOnANamespaceThatHasShrunkOrGrownKnows() {
    try (Rig rig = rig();
        NvmeController controller = rig.open();
        NvmeDisk disk = controller.openDisk(1)) {
      controller.pollEvents(events::add);
      long size = disk.namespace().sizeBytes();
      namespace(rig, 1).setSize(8192);
      tellOfNamespaces(rig, 1);
      controller.pollEvents(events::add);
      assertThat(disk.namespace().blocks()).isEqualTo(8192);
      disk.write(size / 2 - BLOCK, new byte[BLOCK]);
      assertThatExceptionOfType(NvmeNamespaceException.class)
          .isThrownBy(() -> disk.write(size / 2 - BLOCK, new byte[2 * BLOCK]))
          .withMessage(
              "simulated:nvme: namespace 1 has shrunk from 8388608 bytes to 4194304, and offset"
                  + " 4193792, length 1024 goes past the end");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> disk.write(size, new byte[BLOCK]))
          .withMessageContaining("4194304 bytes in all");

      rig.model.addNamespace(1, 32768, 9, 0);
      tellOfNamespaces(rig, 1);
      controller.pollEvents(events::add);
      byte[] data = {1, 2, 3};
      byte[] block = new byte[BLOCK];
      System.arraycopy(data, 0, block, 0, 3);
      disk.write(2 * size - BLOCK, block);
      byte[] read = new byte[BLOCK];
      disk.read(2 * size - BLOCK, read);
      assertThat(read).isEqualTo(block);
    }
  }

  /** The UUID is in the list that tells of command sets. */
  @Test
  void aDiskOnANamespaceWhoseUuidIsAnotherNowSaysSo() {
    try (Rig rig =
            rig(
                model ->
                    model.cap = Cap.withCss(model.cap, Cap.CSS_NVM | Cap.CSS_IO_COMMAND_SETS));
        NvmeController controller = rig.open();
        NvmeDisk disk = controller.openDisk(1)) {
      controller.pollEvents(events::add);
      rig.model.uuid[7]++;
      tellOfNamespaces(rig, 1);
      controller.pollEvents(events::add);
      assertThatExceptionOfType(NvmeNamespaceException.class)
          .isThrownBy(() -> disk.read(0, new byte[BLOCK]))
          .withMessageContaining("namespace 1 was replaced by another one; open it anew");
    }
  }

  @Test
  void aDiskOnANamespaceThatIsAnotherNowSaysSo() {
    try (Rig rig = rig();
        NvmeController controller = rig.open();
        NvmeDisk disk = controller.openDisk(1)) {
      controller.pollEvents(events::add);
      IdentifyNamespace namespace = namespace(rig, 1);
      namespace.setEui64(new byte[] {1, 2, 3, 4, 5, 6, 7, 8});
      tellOfNamespaces(rig, 1);
      controller.pollEvents(events::add);
      assertThatExceptionOfType(NvmeNamespaceException.class)
          .isThrownBy(() -> disk.read(0, new byte[BLOCK]))
          .withMessageContaining("namespace 1 was replaced by another one; open it anew");

      namespace.setEui64(new byte[8]);
      namespace.setLbaFormat(0, new LbaFormat(0, 12, 0));
      tellOfNamespaces(rig, 1);
      controller.pollEvents(events::add);
      assertThatExceptionOfType(NvmeNamespaceException.class)
          .isThrownBy(() -> disk.read(0, new byte[BLOCK]))
          .withMessageContaining("namespace 1 has blocks of 4096 bytes now, and had 512");
    }
  }

  /** Nobody calls pollEvents again: who does I/O looks. */
  @Tag(DeviceRoute.VIRTUAL_TIME)
  @ParameterizedTest
  @EnumSource
  void whoUsesAQueuePairLooksToo(Completion completion) {
    try (Rig rig = rig()) {
      rig.options = rig.options.withCompletion(completion);
      try (NvmeController controller = rig.open();
          NvmeQueuePair queue = controller.createQueuePair()) {
        controller.pollEvents(events::add);
        rig.model.addNamespace(2, 64, 9, 0);
        tellOfNamespaces(rig, 2);
        assertThat(controller.namespaces()).hasSize(1);
        assertThat(queue.await(SECOND)).isZero();
        assertThat(controller.namespaces()).hasSize(2);
        assertThat(rig.model.eventRequests).hasSize(2);
        assertThat(controller.pollEvents(events::add)).isEqualTo(1);
        assertThat(events)
            .containsExactly(new NvmeEvent.NamespacesChanged(Set.of(2), Set.of(), Set.of()));
      }
    }
  }

  /** A pin is shared by all queues, and asserted until the completion is taken. */
  @Tag(DeviceRoute.VIRTUAL_TIME)
  @Test
  void anEventDoesNotKeepAwakeWhoSharesItsInterrupt() {
    try (Rig rig = rig()) {
      rig.options = rig.options.withCompletion(Completion.INTERRUPT);
      try (NvmeController controller = rig.open();
          NvmeQueuePair queue = controller.createQueuePair()) {
        controller.pollEvents(events::add);
        rig.model.tell(AsynchronousEvent.TYPE_SMART, 1, LogPage.SMART);
        queue.await(SECOND);
        rig.model.statusReads = 0;
        queue.submitFlush(controller.namespace(1), (_, _) -> {}, 0);
        queue.ring();
        assertThat(queue.await(SECOND)).isEqualTo(1);
        assertThat(rig.model.statusReads).isLessThan(5);
        assertThat(controller.pollEvents(events::add)).isEqualTo(1);
      }
    }
  }

  /** Each request is answered at once. */
  @Tag(DeviceRoute.VIRTUAL_TIME)
  @Test
  void eventsWithoutEndStopNobody() {
    try (Rig rig = rig(model -> model.identity.setAsynchronousEventRequestLimit(255));
        NvmeController controller = rig.open();
        NvmeDisk disk = controller.openDisk(1)) {
      int[] told = {0};
      rig.model.script =
          command -> {
            command.execute();
            while (!rig.model.eventRequests.isEmpty()) {
              told[0]++;
              rig.model.tell(AsynchronousEvent.TYPE_SMART, 1, LogPage.SMART);
            }
          };
      for (int i = 0; i < 10; i++) {
        assertThat(controller.pollEvents(events::add)).isLessThanOrEqualTo(4);
      }
      assertThat(events).isNotEmpty();

      // Looked at ten times a second by who does I/O, and kept within bounds.
      told[0] = 0;
      byte[] block = new byte[BLOCK];
      for (int i = 0; i < 5000; i++) {
        disk.read(0, block);
        pass(rig, Duration.ofMillis(1));
      }
      assertThat(told[0]).isBetween(4, 4 * 60);
      for (int i = 0; i < 100; i++) {
        pass(rig, SECOND);
        for (int poll = 0; poll < 1024; poll++) {
          disk.flush();
        }
      }
      assertThat(controller.pollEvents(events::add)).isLessThanOrEqualTo(64);
    }
  }

  @Test
  void aControllerThatTakesFewerRequestsThanItSaysIsAskedForFewer() {
    try (Rig rig = rig();
        NvmeController controller = rig.open()) {
      rig.model.script =
          command -> {
            if (command.opcode == AdminOpcode.ASYNCHRONOUS_EVENT_REQUEST
                && rig.model.eventRequests.size() == 1) {
              rig.model.log.add("refused");
              command.complete(NvmeStatus.ASYNCHRONOUS_EVENT_REQUEST_LIMIT_EXCEEDED);
            } else {
              command.execute();
            }
          };
      for (int i = 0; i < 4; i++) {
        controller.pollEvents(events::add);
      }
      rig.model.tell(AsynchronousEvent.TYPE_SMART, 1, LogPage.SMART);
      controller.pollEvents(events::add);
      assertThat(events).hasSize(1);
      assertThat(rig.model.log).filteredOn("refused"::equals).hasSize(1);
    }
  }

  @Test
  void aControllerWithoutTheConfigurationIsAskedAllTheSame() {
    try (Rig rig = rig();
        NvmeController controller = rig.open()) {
      rig.model.script =
          command -> {
            if (command.opcode == AdminOpcode.SET_FEATURES) {
              command.complete(NvmeStatus.INVALID_FIELD_IN_COMMAND);
            } else {
              command.execute();
            }
          };
      controller.pollEvents(events::add);
      rig.model.tell(AsynchronousEvent.TYPE_SMART, 1, LogPage.SMART);
      assertThat(controller.pollEvents(events::add)).isEqualTo(1);
    }
  }

  /** An event that nobody asked for; the same once more; a command that is not there. */
  @ParameterizedTest
  @ValueSource(ints = {0x8002, 0x8000, 0x0001})
  void aCompletionOfNothingIsAFailure(int commandId) {
    try (Rig rig = rig();
        NvmeController controller = rig.open()) {
      controller.pollEvents(events::add);
      if (commandId == 0x8000) {
        rig.model.tell(AsynchronousEvent.TYPE_SMART, 1, LogPage.SMART);
      }
      rig.model.post(0, 0, 0, commandId, 0);
      assertThatExceptionOfType(DeviceProtocolException.class)
          .isThrownBy(() -> controller.pollEvents(events::add))
          .withMessageStartingWith(
              "simulated:nvme: completion on the admin queue for command " + commandId);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1})
  void aListOfNamespacesThatDoesNotAscendIsAFailure(int repeated) {
    try (Rig rig =
        rig(
            model -> {
              for (int id = 1; id <= 1024; id++) {
                model.addNamespace(id, 1, 9, 0);
              }
            })) {
      rig.model.repeatFirstNamespaces = false;
      rig.model.namespaces.remove(1024);
      try (NvmeController controller = rig.open()) {
        controller.pollEvents(events::add);
        // That of those that have changed may: each is looked for in the other.
        rig.model.addNamespace(1024, 1, 9, 0);
        rig.model.repeatFirstNamespaces = repeated == 1;
        tellOfNamespaces(rig, 7, 3, 7, 2000, 3);
        if (repeated == 1) {
          assertThatExceptionOfType(DeviceProtocolException.class)
              .isThrownBy(() -> controller.pollEvents(events::add))
              .withMessageContaining("does not ascend: 1 after 1024");
        } else {
          controller.pollEvents(events::add);
          assertThat(events)
              .containsExactly(
                  new NvmeEvent.NamespacesChanged(Set.of(1024), Set.of(), Set.of(3, 7)));
        }
      }
    }
  }

  @Test
  void afterAResetTheControllerIsAskedAnewAndItsNamespacesAreLookedAt() {
    try (Rig rig = rig();
        NvmeController controller = rig.open()) {
      controller.pollEvents(events::add);
      rig.model.script =
          command -> {
            if (command.opcode >= 0xc0) {
              rig.model.failFatally();
            } else {
              command.execute();
            }
          };
      assertThatExceptionOfType(NvmeFatalStatusException.class)
          .isThrownBy(() -> controller.execute(NvmeCommand.of(0xc0, 0)));
      assertThat(controller.resets()).isEqualTo(1);
      assertThat(rig.model.eventRequests).hasSize(2);
      rig.model.addNamespace(5, 64, 9, 0);
      controller.pollEvents(events::add);
      assertThat(events)
          .containsExactly(new NvmeEvent.NamespacesChanged(Set.of(5), Set.of(), Set.of(1)));
      rig.model.tell(AsynchronousEvent.TYPE_SMART, 1, LogPage.SMART);
      assertThat(controller.pollEvents(events::add)).isEqualTo(1);
    }
  }

  @Test
  void aLogPageThatIsNotReturnedInTimeResetsTheControllerOnce() {
    try (Rig rig = rig();
        NvmeController controller = rig.open()) {
      controller.pollEvents(events::add);
      rig.model.tell(AsynchronousEvent.TYPE_SMART, 1, LogPage.SMART);
      rig.model.script =
          command -> {
            if (command.opcode != AdminOpcode.GET_LOG_PAGE) {
              command.execute();
            }
          };
      assertThatExceptionOfType(DeviceTimeoutException.class)
          .isThrownBy(() -> controller.pollEvents(events::add));
      assertThat(controller.resets()).isEqualTo(1);
      rig.model.script = ScriptedNvme.SOUND;
      assertThat(controller.pollEvents(events::add)).isEqualTo(1);
    }
  }

  /** KATO is in milliseconds. */
  @Tag(DeviceRoute.VIRTUAL_TIME)
  @ParameterizedTest
  @CsvSource({"10, 2000, true", "10, 0, false", "0, 2000, false"})
  void aControllerWhoseKeepAliveTimerRunsIsKeptAlive(int kas, int kato, boolean needed) {
    try (Rig rig = rig(model -> model.identity.setKeepAliveSupport(kas))) {
      List<Long> told = new ArrayList<>();
      rig.model.script =
          command -> {
            if (command.isAdmin() && command.opcode == AdminOpcode.GET_FEATURES) {
              command.complete(kato, 0);
            } else if (command.isAdmin() && command.opcode == AdminOpcode.KEEP_ALIVE) {
              told.add(rig.bus.time().nanoTime());
              command.complete(0);
            } else {
              command.execute();
            }
          };
      try (NvmeController controller = rig.open();
          NvmeQueuePair queue = controller.createQueuePair()) {
        long last = rig.bus.time().nanoTime();
        for (int i = 0; i < 10; i++) {
          queue.await(SECOND);
        }
        for (int i = 0; i < 100; i++) {
          pass(rig, Duration.ofMillis(100));
          controller.pollEvents(events::add);
        }
        if (!needed) {
          assertThat(told).isEmpty();
          return;
        }
        assertThat(told).hasSizeBetween(15, 25);
        for (long at : told) {
          assertThat(Duration.ofNanos(at - last)).isLessThan(Duration.ofMillis(kato));
          last = at;
        }
      }
    }
  }

  @Test
  void theModelTellsOfAFormat() {
    try (SimulatedBus bus = DeviceRoute.newBus();
        PciDevice device =
            DeviceRoute.chosen(
                bus.open(bus.plug("nvme", NvmeModel.builder().size(1 << 20).build())));
        NvmeController controller =
            NvmeController.open(device, NvmeOptions.defaults().withTime(bus.time()));
        NvmeDisk disk = controller.openDisk(1)) {
      controller.pollEvents(events::add);
      int format4096 = AdminCommand.formatDword10(1, AdminCommand.SECURE_ERASE_NONE);
      assertThat(
              controller.execute(NvmeCommand.of(AdminOpcode.FORMAT_NVM, 1, format4096)).isSuccess())
          .isTrue();
      assertThatExceptionOfType(NvmeNamespaceException.class)
          .isThrownBy(() -> disk.read(0, new byte[BLOCK]))
          .withMessageContaining("has blocks of 4096 bytes now, and had 512");
      assertThat(controller.pollEvents(events::add)).isEqualTo(1);
      assertThat(events)
          .containsExactly(new NvmeEvent.NamespacesChanged(Set.of(), Set.of(), Set.of(1)));
    }
  }
}
