package org.gatun.simulated;

import java.util.List;
import org.gatun.pci.DeviceName;

/**
 * A line of the host's interrupt controller, at a moment: the pins that are routed to it share it.
 * It is a level, asserted as long as one of them is. Who has one of the functions open hears of his
 * own only, as through VFIO, which looks at Interrupt Status of each.
 *
 * @param number 0 to 3, for PIRQA to PIRQD
 * @param sharing all functions with a pin that is routed to it, by address
 * @param asserting those of them that assert it now
 */
public record InterruptLine(int number, List<DeviceName> sharing, List<DeviceName> asserting) {
  /** Copies the lists. */
  public InterruptLine {
    sharing = List.copyOf(sharing);
    asserting = List.copyOf(asserting);
  }

  /** Its level. */
  public boolean isAsserted() {
    return !asserting.isEmpty();
  }

  /**
   * Which line the pin of a function is routed to: each bridge turns it by the number of the slot
   * (PCI-to-PCI Bridge Architecture Specification 1.2, 9.1), and so does the board.
   *
   * @param pin 1 to 4 for INTA to INTD
   */
  static int route(SimulatedFunction function, int pin) {
    int line = pin - 1;
    for (SimulatedFunction at = function; at != null; at = at.bridge()) {
      line = (line + at.slot().device()) % 4;
    }
    return line;
  }
}
