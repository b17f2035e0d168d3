package org.gatun.testkit;

import java.util.Objects;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.simulated.SimulatedBus;
import org.gatun.simulated.trace.Recorder;
import org.jspecify.annotations.Nullable;

/** While a session is recorded, the device is what it is, apart from what copying its DMA takes. */
class RecordedEduTest extends SimulatedEdu {
  private @Nullable Recorder recorder;

  RecordedEduTest() {
    super(SimulatedBus.virtualTime());
  }

  @Override
  protected PciDevice open() {
    recorder = new Recorder(super.open(), super.time());
    return recorder.device();
  }

  @Override
  protected TimeSource time() {
    return Objects.requireNonNull(recorder).time();
  }
}
