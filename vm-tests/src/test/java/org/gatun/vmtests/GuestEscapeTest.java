package org.gatun.vmtests;

import java.time.Duration;
import java.util.stream.Stream;
import org.gatun.vmtests.machine.TestDevice.Edu;
import org.gatun.vmtests.machine.TestDevice.Place;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.TestFactory;

/** A hostile guest in a process of its own, with a device through VFIO and another guest beside. */
class GuestEscapeTest {
  @TestFactory
  Stream<DynamicNode> escapes() throws Exception {
    return VmRun.named("guest-escapes")
        .device(new Edu("attacker", Place.ROOT_PORT))
        .device(new Edu("neighbour", Place.ROOT_PORT))
        .tests(EscapeInVm.class)
        .limit(Duration.ofHours(1))
        .run();
  }
}
