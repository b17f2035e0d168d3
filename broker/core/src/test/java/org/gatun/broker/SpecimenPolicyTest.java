package org.gatun.broker;

import org.gatun.simulated.SpecimenModel;

class SpecimenPolicyTest extends SimulatedPolicy {
  SpecimenPolicyTest() {
    super(new SpecimenModel());
  }
}
