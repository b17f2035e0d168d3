/** A guest that checks an NVMe disk. */
module org.example.demoguest {
  // The driver brings org.gatun.pci and org.gatun.specs with it. In the process of a broker,
  // more than these and java.base is refused; in a process of its own, it can't be counted on.
  requires org.gatun.driver.nvme;

  provides org.gatun.pci.spi.PciGuest with
      org.example.demoguest.DemoGuest;
}
