import org.jspecify.annotations.NullMarked;

/** Registers and structures of standard devices, as constants and typed views: no behaviour. */
@NullMarked
module org.gatun.specs {
  requires static org.jspecify;

  exports org.gatun.specs.edu;
  exports org.gatun.specs.nvme;
  exports org.gatun.specs.serial;
  exports org.gatun.specs.virtio;
}
