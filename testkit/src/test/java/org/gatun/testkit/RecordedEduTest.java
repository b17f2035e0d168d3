package org.gatun.testkit;

import java.util.Objects;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.simulated.SimulatedBus;
import org.gatun.simulated.trace.Recorder;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.RepeatedTest;

/** While a session is recorded, the device is what it is, apart from what copying its DMA takes. */
class RecordedEduTest extends SimulatedEdu {
  private @Nullable Recorder recorder;

  RecordedEduTest() {
    super(SimulatedBus.virtualTime());
  }

  /** The recorder may be anywhere in its comparing when the device's memory goes. */
  @SuppressWarnings("JUnitMethodInvoked") // the same, more often
  @RepeatedTest(200)
  void closeUnderUseIsFoundOutWhereverTheRecorderIs() throws Exception {
    closeUnderUseGivesOnlyDeviceGone();
  }

  /** Four that close at once: the recorder's copies of the memory are gone for each of them. */
  @SuppressWarnings("JUnitMethodInvoked") // the same, more often
  @RepeatedTest(200)
  void whoeverClosesReturnsWhenTheRecorderHasLetGo() throws Exception {
    whoeverClosesReturnsWhenAllIsClosed();
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
