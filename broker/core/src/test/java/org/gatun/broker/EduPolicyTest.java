package org.gatun.broker;

import org.gatun.simulated.EduModel;

class EduPolicyTest extends SimulatedPolicy {
  EduPolicyTest() {
    super(new EduModel());
  }
}
