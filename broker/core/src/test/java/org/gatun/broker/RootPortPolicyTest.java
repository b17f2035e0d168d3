package org.gatun.broker;

import org.gatun.simulated.RootPortModel;

class RootPortPolicyTest extends SimulatedPolicy {
  RootPortPolicyTest() {
    super(new RootPortModel());
  }
}
