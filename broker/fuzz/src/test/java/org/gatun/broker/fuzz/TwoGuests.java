package org.gatun.broker.fuzz;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.gatun.broker.Broker;
import org.gatun.pci.DeviceName;
import org.gatun.simulated.SimulatedBus;
import org.gatun.simulated.SpecimenModel;

/** A hostile guest and its victim: a device each, on one bus, in virtual time. */
final class TwoGuests implements AutoCloseable {
  /** Kept, so that its level is: a line for each grant would be all that one sees. */
  private static final Logger LOG = Logger.getLogger("org.gatun.broker");

  static {
    LOG.setLevel(Level.SEVERE);
  }

  private static final int PAGE = 4096;
  private static final int PAGES = 16;

  final Victim victim;
  final HostileGuest attacker;
  private final SimulatedBus bus = SimulatedBus.virtualTime();
  private final Broker broker = new Broker(List.of(bus));
  private final Arena arena = Arena.ofShared();

  TwoGuests(Choices choices) {
    DeviceName attacked = seize("victim");
    DeviceName attacking = seize("attacker");
    victim = new Victim(bus, broker, attacked, memory(2));
    attacker =
        new HostileGuest(bus, broker, attacking, memory(PAGES), victim.busAddresses(), choices);
  }

  private DeviceName seize(String name) {
    DeviceName device = bus.plug(name, new SpecimenModel());
    broker.seize(device);
    return device;
  }

  private MemorySegment memory(int pages) {
    return arena.allocate((long) pages * PAGE, PAGE);
  }

  @Override
  public void close() {
    broker.close();
    bus.close();
    arena.close();
  }
}
