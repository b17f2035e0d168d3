package org.gatun.broker;

import org.gatun.simulated.NvmeModel;

class NvmePolicyTest extends SimulatedPolicy {
  NvmePolicyTest() {
    super(NvmeModel.builder().build());
  }
}
