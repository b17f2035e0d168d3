package org.gatun.testkit;

import org.gatun.simulated.SimulatedBus;

class EduInRealTimeTest extends SimulatedEdu {
  EduInRealTimeTest() {
    super(SimulatedBus.realTime());
  }
}
