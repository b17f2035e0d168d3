package org.gatun.simulated;

/**
 * What each access to a trapped register looks at, before and after: in one object, which is what
 * makes it cheap. Each field is written under a lock of its writer's.
 */
final class AccessState {
  /** Whether accesses to memory BARs arrive: what {@link Route} says. */
  volatile boolean memoryDecode;

  /** Whether an interrupt has left events to be signalled. */
  volatile boolean eventsDue;
}
