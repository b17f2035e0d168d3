import org.jspecify.annotations.NullMarked;

/**
 * The broker inside one process: {@link org.gatun.broker.Broker} seizes devices and grants them,
 * narrowed by a policy, to guests, who then drive them without it.
 */
@NullMarked
module org.gatun.broker {
  requires transitive org.gatun.pci;
  requires static transitive org.jspecify;
  requires jdk.jfr;
  requires org.snakeyaml.engine;

  uses org.gatun.pci.spi.PciGuest;

  exports org.gatun.broker;
  exports org.gatun.broker.config;
  exports org.gatun.broker.guest;
  exports org.gatun.broker.policy;
}
