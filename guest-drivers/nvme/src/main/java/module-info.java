import org.gatun.driver.nvme.NvmeEraser;
import org.gatun.pci.spi.DeviceEraser;
import org.jspecify.annotations.NullMarked;

/**
 * A driver for NVM Express controllers: {@link org.gatun.driver.nvme.NvmeController} is where to
 * start.
 */
@NullMarked
module org.gatun.driver.nvme {
  requires transitive org.gatun.pci;
  requires transitive org.gatun.specs;
  requires static transitive org.jspecify;

  exports org.gatun.driver.nvme;

  provides DeviceEraser with
      NvmeEraser;
}
