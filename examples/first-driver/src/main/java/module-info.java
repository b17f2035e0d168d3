/** A first driver. */
module org.example.firstdriver {
  requires org.gatun.pci;
}
