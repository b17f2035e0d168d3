package org.example.firstdriver;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.gatun.pci.DeviceProtocolException;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.testkit.Device;
import org.gatun.testkit.SimulatedPci;
import org.junit.jupiter.api.Test;

@SimulatedPci
class FirstDriverTest {
  @Test
  void computesFactorials(@Device("edu") PciDevice device, TimeSource time) {
    try (FirstDriver driver = new FirstDriver(device, time)) {
      assertEquals(1, driver.factorial(0));
      assertEquals(3_628_800, driver.factorial(10));
    }
  }

  @Test
  void refusesAnotherDevice(@Device("nvme,size=1M") PciDevice device, TimeSource time) {
    assertThrows(DeviceProtocolException.class, () -> new FirstDriver(device, time));
  }
}
