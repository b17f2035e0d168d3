/**
 * Linux system calls, and safe owners for what they return: descriptors, mappings, eventfds,
 * sockets and memory for DMA.
 *
 * <p>This is the only module with native access. Whoever can read it can call native code through
 * it, so it is exported to Gatun's own modules by name and to nobody else: guests and drivers never
 * see a descriptor or an address.
 */
@SuppressWarnings("module") // not every module named below is part of every application
@org.jspecify.annotations.NullMarked
module org.gatun.nativeaccess {
  requires static org.jspecify;

  exports org.gatun.nativeaccess to
      org.gatun.benchmarks,
      org.gatun.broker.launcher,
      org.gatun.broker.service,
      org.gatun.cli,
      org.gatun.nativeaccess.jna,
      org.gatun.vfio,
      org.gatun.vfio.common,
      org.gatun.vfiouser,
      org.gatun.vfiouser.testkit,
      org.gatun.vmtests;

  uses org.gatun.nativeaccess.LinuxCalls;
}
