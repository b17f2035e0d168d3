package org.gatun.driver.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceProtocolException;
import org.gatun.pci.DeviceTimeoutException;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.DmaSpace;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PciException;
import org.gatun.pci.config.PciClass;
import org.gatun.specs.nvme.AdminCommand;
import org.gatun.specs.nvme.AdminOpcode;
import org.gatun.specs.nvme.Cap;
import org.gatun.specs.nvme.Cns;
import org.gatun.specs.nvme.IdentifyController;
import org.gatun.specs.nvme.NvmeStatus;
import org.gatun.specs.nvme.Version;
import org.gatun.testkit.DeviceRoute;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Bring-up and shutdown, of sound controllers and of others. */
class NvmeControllerTest {
  @Test
  void bringsAControllerUpAndShutsItDown() {
    try (Rig rig = new Rig()) {
      try (NvmeController controller = rig.open()) {
        assertThat(controller.name()).isEqualTo(rig.device.name());
        assertThat(controller.identity().modelNumber()).isEqualTo("Scripted");
        assertThat(controller.maxQueueDepth()).isEqualTo(1023);
        assertThat(controller.maxQueuePairs()).isEqualTo(16);
        assertThat(controller.maxTransferBytes()).isEqualTo(128 << 10);
        assertThat(controller.namespaces()).hasSize(1);
        NvmeNamespace namespace = controller.namespace(1);
        assertThat(namespace.blockSize()).isEqualTo(512);
        assertThat(namespace.blocks()).isEqualTo(16384);
        assertThat(namespace.sizeBytes()).isEqualTo(8L << 20);
        assertThat(namespace.maxTransferBlocks()).isEqualTo(256);
        assertThat(rig.model.isEnabled()).isTrue();
        controller.createQueuePair();
      }
      assertThat(rig.model.isEnabled()).isFalse();
      assertThat(rig.model.log)
          .containsExactly(
              "enable",
              "Identify",
              "Identify",
              "Identify",
              "Set Features",
              "Create I/O Completion Queue",
              "Create I/O Submission Queue",
              "Delete I/O Submission Queue",
              "Delete I/O Completion Queue",
              "shutdown",
              "disable");
    }
  }

  @Test
  void canBeOpenedAgain() {
    try (Rig rig = new Rig()) {
      for (int i = 0; i < 3; i++) {
        try (NvmeController controller = rig.open();
            NvmeDisk disk = controller.openDisk(1)) {
          disk.flush();
        }
        assertThat(rig.device.usage()).isEqualTo(PciDevice.Usage.NONE);
      }
    }
  }

  @Test
  void closingTwiceIsFineAndEndsWhatItGaveOut() {
    try (Rig rig = new Rig()) {
      NvmeController controller = rig.open();
      NvmeQueuePair queue = controller.createQueuePair();
      controller.close();
      controller.close();
      queue.close();
      assertThatExceptionOfType(DeviceGoneException.class)
          .isThrownBy(controller::createQueuePair)
          .withMessageContaining("creating a queue pair");
    }
  }

  @Test
  void disablesAControllerThatWasLeftEnabled() {
    try (Rig rig = new Rig()) {
      NvmeController left = rig.open();
      try (NvmeController controller = rig.open()) {
        assertThat(rig.model.log.subList(4, 8))
            .containsExactly("Set Features", "disable", "enable", "Identify");
        assertThat(controller.namespaces()).hasSize(1);
      }
      left.close();
    }
  }

  @Test
  void saysThatADeviceAnswersAllOnes() {
    refuses(
        DeviceProtocolException.class,
        model -> model.allOnes = true,
        "simulated:nvme: CAP answers all ones: there is no device, or its memory is not decoded;"
            + " look whether it is still plugged in, and reset it");
  }

  @Test
  void refusesAnotherDevice() {
    refuses(
        DeviceProtocolException.class,
        model -> model.pciClass = new PciClass(0x020000),
        "simulated:nvme: is no NVMe controller: its PCI class is 020000, not 010802;"
            + " name another device");
  }

  @Test
  void givesUpOnAControllerThatNeverBecomesReady() {
    refuses(
        DeviceTimeoutException.class,
        model -> model.neverReady = true,
        "simulated:nvme: the controller never became ready within 1000 ms"
            + " (CAP.TO is 2, in 500 ms; CSTS is 0x0); reset the device");
  }

  @Tag(DeviceRoute.VIRTUAL_TIME)
  @ParameterizedTest
  @CsvSource({"60, 0, 30", "255, 0, 127", "60, 120, 60", "255, 65535, 300"})
  void waitsAsLongAsTheControllerAsksForWithinLimits(int to, int crto, int seconds) {
    try (Rig rig = new Rig(model -> model.cap = Cap.withTo(model.cap, to))) {
      if (crto > 0) {
        rig.model.cap = Cap.withCrms(rig.model.cap, 1);
        rig.model.crto = crto;
      }
      rig.model.neverReady = true;
      long before = rig.bus.time().nanoTime();
      assertThatThrownBy(rig::open).isInstanceOf(DeviceTimeoutException.class);
      assertThat(Duration.ofNanos(rig.bus.time().nanoTime() - before))
          .isBetween(Duration.ofSeconds(seconds), Duration.ofSeconds(seconds + 1));
    }
  }

  @Test
  void reportsAFatalErrorAtOnce() {
    refuses(
        NvmeFatalStatusException.class,
        model -> model.fatalWhenEnabled = true,
        "simulated:nvme: enabling the controller: the controller reports a fatal error (CSTS 0x3);"
            + " reset the device, or turn it off and on");
  }

  @Test
  void refusesPagesThatItDoesNotHave() {
    refuses(
        PciException.class,
        model -> model.cap = Cap.withMpsmax(Cap.withMpsmin(model.cap, 1), 1),
        "simulated:nvme: the controller needs memory pages of at least 8192 bytes (CAP.MPSMIN),"
            + " and this driver has 4096");
  }

  @Test
  void refusesAControllerWithoutTheNvmCommandSet() {
    refuses(
        PciException.class,
        model -> model.cap = Cap.withCss(model.cap, Cap.CSS_ADMIN_ONLY),
        "simulated:nvme: the controller lacks the NVM Command Set (CAP.CSS 0x80)");
  }

  @Test
  void refusesAControllerThatDoesNoIo() {
    refuses(
        PciException.class,
        model -> model.identity.setControllerType(IdentifyController.CNTRLTYPE_ADMINISTRATIVE),
        "simulated:nvme: the controller does no I/O (CNTRLTYPE 3); name another");
  }

  @Test
  void refusesDoorbellsBeyondTheBar() {
    refuses(
        DeviceProtocolException.class,
        model -> model.cap = Cap.withDstrd(model.cap, 15),
        "simulated:nvme: BAR 0 has no room for the doorbells of an I/O queue:"
            + " they end at offset 0x4000, and need 0x81000");
  }

  @Test
  void usesFewerQueuesWhereDoorbellsHaveNoRoom() {
    // A stride of 1024 bytes leaves room for 12 doorbells in 12 KiB.
    try (Rig rig = new Rig(model -> model.cap = Cap.withDstrd(model.cap, 8));
        NvmeController controller = rig.open()) {
      assertThat(controller.maxQueuePairs()).isEqualTo(5);
      try (NvmeQueuePair first = controller.createQueuePair();
          NvmeQueuePair second = controller.createQueuePair()) {
        for (NvmeQueuePair queue : new NvmeQueuePair[] {first, second}) {
          int[] status = {-1};
          queue.submitFlush(controller.namespace(1), (_, s) -> status[0] = s, 0);
          rig.drain(queue);
          assertThat(status[0]).isZero();
        }
      }
    }
  }

  @Test
  void hasAsManyQueuePairsAsTheControllerAllows() {
    try (Rig rig = new Rig(model -> model.queues = 2);
        NvmeController controller = rig.open()) {
      assertThat(controller.maxQueuePairs()).isEqualTo(2);
      NvmeQueuePair first = controller.createQueuePair();
      NvmeQueuePair second = controller.createQueuePair();
      assertThatThrownBy(controller::createQueuePair)
          .hasMessage(
              "simulated:nvme: all 2 queue pairs are in use; close one, or allow for more in the"
                  + " options if the controller has them");
      first.close();
      try (NvmeQueuePair third = controller.createQueuePair()) {
        assertThat(third.id()).isEqualTo(first.id()).isNotEqualTo(second.id());
      }
    }
  }

  @Test
  void cutsTheDepthDownToWhatTheControllerHas() {
    try (Rig rig = new Rig(model -> model.cap = Cap.withMqes(model.cap, 3));
        NvmeController controller = rig.open();
        NvmeQueuePair queue = controller.createQueuePair(1000)) {
      assertThat(queue.depth()).isEqualTo(3);
      int[] done = {0};
      for (int i = 0; i < 3; i++) {
        assertThat(queue.submitFlush(controller.namespace(1), (_, _) -> done[0]++, 0)).isTrue();
      }
      assertThat(queue.submitFlush(controller.namespace(1), (_, _) -> done[0]++, 0)).isFalse();
      rig.drain(queue);
      assertThat(done[0]).isEqualTo(3);
    }
  }

  @Test
  void refusesNamespacesThatItCanNotUse() {
    try (Rig rig =
            new Rig(
                model -> {
                  model.addNamespace(1, 64, 9, 8);
                  model.addNamespace(2, 64, 12, 0);
                  model.addNamespace(3, 64, 8, 0);
                  model.addNamespace(7, 64, 9, 0);
                  Objects.requireNonNull(model.namespaces.get(7)).setSize(-1);
                  model.addNamespace(8, 64, 9, 8);
                  Objects.requireNonNull(model.namespaces.get(8)).setDps(0x8 | 3);
                });
        NvmeController controller = rig.open()) {
      assertThat(controller.namespaces()).extracting(NvmeNamespace::id).containsExactly(2);
      assertThat(controller.namespace(2).blockSize()).isEqualTo(4096);
      assertThatExceptionOfType(PciException.class)
          .isThrownBy(() -> controller.namespace(1))
          .withMessage(
              "simulated:nvme: namespace 1 can't be used: its blocks have 8 bytes of metadata each;"
                  + " format it without metadata");
      assertThatExceptionOfType(PciException.class)
          .isThrownBy(() -> controller.openDisk(7))
          .withMessageContaining("it has 18446744073709551615 blocks");
      assertThatExceptionOfType(PciException.class)
          .isThrownBy(() -> controller.openDisk(8))
          .withMessageContaining("its blocks have protection information of type 3");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> controller.namespace(4))
          .withMessage("simulated:nvme: no namespace 4; active are: 2");
    }
  }

  @Test
  void refusesNamespacesOfAnotherCommandSet() {
    try (Rig rig =
            new Rig(
                model -> {
                  model.cap = Cap.withCss(model.cap, Cap.CSS_NVM | Cap.CSS_IO_COMMAND_SETS);
                  model.addNamespace(1, 64, 9, 0);
                  model.addNamespace(2, 64, 9, 0);
                  model.addNamespace(3, 64, 9, 0);
                  model.commandSets.putAll(Map.of(2, 2, 3, 1));
                });
        NvmeController controller = rig.open()) {
      assertThat(controller.namespaces()).extracting(NvmeNamespace::id).containsExactly(1);
      assertThatExceptionOfType(PciException.class)
          .isThrownBy(() -> controller.openDisk(2))
          .withMessageContaining("namespace 2 can't be used: it is zoned (CSI 02h)");
      assertThatExceptionOfType(PciException.class)
          .isThrownBy(() -> controller.openDisk(3))
          .withMessageContaining("it is not of the NVM Command Set, but of another (CSI 01h)");
    }
  }

  @Test
  void findsNamespacesBeyondTheFirstList() {
    try (Rig rig =
            new Rig(
                model -> {
                  for (int id = 1; id <= 1500; id++) {
                    model.addNamespace(2 * id, 1, 9, 0);
                  }
                });
        NvmeController controller = rig.open()) {
      assertThat(controller.namespaces()).hasSize(1500);
      assertThat(controller.namespaces().getLast().id()).isEqualTo(3000);
    }
  }

  @Test
  void namesAFailedAdminCommand() {
    try (Rig rig = new Rig()) {
      rig.model.script =
          command -> {
            if (command.opcode == AdminOpcode.SET_FEATURES) {
              command.complete(NvmeStatus.INVALID_FIELD_IN_COMMAND);
            } else {
              command.execute();
            }
          };
      assertThatExceptionOfType(NvmeStatusException.class)
          .isThrownBy(rig::open)
          .withMessage("simulated:nvme: Set Features: Invalid Field in Command (SCT 0h, SC 02h)");
      assertThat(rig.device.usage()).isEqualTo(PciDevice.Usage.NONE);
    }
  }

  @Test
  void namesAnAdminCommandWithoutAnswer() {
    try (Rig rig = new Rig()) {
      rig.model.script = command -> {};
      assertThatExceptionOfType(DeviceTimeoutException.class)
          .isThrownBy(rig::open)
          .withMessage(
              "simulated:nvme: Identify was not completed within %d ms (CSTS 0x1);"
                  + " reset the device",
              DeviceRoute.patience(Duration.ofMillis(20)).toMillis());
      assertThat(rig.model.isEnabled()).isFalse();
    }
  }

  @Test
  void anAdminCommandDoesNotWaitForAControllerThatReportsAFatalError() {
    try (Rig rig = new Rig()) {
      rig.options = rig.options.withCommandTimeout(Duration.ofSeconds(30));
      rig.model.script = _ -> rig.model.failFatally();
      long before = rig.bus.time().nanoTime();
      assertThatExceptionOfType(NvmeFatalStatusException.class)
          .isThrownBy(rig::open)
          .withMessage(
              "simulated:nvme: Identify: the controller reports a fatal error (CSTS 0x3);"
                  + " reset the device, or turn it off and on");
      assertThat(Duration.ofNanos(rig.bus.time().nanoTime() - before))
          .isLessThan(Duration.ofMillis(50));
      assertThat(rig.device.usage()).isEqualTo(PciDevice.Usage.NONE);
    }
  }

  @Test
  void aFatalErrorDuringAnAdminCommandResetsTheController() {
    try (Rig rig = new Rig();
        NvmeController controller = rig.open()) {
      rig.model.script =
          _ -> {
            rig.model.script = ScriptedNvme.SOUND;
            rig.model.failFatally();
          };
      assertThatExceptionOfType(NvmeFatalStatusException.class)
          .isThrownBy(controller::createQueuePair);
      assertThat(controller.resets()).isEqualTo(1);
      controller.createQueuePair().close();
    }
  }

  @ParameterizedTest
  @CsvSource({"0x10000, true", "0x10000, false", "0x10400, true"})
  void asksForEachNamespaceWhereThereIsNoListOfThem(String version, boolean lacksList) {
    try (Rig rig =
            new Rig(
                model -> {
                  model.version = Integer.decode(version);
                  model.lacksNamespaceList = lacksList;
                  model.identity.setNumberOfNamespaces(5);
                  model.addNamespace(2, 64, 9, 0);
                  model.addNamespace(4, 64, 9, 8);
                  model.addNamespace(5, 64, 12, 0);
                });
        NvmeController controller = rig.open()) {
      assertThat(controller.namespaces()).extracting(NvmeNamespace::id).containsExactly(2, 5);
      assertThatExceptionOfType(PciException.class)
          .isThrownBy(() -> controller.namespace(4))
          .withMessageContaining("8 bytes of metadata");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> controller.namespace(1))
          .withMessage("simulated:nvme: no namespace 1; active are: 2, 5");
    }
  }

  @Test
  void doesNotAskForFourBillionNamespaces() {
    try (Rig rig =
            new Rig(
                model -> {
                  model.version = Version.V1_0;
                  model.identity.setNumberOfNamespaces(0xffff_ffffL);
                  model.addNamespace(1, 64, 9, 0);
                  model.addNamespace(4096, 64, 9, 0);
                  model.addNamespace(4097, 64, 9, 0);
                });
        NvmeController controller = rig.open()) {
      assertThat(controller.namespaces()).extracting(NvmeNamespace::id).containsExactly(1, 4096);
      assertThat(rig.model.log).filteredOn("Identify"::equals).hasSize(1 + 4096);
    }
  }

  @Test
  void aListThatFailsInAnotherWayIsAnError() {
    try (Rig rig = new Rig()) {
      rig.model.script =
          command -> {
            if (command.opcode == AdminOpcode.IDENTIFY
                && AdminCommand.cns(command.dword10) == Cns.ACTIVE_NAMESPACE_LIST) {
              command.complete(NvmeStatus.INTERNAL_ERROR);
            } else {
              command.execute();
            }
          };
      assertThatExceptionOfType(NvmeStatusException.class)
          .isThrownBy(rig::open)
          .withMessageContaining("Internal Error");
    }
  }

  @Test
  void refusesAnAdminCompletionForAnotherCommand() {
    try (Rig rig = new Rig()) {
      rig.model.script = command -> rig.model.post(0, 0, 1, command.id + 1, 0);
      assertThatExceptionOfType(DeviceProtocolException.class)
          .isThrownBy(rig::open)
          .withMessageStartingWith(
              "simulated:nvme: completion on the admin queue for command 1 of queue 0, head 1,");
    }
  }

  @Test
  void refusesANamespaceListThatDoesNotAscend() {
    try (Rig rig =
        new Rig(
            model -> {
              for (int id = 1; id <= 1024; id++) {
                model.addNamespace(id, 1, 9, 0);
              }
            })) {
      // An answer of ever the same list would otherwise never end.
      rig.model.repeatFirstNamespaces = true;
      assertThatExceptionOfType(DeviceProtocolException.class)
          .isThrownBy(rig::open)
          .withMessage("simulated:nvme: the list of namespaces does not ascend: 1 after 1024");
    }
  }

  @Test
  void givesAllBackWhenTheShutdownIsNotComplete() {
    try (Rig rig = new Rig()) {
      rig.model.neverShutDown = true;
      NvmeController controller = rig.open();
      controller.createQueuePair();
      assertThatExceptionOfType(DeviceTimeoutException.class)
          .isThrownBy(controller::close)
          .withMessage(
              "simulated:nvme: shutdown was not complete after 5000 ms (CSTS 0x1);"
                  + " data in the controller's cache may be lost");
      assertThat(rig.model.isEnabled()).isFalse();
    }
  }

  @Test
  void closingDoesNotWaitForAControllerThatReportsAFatalError() {
    try (Rig rig = new Rig()) {
      rig.model.neverShutDown = true;
      NvmeController controller = rig.open();
      rig.model.failFatally();
      long before = rig.bus.time().nanoTime();
      assertThatExceptionOfType(NvmeFatalStatusException.class)
          .isThrownBy(controller::close)
          .withMessageContaining("shutting the controller down: the controller reports a fatal");
      assertThat(Duration.ofNanos(rig.bus.time().nanoTime() - before))
          .isLessThan(DeviceRoute.patience(Duration.ofMillis(20)));
    }
  }

  @Test
  void closesQuietlyAfterTheDeviceIsGone() {
    try (Rig rig = new Rig()) {
      NvmeController controller = rig.open();
      NvmeQueuePair queue = controller.createQueuePair();
      rig.model.allOnes = true;
      long before = rig.bus.time().nanoTime();
      controller.close();
      queue.close();
      assertThat(Duration.ofNanos(rig.bus.time().nanoTime() - before))
          .isLessThan(DeviceRoute.patience(Duration.ofMillis(20)));
      assertThat(rig.device.usage()).isEqualTo(PciDevice.Usage.NONE);
    }
  }

  @Test
  void whoFindsTheMemoryGoneWhileTheControllerIsClosedIsCalledBackFirst() {
    try (Rig rig = new Rig()) {
      List<String> seen = new ArrayList<>();
      List<NvmeQueuePair> polled = new ArrayList<>();
      PciDevice device =
          watchingFrees(
              rig.device,
              () -> {
                try {
                  polled.forEach(NvmeQueuePair::poll);
                } catch (DeviceGoneException e) {
                  seen.add("gone");
                }
              });
      NvmeController controller = NvmeController.open(device, rig.options);
      rig.model.script =
          command -> {
            if (command.isAdmin()) {
              command.execute();
            }
          };
      NvmeQueuePair queue = controller.createQueuePair();
      queue.submitFlush(controller.namespace(1), (_, _) -> seen.add("called back"), 0);
      queue.ring();
      polled.add(queue);
      controller.close();
      assertThat(seen).containsExactly("called back", "gone");
    }
  }

  /** The device, with a hook that runs each time that DMA memory was freed. */
  private static PciDevice watchingFrees(PciDevice device, Runnable freed) {
    DmaSpace dma =
        proxy(
            DmaSpace.class,
            (_, method, arguments) -> {
              DmaBuffer real = (DmaBuffer) method.invoke(device.dma(), arguments);
              return new DmaBuffer(
                  device.name(),
                  real.segment(),
                  real.busAddress(),
                  () -> {
                    real.close();
                    freed.run();
                  });
            });
    return proxy(
        PciDevice.class,
        (_, method, arguments) ->
            method.getName().equals("dma") ? dma : method.invoke(device, arguments));
  }

  private static <T> T proxy(Class<T> type, InvocationHandler handler) {
    return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, handler));
  }

  private static void refuses(
      Class<? extends PciException> type, Consumer<ScriptedNvme> fault, String message) {
    try (Rig rig = new Rig(fault)) {
      assertThatExceptionOfType(type).isThrownBy(rig::open).withMessage(message);
      assertThat(rig.device.usage()).isEqualTo(PciDevice.Usage.NONE);
    }
  }
}
