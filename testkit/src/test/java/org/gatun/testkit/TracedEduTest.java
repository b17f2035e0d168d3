package org.gatun.testkit;

import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.simulated.SimulatedBus;
import org.gatun.simulated.trace.Trace;

class TracedEduTest extends SimulatedEdu {
  TracedEduTest() {
    super(SimulatedBus.virtualTime());
  }

  @Override
  protected PciDevice open() {
    return new Trace(64, TimeSource.system()).watch(super.open());
  }
}
