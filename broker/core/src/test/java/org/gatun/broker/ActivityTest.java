package org.gatun.broker;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.gatun.pci.DeviceName;
import org.gatun.pci.Interrupts.Kind;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.simulated.SpecimenModel;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ActivityTest {
  @TempDir Path directory;

  @Test
  void whatAGuestDoesIsCountedAndRecorded() throws IOException {
    Path file = directory.resolve("recording.jfr");
    try (Site site = Site.virtualTime();
        Recording recording = new Recording()) {
      recording.start();
      DeviceName name = site.seize("device", new SpecimenModel());
      Grant grant = site.grant("guest", name);
      PciDevice device = grant.connect().getFirst();
      device.config().write16(0, 0);
      device.config().write16(2, 0);
      device.dma().allocate(8192, 4096);
      device.interrupts().enable(Kind.MSIX, 3);
      device.busMaster(true);
      Mmio registers = device.bar(SpecimenModel.REGISTERS).orElseThrow().map(0, 0x100);
      registers.write64(SpecimenModel.DMA_ADDRESS, 0x666000);
      registers.write32(SpecimenModel.DMA_LENGTH, 16);
      registers.write32(SpecimenModel.DMA_COMMAND, SpecimenModel.DMA_READ);

      assertThat(grant.counters()).isEqualTo(new Grant.Counters(2, 1, 1));
      grant.revoke(Duration.ZERO);
      recording.stop();
      recording.dump(file);
    }
    Map<String, List<RecordedEvent>> events =
        RecordingFile.readAllEvents(file).stream()
            .collect(Collectors.groupingBy(e -> e.getEventType().getName()));
    assertThat(events.get("org.gatun.DeniedAccess"))
        .extracting(e -> e.getString("field"))
        .containsExactly("Vendor ID", "Device ID");
    assertThat(events.get("org.gatun.DmaMap"))
        .extracting(e -> e.getLong("size"))
        .containsExactly(8192L);
    assertThat(events.get("org.gatun.DmaFault"))
        .extracting(e -> e.getLong("busAddress"))
        .containsExactly(0x666000L);
    assertThat(events.get("org.gatun.Interrupts"))
        .extracting(e -> e.getInt("count"))
        .containsExactly(3);
    assertThat(events.get("org.gatun.Grant"))
        .extracting(e -> e.getString("to"))
        .containsExactly("INIT_WAIT", "INITIALISED", "CONNECTED", "CLOSING", "CLOSED");
    assertThat(events.get("org.gatun.Revocation"))
        .singleElement()
        .satisfies(e -> assertThat(e.getBoolean("byForce")).isTrue())
        .satisfies(e -> assertThat(e.getString("guest")).isEqualTo("guest"));
  }
}
