package org.gatun.testkit;

import org.gatun.simulated.SimulatedBus;

class EduInVirtualTimeTest extends SimulatedEdu {
  EduInVirtualTimeTest() {
    super(SimulatedBus.virtualTime());
  }
}
