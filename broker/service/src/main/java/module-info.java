import org.gatun.pci.spi.DeviceEraser;
import org.jspecify.annotations.NullMarked;

/**
 * A broker whose guests are other processes: {@link org.gatun.broker.service.BrokerService}, and
 * its control socket.
 */
@NullMarked
module org.gatun.broker.service {
  requires static transitive org.jspecify;
  requires transitive org.gatun.broker;
  requires org.gatun.broker.launcher;
  requires org.gatun.nativeaccess;
  requires org.gatun.vfiouser;
  requires transitive com.fasterxml.jackson.databind;
  requires jdk.jfr;
  requires jdk.net;

  uses DeviceEraser;

  exports org.gatun.broker.service;
  exports org.gatun.broker.service.process;
  exports org.gatun.broker.service.varlink;
}
