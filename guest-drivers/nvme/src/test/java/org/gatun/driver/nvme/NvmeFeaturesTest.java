package org.gatun.driver.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PciException;
import org.gatun.simulated.NvmeModel;
import org.gatun.simulated.SimulatedBus;
import org.gatun.specs.nvme.AdminOpcode;
import org.gatun.specs.nvme.FeatureTimestamp;
import org.gatun.specs.nvme.Features;
import org.gatun.specs.nvme.IdentifyController;
import org.gatun.specs.nvme.NvmeStatus;
import org.gatun.specs.nvme.PowerState;
import org.gatun.testkit.DeviceRoute;
import org.junit.jupiter.api.Test;

/** Features, and power states. */
class NvmeFeaturesTest {
  private static final MemorySegment NONE = MemorySegment.ofArray(new byte[0]);

  /** A controller that keeps what it is given, by feature and namespace. */
  private static Rig rig(int oncs, List<String> seen) {
    Rig rig =
        new Rig(
            model -> {
              model.identity.setOncs(oncs);
              model.identity.setPowerStates(2);
              MemorySegment state = model.identity.powerStateSegment(2);
              // 5 mW in 0.1 mW, not operational; 1000 and 2000 microseconds; 1 mW idle.
              state.set(ValueLayout.JAVA_INT_UNALIGNED, 0, 50 | 1 << 24 | 1 << 25);
              state.set(ValueLayout.JAVA_INT_UNALIGNED, 4, 1000);
              state.set(ValueLayout.JAVA_INT_UNALIGNED, 8, 2000);
              state.set(ValueLayout.JAVA_INT_UNALIGNED, 12, 1 | 2 << 8 | 3 << 16 | 4 << 24);
              state.set(ValueLayout.JAVA_INT_UNALIGNED, 16, 10 | 1 << 22);
              state.set(ValueLayout.JAVA_INT_UNALIGNED, 20, 3 | 1 << 16 | 2 << 22);
              model
                  .identity
                  .powerStateSegment(0)
                  .set(ValueLayout.JAVA_SHORT_UNALIGNED, 0, (short) 900);
            });
    Map<Integer, Integer> dwords = new HashMap<>();
    Map<Integer, byte[]> data = new HashMap<>();
    rig.model.script =
        command -> {
          int feature = Features.feature(command.dword10);
          int size = Features.dataSize(feature, command.dword11);
          boolean set = command.opcode == AdminOpcode.SET_FEATURES;
          if (feature == Features.NUMBER_OF_QUEUES
              || (!set && command.opcode != AdminOpcode.GET_FEATURES)) {
            command.execute();
            return;
          }
          seen.add(
              "%s %02x of %d: %08x %x %x"
                  .formatted(
                      set ? "set" : "get",
                      feature,
                      command.namespaceId,
                      command.dword10,
                      command.dword11,
                      command.dword12));
          if (set) {
            dwords.put(feature, command.dword11);
            data.put(feature, command.receive(size).toArray(ValueLayout.JAVA_BYTE));
            command.complete(0);
          } else if (Features.select(command.dword10) == Features.SELECT_SUPPORTED) {
            command.complete(Features.CAPABILITY_CHANGEABLE | Features.CAPABILITY_SAVEABLE, 0);
          } else {
            Optional.ofNullable(data.get(feature))
                .ifPresent(structure -> command.send(MemorySegment.ofArray(structure)));
            command.complete(dwords.getOrDefault(feature, 0), 0);
          }
        };
    return rig;
  }

  @Test
  void valuesAreSetAndAskedFor() {
    List<String> seen = new ArrayList<>();
    try (Rig rig = rig(IdentifyController.ONCS_SAVE_FEATURES, seen);
        NvmeController controller = rig.open()) {
      NvmeFeatures features = controller.features();
      features.set(Features.ERROR_RECOVERY, 0x77);
      assertThat(features.get(Features.ERROR_RECOVERY).dword()).isEqualTo(0x77);
      features.set(Features.ERROR_RECOVERY, 1, true, List.of(0x78, 0x79), NONE);
      assertThat(features.get(Features.ERROR_RECOVERY, NvmeFeatures.Select.SAVED, 1, 5).dword())
          .isEqualTo(0x78);
      features.get(Features.ERROR_RECOVERY, NvmeFeatures.Select.DEFAULT, 1, 0);
      assertThat(features.capabilities(Features.ERROR_RECOVERY))
          .isEqualTo(new NvmeFeatures.Capabilities(true, false, true));
      assertThat(seen)
          .containsExactly(
              "set 05 of 0: 00000005 77 0",
              "get 05 of 0: 00000005 0 0",
              "set 05 of 1: 80000005 78 79",
              "get 05 of 1: 00000205 5 0",
              "get 05 of 1: 00000105 0 0",
              "get 05 of 0: 00000305 0 0");
    }
  }

  @Test
  void structuresGoTheSameWay() {
    List<String> seen = new ArrayList<>();
    try (Rig rig = rig(0, seen);
        NvmeController controller = rig.open()) {
      NvmeFeatures features = controller.features();
      FeatureTimestamp time = new FeatureTimestamp(0x1234_5678_9abcL, false, false);
      MemorySegment structure = MemorySegment.ofArray(new byte[FeatureTimestamp.SIZE]);
      time.write(structure);
      features.set(Features.TIMESTAMP, 0, false, List.of(), structure);
      assertThat(FeatureTimestamp.read(features.get(Features.TIMESTAMP).data())).isEqualTo(time);

      byte[] id = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
      features.set(
          Features.HOST_IDENTIFIER,
          0,
          false,
          List.of(Features.HOST_IDENTIFIER_EXTENDED),
          MemorySegment.ofArray(id));
      assertThat(
              features
                  .get(
                      Features.HOST_IDENTIFIER,
                      NvmeFeatures.Select.CURRENT,
                      0,
                      Features.HOST_IDENTIFIER_EXTENDED)
                  .data()
                  .toArray(ValueLayout.JAVA_BYTE))
          .isEqualTo(id);
      assertThatIllegalArgumentException()
          .isThrownBy(() -> features.set(Features.TIMESTAMP, 1))
          .withMessage("simulated:nvme: feature 0eh has a data structure of 8 bytes, not 0");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> features.set(Features.ERROR_RECOVERY, 0, false, List.of(), structure));
    }
  }

  @Test
  void whatAControllerThatCanNotSaveDoesNotHaveIsRefused() {
    List<String> seen = new ArrayList<>();
    try (Rig rig = rig(0, seen);
        NvmeController controller = rig.open()) {
      NvmeFeatures features = controller.features();
      assertThatExceptionOfType(NvmeUnsupportedException.class)
          .isThrownBy(() -> features.get(1, NvmeFeatures.Select.SAVED, 0, 0))
          .withMessage(
              "simulated:nvme: the controller does not have saved values (ONCS 0x0000); ask for the"
                  + " current value, or set it without saving");
      assertThatExceptionOfType(NvmeUnsupportedException.class)
          .isThrownBy(() -> features.set(1, 0, true, List.of(1), NONE));
      assertThatExceptionOfType(NvmeUnsupportedException.class)
          .isThrownBy(() -> features.capabilities(1));
      assertThatExceptionOfType(PciException.class)
          .isThrownBy(() -> features.set(Features.NUMBER_OF_QUEUES, 0))
          .withMessageContaining("Set Features is refused");
      assertThat(seen).isEmpty();
    }
  }

  @Test
  void powerStatesAreReadAndSet() {
    List<String> seen = new ArrayList<>();
    try (Rig rig = rig(0, seen);
        NvmeController controller = rig.open()) {
      NvmeFeatures features = controller.features();
      assertThat(features.powerStates())
          .hasSize(3)
          .endsWith(new PowerState(5000, false, 1000, 2000, 1, 2, 3, 4, 1000, 30_000, 1));
      assertThat(features.powerStates().getFirst().maxPowerMicrowatts()).isEqualTo(9_000_000);
      assertThat(features.powerStates().getFirst().operational()).isTrue();
      features.setPowerState(2);
      assertThat(features.powerState()).isEqualTo(2);
      assertThatIllegalArgumentException()
          .isThrownBy(() -> features.setPowerState(3))
          .withMessage("simulated:nvme: the controller has power states 0 to 2, and no 3");
      assertThat(seen).hasSize(2);
    }
  }

  /** NPSS is a byte; the structure has room for 32. */
  @Test
  void aControllerThatSaysThatItHasMorePowerStatesThanThereCanBeHas32() {
    try (Rig rig = new Rig(model -> model.identity.setPowerStates(255));
        NvmeController controller = rig.open()) {
      assertThat(controller.features().powerStates()).hasSize(32);
    }
  }

  @Test
  void theModelHasOnePowerStateAndFeaturesOfItsOwn() {
    try (SimulatedBus bus = DeviceRoute.newBus();
        PciDevice device =
            DeviceRoute.chosen(
                bus.open(bus.plug("nvme", NvmeModel.builder().size(1 << 20).build())));
        NvmeController controller =
            NvmeController.open(device, NvmeOptions.defaults().withTime(bus.time()))) {
      NvmeFeatures features = controller.features();
      assertThat(features.powerState()).isZero();
      features.setPowerState(0);
      features.set(Features.VOLATILE_WRITE_CACHE, 0);
      assertThat(features.get(Features.VOLATILE_WRITE_CACHE).dword()).isZero();
      assertThatExceptionOfType(NvmeStatusException.class)
          .isThrownBy(() -> features.get(0xdd))
          .satisfies(e -> assertThat(e.status()).contains(NvmeStatus.INVALID_FIELD_IN_COMMAND));
    }
  }
}
