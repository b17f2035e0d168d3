package org.gatun.simulated;

import java.util.ArrayDeque;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.spi.ResourceTracker;
import org.gatun.simulated.IommuDomain.Mapping;
import org.gatun.simulated.IommuFault.Origin;

/**
 * Where the mappings of an address space come from, and where those went that are no longer there:
 * the newest of them. Guarded by this.
 */
final class MappingOrigins {
  private static final int KEPT = 256;
  private static final int FRAMES = 16;

  /** Through whose methods a driver maps and unmaps. */
  private static final Set<String> OWN =
      Set.of(
          MappingOrigins.class.getName(),
          IommuDomain.class.getName(),
          SimulatedDmaSpace.class.getName(),
          SimulatedDevice.class.getName(),
          DmaBuffer.class.getName(),
          ResourceTracker.class.getName());

  private record Unmapped(long first, long last, Origin origin) {}

  private final ArrayDeque<Unmapped> unmapped = new ArrayDeque<>();

  /** The frames of the caller, without those of this module. */
  static List<StackTraceElement> here() {
    return StackWalker.getInstance()
        .walk(
            frames ->
                frames
                    .dropWhile(f -> OWN.contains(f.getClassName()))
                    .limit(FRAMES)
                    .map(StackWalker.StackFrame::toStackTraceElement)
                    .toList());
  }

  /** A mapping whose origin is known is taken out. */
  synchronized void unmapped(Mapping mapping) {
    if (unmapped.size() == KEPT) {
      unmapped.removeLast();
    }
    unmapped.addFirst(
        new Unmapped(mapping.first, mapping.last, new Origin(mapping.mappedAt, here())));
  }

  /** Of what was at an address last. */
  synchronized Optional<Origin> last(long busAddress) {
    return unmapped.stream()
        .filter(u -> u.first <= busAddress && busAddress <= u.last)
        .map(Unmapped::origin)
        .findFirst();
  }
}
