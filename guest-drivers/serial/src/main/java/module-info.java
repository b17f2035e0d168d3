import org.jspecify.annotations.NullMarked;

/** A driver for 16550 serial ports: {@link org.gatun.driver.serial.SerialPort}. */
@NullMarked
module org.gatun.driver.serial {
  requires transitive org.gatun.pci;
  requires org.gatun.specs;
  requires static transitive org.jspecify;

  exports org.gatun.driver.serial;
}
