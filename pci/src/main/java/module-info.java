import org.jspecify.annotations.NullMarked;

/** The contract. */
@NullMarked
module org.gatun.pci {
  requires static org.jspecify;

  exports org.gatun.pci;
}
