package org.gatun.simulated;

import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.gatun.pci.Bar;
import org.gatun.simulated.FunctionDescription.BarDescription;

/**
 * The registers behind a BAR.
 *
 * @param bar its index
 * @param registers which do not overlap; in any order, and kept by offset
 */
public record RegisterMap(int bar, List<Register> registers) {
  /**
   * Sorts them.
   *
   * @throws IllegalArgumentException if two overlap, or have one name: the message has both
   */
  public RegisterMap {
    registers = registers.stream().sorted(Comparator.comparingLong(Register::offset)).toList();
    Set<String> names = new HashSet<>();
    for (int i = 0; i < registers.size(); i++) {
      Register register = registers.get(i);
      if (!names.add(register.name())) {
        throw new IllegalArgumentException(
            "BAR %d: there are two registers %s".formatted(bar, register.name()));
      }
      if (i > 0 && registers.get(i - 1).end() > register.offset()) {
        throw new IllegalArgumentException(
            "BAR %d: registers %s and %s overlap at 0x%x"
                .formatted(bar, registers.get(i - 1).name(), register.name(), register.offset()));
      }
    }
  }

  /**
   * The registers behind a BAR.
   *
   * @throws IllegalArgumentException if two overlap, or have one name
   */
  public static RegisterMap of(int bar, Register... registers) {
    return new RegisterMap(bar, List.of(registers));
  }

  /**
   * @throws IllegalArgumentException if a register is not where this function's model is asked
   */
  void checkFits(FunctionDescription function) {
    BarDescription described =
        function.bars().stream()
            .filter(b -> b.index() == bar)
            .findFirst()
            .orElseThrow(
                () ->
                    new IllegalArgumentException(
                        "there are registers for BAR %d, and no such BAR".formatted(bar)));
    for (Register register : registers) {
      boolean inside =
          described.kind() == Bar.Kind.IO
              ? register.end() <= described.size()
              : described.ranges().stream()
                  .filter(range -> range.access() == Bar.Access.TRAPPED)
                  .anyMatch(range -> range.contains(register.offset(), register.width()));
      if (!inside) {
        throw new IllegalArgumentException(
            "register %s at 0x%x is not in a trapped range of BAR %d (%d bytes)"
                .formatted(register.name(), register.offset(), bar, described.size()));
      }
      function
          .interrupts()
          .msix()
          .filter(msix -> msix.bar() == bar)
          .filter(
              msix ->
                  overlaps(register, msix.table(), msix.tableSize())
                      || overlaps(register, msix.pending(), msix.pendingSize()))
          .ifPresent(
              _ -> {
                throw new IllegalArgumentException(
                    "register %s at 0x%x of BAR %d is in the MSI-X table or its pending bits"
                        .formatted(register.name(), register.offset(), bar));
              });
    }
  }

  private static boolean overlaps(Register register, long offset, long length) {
    return register.offset() < offset + length && offset < register.end();
  }
}
