package org.gatun.broker;

import org.gatun.pci.PciDevice;
import org.gatun.simulated.NvmeModel;
import org.gatun.vfiouser.testkit.VfioUserRoute;

/** A client at a socket gets no more of config space than any guest. */
class ServedPolicyTest extends SimulatedPolicy {
  ServedPolicyTest() {
    super(NvmeModel.builder().build());
  }

  @Override
  protected PciDevice grant(Knobs knobs) {
    return new VfioUserRoute().through(super.grant(knobs));
  }
}
