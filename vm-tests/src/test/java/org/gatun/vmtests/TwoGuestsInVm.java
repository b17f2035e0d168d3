package org.gatun.vmtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.gatun.broker.Broker;
import org.gatun.broker.DeviceRequest;
import org.gatun.broker.Quota;
import org.gatun.driver.edu.EduDevice;
import org.gatun.driver.edu.EduOptions;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.PciDevice;
import org.gatun.vfio.VfioBackend;
import org.gatun.vmtests.VfioDevices.Taken;
import org.gatun.vmtests.inside.Inside;
import org.gatun.vmtests.inside.KernelLog;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** The devices of two guests of one broker: for {@link BrokerTest}. */
@InVm
class TwoGuestsInVm {
  private static final EduOptions OPTIONS =
      EduOptions.defaults().withTimeout(Duration.ofMinutes(1));

  private static final int PAGE = 4096;

  /** What edu moves at once, at most, is a byte less than a page. */
  private static final int HALF = PAGE / 2;

  /** Each transfer takes edu a tenth of a second. */
  private static final int PAGES = 8;

  /** Above all that drivers have, in the 256 MiB that edu reaches. */
  private static final long FIRST_PLACE = 64L << 20;

  private static final long PLACE = 16L << 20;

  private static final byte CANARY = (byte) 0xc5;
  private static final byte ATTACK = 0x3a;

  @RegisterExtension final VfioDevices devices = new VfioDevices();

  @Test
  void aDeviceReachesNoBusAddressOfAnotherGuest() throws Exception {
    Random random = new Random(Long.parseLong(Inside.property(RevocationInVm.SEED)));
    Taken attacker = devices.device("attacker").bind();
    Taken victim = devices.device("victim").bind();
    KernelLog log = KernelLog.mark();
    try (Arena arena = Arena.ofConfined();
        Broker broker = new Broker(List.of(new VfioBackend()))) {
      PciDevice attackersDevice = grant(broker, "attacker", attacker);
      PciDevice victimsDevice = grant(broker, "victim", victim);
      try (EduDevice attack = EduDevice.open(attackersDevice, OPTIONS);
          EduDevice defence = EduDevice.open(victimsDevice, OPTIONS);
          DmaBuffer own = attackersDevice.dma().allocate(2 * PAGE, PAGE)) {
        attacker.markInUse();
        victim.markInUse();
        List<DmaBuffer> canaries = new ArrayList<>();
        for (int i = 0; i < PAGES; i++) {
          MemorySegment memory = arena.allocate(PAGE, PAGE).fill(CANARY);
          long address = FIRST_PLACE + i * PLACE + random.nextLong(PLACE / PAGE) * PAGE;
          canaries.add(victimsDevice.dma().mapAt(address, memory, DmaDirection.BIDIRECTIONAL));
        }
        assertThat(own.busAddress()).isLessThan(FIRST_PLACE);
        own.segment().fill(ATTACK);

        // The kernel logs few of many faults: those of the first addresses are looked at.
        long first = canaries.getFirst().busAddress();
        attack.dmaRead(first, 0, HALF);
        IommuFaults.await(log, attacker.address(), DmaDirection.TO_DEVICE, first);
        attack.dmaWrite(first, 0, HALF);
        IommuFaults.await(log, attacker.address(), DmaDirection.FROM_DEVICE, first);
        for (DmaBuffer canary : canaries) {
          for (int part = 0; part < PAGE; part += HALF) {
            attack(attack, own, canary.busAddress() + part);
          }
        }

        byte[] untouched = new byte[HALF];
        Arrays.fill(untouched, CANARY);
        for (DmaBuffer canary : canaries) {
          assertThat(canary.segment().toArray(ValueLayout.JAVA_BYTE)).containsOnly(CANARY);
          // It is there all the while: the victim's own device reads it.
          defence.verify(canary.busAddress(), untouched);
        }
      }
    }
  }

  /** Reads and writes through the attacker's device; what was read must not be the victim's. */
  private static void attack(EduDevice attack, DmaBuffer own, long busAddress) {
    attack.dmaRead(own.busAddress(), 0, HALF);
    attack.dmaRead(busAddress, 0, HALF);
    attack.dmaWrite(own.busAddress() + PAGE, 0, HALF);
    byte[] seen = new byte[HALF];
    own.copyOut(PAGE, seen);
    assertThat(seen).as("what is read at 0x%x", busAddress).doesNotContain(CANARY);
    attack.dmaRead(own.busAddress(), 0, HALF);
    attack.dmaWrite(busAddress, 0, HALF);
  }

  private static PciDevice grant(Broker broker, String guest, Taken device) {
    broker.seize(device.name());
    return broker
        .grant(guest, Quota.DEFAULT, List.of(DeviceRequest.of(device.name())))
        .connect()
        .getFirst();
  }
}
