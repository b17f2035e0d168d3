package org.gatun.driver.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.tuple;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import org.gatun.pci.DeviceTimeoutException;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PciException;
import org.gatun.simulated.NvmeModel;
import org.gatun.simulated.SimulatedBus;
import org.gatun.specs.nvme.AdminCommand;
import org.gatun.specs.nvme.AdminOpcode;
import org.gatun.specs.nvme.Cns;
import org.gatun.specs.nvme.Features;
import org.gatun.specs.nvme.IdentifyController;
import org.gatun.specs.nvme.LbaFormat;
import org.gatun.specs.nvme.NvmCommand;
import org.gatun.specs.nvme.NvmOpcode;
import org.gatun.specs.nvme.NvmeStatus;
import org.gatun.testkit.DeviceRoute;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Commands of any kind, as they come. */
class NvmePassthroughTest {
  private static final int VENDOR_NONE = 0xc0;
  private static final int VENDOR_TO_CONTROLLER = 0xc1;
  private static final int VENDOR_TO_HOST = 0xc2;
  private static final int VENDOR_BOTH = 0xc3;

  private static byte[] bytes(MemorySegment segment) {
    return segment.toArray(ValueLayout.JAVA_BYTE);
  }

  private static byte[] random(int length) {
    byte[] data = new byte[length];
    new Random(length).nextBytes(data);
    return data;
  }

  /** Does vendor specific commands by a script, and others as they are. */
  private static void onVendor(Rig rig, ScriptedNvme.Script script) {
    rig.model.script =
        command -> {
          if (command.opcode >= 0x80) {
            script.on(command);
          } else {
            command.execute();
          }
        };
  }

  @Test
  void aCommandReachesTheControllerAsItIs() {
    try (Rig rig = new Rig();
        NvmeController controller = rig.open()) {
      List<Integer> seen = new ArrayList<>();
      onVendor(
          rig,
          command -> {
            Arrays.stream(command.dwords).forEach(seen::add);
            rig.model.post(0, 0x1234, 0, command.id, 0);
          });
      NvmeResult result =
          controller.execute(NvmeCommand.of(VENDOR_NONE, 7, 10, 11, 12, 13, 14, 15));
      assertThat(result.isSuccess()).isTrue();
      assertThat(result.dword0()).isEqualTo(0x1234);
      assertThat(result.data().byteSize()).isZero();
      assertThat(seen.get(0) & 0xffff).isEqualTo(VENDOR_NONE);
      assertThat(seen.subList(1, 16))
          .containsExactly(7, 0, 0, 0, 0, 0, 0, 0, 0, 10, 11, 12, 13, 14, 15);

      seen.clear();
      controller.execute(NvmeCommand.of(VENDOR_NONE, 0));
      assertThat(seen.subList(1, 16)).containsOnly(0);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 4, 4095, 4096, 4097, 8192, 8193, 128 << 10})
  void dataGoEitherWay(int length) {
    try (Rig rig = new Rig();
        NvmeController controller = rig.open();
        NvmeQueuePair queue = controller.createQueuePair()) {
      byte[] sent = random(length);
      List<byte[]> got = new ArrayList<>();
      onVendor(
          rig,
          command -> {
            if ((command.opcode & 1) != 0) {
              got.add(bytes(command.receive(length)));
            }
            if ((command.opcode & 2) != 0) {
              byte[] answer = sent.clone();
              answer[length - 1] ^= 1;
              command.send(MemorySegment.ofArray(answer));
            }
            command.complete(0);
          });
      byte[] answer = sent.clone();
      answer[length - 1] ^= 1;
      for (boolean io : new boolean[] {false, true}) {
        got.clear();
        List<NvmeCommand> commands =
            List.of(
                NvmeCommand.of(VENDOR_TO_CONTROLLER, 1).sending(MemorySegment.ofArray(sent)),
                NvmeCommand.of(VENDOR_TO_HOST, 1).receiving(length),
                NvmeCommand.of(VENDOR_BOTH, 1).sending(MemorySegment.ofArray(sent)));
        List<byte[]> returned =
            commands.stream()
                .map(command -> io ? queue.execute(command) : controller.execute(command))
                .map(result -> bytes(result.data()))
                .toList();
        assertThat(got).containsExactly(sent, sent);
        assertThat(returned).containsExactly(new byte[0], answer, answer);
      }
    }
  }

  @Test
  void anErrorIsAnAnswer() {
    try (Rig rig = new Rig();
        NvmeController controller = rig.open();
        NvmeDisk disk = controller.openDisk(1)) {
      NvmeResult admin = controller.execute(NvmeCommand.of(0x7f, 0));
      assertThat(NvmeStatus.of(admin.status())).contains(NvmeStatus.INVALID_COMMAND_OPCODE);
      NvmeResult read = disk.execute(NvmeCommand.of(NvmOpcode.READ, 1, 0x7fff_ffff).receiving(512));
      assertThat(NvmeStatus.of(read.status())).contains(NvmeStatus.LBA_OUT_OF_RANGE);
      assertThat(read.isSuccess()).isFalse();
      assertThat(read.data().byteSize()).isZero();
    }
  }

  @Test
  void dwordsOfACommandDoNotStayForTheNext() {
    try (Rig rig = new Rig();
        NvmeController controller = rig.open();
        NvmeQueuePair queue = controller.createQueuePair(1)) {
      List<Integer> seen = new ArrayList<>();
      rig.model.script =
          command -> {
            if (command.isIo()) {
              seen.add(command.dwords[13] | command.dwords[14] | command.dwords[15]);
            }
            command.execute();
          };
      for (int i = 0; i < 3; i++) {
        assertThat(queue.execute(NvmeCommand.of(NvmOpcode.FLUSH, 1, 0, 0, 0, 1, 2, 4)).status())
            .isZero();
        queue.submitFlush(controller.namespace(1), (_, _) -> {}, 0);
        rig.drain(queue);
      }
      assertThat(seen).containsExactly(7, 0, 7, 0, 7, 0);
    }
  }

  @Test
  void theResultOfAnIoCommandIsThatOfItsCompletion() {
    try (Rig rig = new Rig();
        NvmeController controller = rig.open();
        NvmeQueuePair queue = controller.createQueuePair(1)) {
      onVendor(rig, command -> command.complete(command.dword10, 0));
      for (int i = 1; i < 6; i++) {
        assertThat(queue.execute(NvmeCommand.of(VENDOR_NONE, 1, i)).dword0()).isEqualTo(i);
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "0x00, 0, the driver has the queues",
    "0x01, 0, the driver has the queues",
    "0x04, 0, the driver has the queues",
    "0x05, 0, the driver has the queues",
    "0x08, 0, the driver aborts what is late",
    "0x09, 0x07, open the controller with other options",
    "0x09, 0x0b, the driver asks for events",
    "0x09, 0x0d, the addresses in it would be no memory",
    "0x09, 0x8000000f, the driver keeps the controller alive",
    "0x0c, 0, the driver asks for events",
    "0x18, 0, the driver keeps the controller alive",
    "0x7c, 0, the driver has the doorbells",
  })
  void whatTheDriverDependsOnIsRefused(String opcode, String dword10, String reason) {
    try (Rig rig = new Rig();
        NvmeController controller = rig.open()) {
      rig.model.log.clear();
      int code = Integer.decode(opcode);
      NvmeCommand command = NvmeCommand.of(code, 0, Long.decode(dword10).intValue());
      assertThatExceptionOfType(PciException.class)
          .isThrownBy(() -> controller.execute(command))
          .withMessageStartingWith("simulated:nvme: " + AdminOpcode.name(code) + " is refused; ")
          .withMessageContaining(reason);
      assertThat(rig.model.log).isEmpty();
    }
  }

  @Test
  void dataThatGoAnotherWayThanTheOpcodeSaysAreRefused() {
    MemorySegment data = MemorySegment.ofArray(new byte[8]);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> NvmeCommand.of(VENDOR_NONE, 0).receiving(8))
        .withMessage(
            "opcode C0h is for data neither way, and here the controller is to get 0 bytes, of 8"
                + " that go");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> NvmeCommand.of(VENDOR_TO_HOST, 0).sending(data))
        .withMessageContaining("from the controller");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> NvmeCommand.of(VENDOR_TO_CONTROLLER, 0).receiving(8))
        .withMessageContaining("to the controller");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> NvmeCommand.of(VENDOR_BOTH, 0).receiving(8))
        .withMessageContaining("both ways");
    assertThatIllegalArgumentException().isThrownBy(() -> NvmeCommand.of(256, 0));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> NvmeCommand.of(VENDOR_NONE, 0, 10, 11, 12, 13, 14, 15, 16));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> NvmeCommand.of(VENDOR_NONE, 0).within(Duration.ZERO));
  }

  @Test
  void moreDataThanTheControllerTransfersAreRefused() {
    try (Rig rig = new Rig();
        NvmeController controller = rig.open();
        NvmeQueuePair queue = controller.createQueuePair()) {
      NvmeCommand command = NvmeCommand.of(VENDOR_TO_HOST, 0).receiving((128 << 10) + 1);
      assertThatIllegalArgumentException()
          .isThrownBy(() -> controller.execute(command))
          .withMessage("simulated:nvme: a command has at most 131072 bytes of data, not 131073");
      assertThatIllegalArgumentException().isThrownBy(() -> queue.execute(command));
    }
  }

  @Test
  void aDiskTakesCommandsOfItsNamespaceOnly() {
    try (Rig rig = new Rig();
        NvmeController controller = rig.open();
        NvmeDisk disk = controller.openDisk(1)) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> disk.execute(NvmeCommand.of(NvmOpcode.FLUSH, 2)))
          .withMessage(
              "simulated:nvme: Flush of namespace 2 can't go to a disk that is namespace 1");
    }
  }

  @Test
  void nothingElseIsInFlightMeanwhile() {
    try (Rig rig = new Rig();
        NvmeController controller = rig.open();
        NvmeQueuePair queue = controller.createQueuePair()) {
      queue.submitFlush(controller.namespace(1), (_, _) -> {}, 0);
      assertThatIllegalStateException()
          .isThrownBy(() -> queue.execute(NvmeCommand.of(NvmOpcode.FLUSH, 1)))
          .withMessageContaining("1 commands are in flight on queue 1");
      rig.drain(queue);
      assertThat(queue.execute(NvmeCommand.of(NvmOpcode.FLUSH, 1)).isSuccess()).isTrue();
    }
  }

  @Test
  void aCommandThatIsLateResetsTheControllerBeforeItsMemoryIsGivenBack() {
    try (Rig rig = new Rig();
        NvmeController controller = rig.open()) {
      List<ScriptedNvme.Command> left = new ArrayList<>();
      onVendor(rig, left::add);
      Duration limit = DeviceRoute.patience(Duration.ofMillis(5));
      assertThatExceptionOfType(DeviceTimeoutException.class)
          .isThrownBy(
              () ->
                  controller.execute(
                      NvmeCommand.of(VENDOR_TO_HOST, 0).receiving(16 << 10).within(limit)))
          .withMessageContaining("vendor specific Admin command C2h was not completed within ");
      assertThat(left).hasSize(1);
      assertThat(controller.resets()).isEqualTo(1);
      assertThat(rig.model.log).endsWith("disable", "enable", "Set Features");
      controller.createQueuePair().close();
    }
  }

  @Test
  void anIoCommandThatIsLateIsAborted() {
    try (Rig rig = new Rig();
        NvmeController controller = rig.open();
        NvmeQueuePair queue = controller.createQueuePair()) {
      List<ScriptedNvme.Command> left = new ArrayList<>();
      rig.model.script =
          command -> {
            if (command.isIo()) {
              left.add(command);
            } else {
              if (command.opcode == AdminOpcode.ABORT) {
                left.getFirst().complete(NvmeStatus.COMMAND_ABORT_REQUESTED);
              }
              command.execute();
            }
          };
      NvmeResult result =
          queue.execute(
              NvmeCommand.of(NvmOpcode.FLUSH, 1)
                  .within(DeviceRoute.patience(Duration.ofMillis(1))));
      assertThat(NvmeStatus.of(result.status())).contains(NvmeStatus.COMMAND_ABORT_REQUESTED);
    }
  }

  @Test
  void afterAFormatTheNamespaceIsAnother() {
    try (Rig rig = new Rig();
        NvmeController controller = rig.open()) {
      rig.model.addNamespace(2, 64, 9, 0);
      onVendor(
          rig,
          command -> {
            Objects.requireNonNull(rig.model.namespaces.get(1))
                .setLbaFormat(0, new LbaFormat(0, 12, 0));
            command.complete(0);
          });
      assertThat(controller.namespaces()).hasSize(1);
      controller.execute(
          NvmeCommand.of(
              AdminOpcode.FORMAT_NVM,
              1,
              AdminCommand.formatDword10(0, AdminCommand.SECURE_ERASE_NONE)));
      assertThat(controller.namespaces())
          .extracting(NvmeNamespace::id, NvmeNamespace::blockSize)
          .containsExactly(tuple(1, 4096), tuple(2, 512));
    }
  }

  /**
   * The model is of the same hands as the driver: this shows that they agree, not that both fit.
   */
  @Test
  void theModelAnswersAsItDoesToTheDriver() {
    try (SimulatedBus bus = DeviceRoute.newBus();
        PciDevice device =
            DeviceRoute.chosen(
                bus.open(bus.plug("nvme", NvmeModel.builder().size(1 << 20).build())));
        NvmeController controller =
            NvmeController.open(device, NvmeOptions.defaults().withTime(bus.time()));
        NvmeDisk disk = controller.openDisk(1)) {
      NvmeResult identify =
          controller.execute(
              NvmeCommand.of(AdminOpcode.IDENTIFY, 0, AdminCommand.identifyDword10(Cns.CONTROLLER))
                  .receiving(IdentifyController.SIZE));
      assertThat(bytes(identify.data())).isEqualTo(bytes(controller.identity().segment()));
      NvmeResult queues =
          controller.execute(
              NvmeCommand.of(
                  AdminOpcode.GET_FEATURES,
                  0,
                  Features.getDword10(Features.NUMBER_OF_QUEUES, Features.SELECT_CURRENT)));
      assertThat(Features.submissionQueues(queues.dword0()))
          .isGreaterThanOrEqualTo(controller.maxQueuePairs());

      byte[] data = random(64 << 10);
      int blocks = data.length / disk.namespace().blockSize();
      NvmeCommand write =
          NvmeCommand.of(NvmOpcode.WRITE, 1, 8, 0, NvmCommand.dword12(blocks, 0))
              .sending(MemorySegment.ofArray(data));
      assertThat(disk.execute(write).isSuccess()).isTrue();
      byte[] read = new byte[data.length];
      disk.read(8L * disk.namespace().blockSize(), read);
      assertThat(read).isEqualTo(data);
      assertThat(
              bytes(
                  disk.execute(
                          NvmeCommand.of(NvmOpcode.READ, 1, 8, 0, NvmCommand.dword12(blocks, 0))
                              .receiving(data.length))
                      .data()))
          .isEqualTo(data);
    }
  }
}
