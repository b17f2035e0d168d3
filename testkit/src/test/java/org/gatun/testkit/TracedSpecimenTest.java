package org.gatun.testkit;

import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.simulated.trace.Trace;

class TracedSpecimenTest extends SimulatedSpecimenTest {
  @Override
  protected PciDevice open() {
    return new Trace(64, TimeSource.system()).watch(super.open());
  }
}
