import org.jspecify.annotations.NullMarked;

/**
 * For tests of drivers and of backends: the suites that every {@link org.gatun.pci.PciDevice}
 * passes, and a JUnit 5 extension that gives a test devices on a simulated bus: see {@link
 * org.gatun.testkit}.
 */
@NullMarked
module org.gatun.testkit {
  requires transitive org.gatun.pci;
  requires transitive org.gatun.simulated;
  requires transitive org.junit.jupiter.api;
  requires org.assertj.core;
  requires org.gatun.specs;
  requires org.junit.jupiter.params;
  requires static transitive org.jspecify;

  exports org.gatun.testkit;

  uses org.gatun.pci.spi.PciBackend;
  uses org.gatun.testkit.DeviceRoute;

  opens org.gatun.testkit to
      org.junit.platform.commons;
}
