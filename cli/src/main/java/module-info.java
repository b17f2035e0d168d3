import org.jspecify.annotations.NullMarked;

/** The {@code gatun} command. */
@NullMarked
module org.gatun.cli {
  requires static org.jspecify;
  requires com.fasterxml.jackson.databind;
  requires info.picocli;
  requires java.logging;
  requires java.management;
  requires jdk.management;
  requires me.tongfei.progressbar;
  requires HdrHistogram;
  requires org.gatun.broker;
  requires org.gatun.broker.service;
  requires org.gatun.driver.edu;
  requires org.gatun.driver.nvme;
  requires org.gatun.nativeaccess;
  requires org.gatun.pci;
  requires org.gatun.simulated;
  requires org.gatun.specs;
  requires org.gatun.vfio;
  requires org.gatun.vfiouser;

  opens org.gatun.cli to
      info.picocli;
}
