package org.gatun.benchmarks.nvme;

/** What the report shows, in this order. */
enum Chart {
  IOPS(
      Axis.GROUPS,
      "Against a polling loop in C",
      "commands in flight",
      "IOPS",
      "C",
      "4 KiB random reads of a device that another JVM serves by vfio-user, doorbells and DMA"
          + " memory shared with it: the driver's queue pair, polled, with callbacks; and a loop in"
          + " C, on queues of its own of the same controller, by turns. The aim is 0.9 of C.",
      "benchmarks/nvme"),
  LATENCY(
      Axis.PERCENTILES,
      "Latency",
      "percentile",
      "ns",
      "",
      "The same reads, each one timed from its submission until it is called back for.",
      "benchmarks/nvme"),
  HEAP(
      Axis.NONE,
      "Allocation and garbage collection",
      "",
      "",
      "",
      "What the driver's thread allocated in the reads above, and how often and for how long the"
          + " JVM collected garbage meanwhile.",
      "benchmarks/nvme"),
  DEPTHS(
      Axis.POWERS,
      "Commands in flight",
      "commands in flight",
      "IOPS",
      "C",
      "The same device and reads, on one queue pair.",
      "benchmarks/nvme"),
  QUEUES(
      Axis.POWERS,
      "Queue pairs",
      "queue pairs, 32 commands in flight on each",
      "IOPS",
      "C",
      "The same device and reads, with a thread for each queue pair. The device has one thread for"
          + " all of them, so more queue pairs than free processors can only cost.",
      "benchmarks/nvme"),
  MEMORY(
      Axis.POWERS,
      "Memory for queue pairs",
      "queue pairs, 128 commands in flight on each",
      "bytes",
      "",
      "DMA memory that a controller and its queue pairs have.",
      "benchmarks/nvme"),
  START(
      Axis.POWERS,
      "Start-up",
      "namespaces",
      "µs",
      "",
      "From the reset of a controller on the simulated bus until its namespaces are known.",
      "benchmarks/nvme"),
  LAYERS(
      Axis.GROUPS,
      "The cost of each layer",
      "commands in flight",
      "IOPS",
      "simulated",
      "The driver and the model of the disk are the same, and what is between them differs:"
          + " nothing, a broker's grant, vfio-user and two processes.",
      "benchmarks/nvme"),
  LAYERS_VM(
      Axis.GROUPS,
      "The cost of each layer through VFIO",
      "commands in flight",
      "IOPS",
      "in process, VFIO",
      "The driver on QEMU's disk in the virtual machine, whose processors are emulated: in a"
          + " process that has the device through VFIO, and as a guest behind a broker.",
      ".ci/soak guest-iops"),
  FIO(
      Axis.GROUPS,
      "Against Linux",
      "commands in flight",
      "IOPS",
      "io_uring",
      "4 KiB random reads of QEMU's disk in the virtual machine, whose processors are emulated:"
          + " fio, one job, on Linux's own driver, and our driver through VFIO, by turns. The aim"
          + " is 1.0.",
      ".ci/soak fio-vm"),
  SPDK_TARGET(
      Axis.GROUPS,
      "On SPDK's target",
      "commands in flight",
      "IOPS",
      "spdk_nvme_perf",
      "4 KiB random reads of a memory disk of nvmf_tgt's, by vfio-user. The aim is 1.0.",
      "benchmarks/nvme --spdk DIR"),
  SPDK_INITIATOR(
      Axis.GROUPS,
      "SPDK's initiator on the exported model",
      "commands in flight",
      "IOPS",
      "spdk_nvme_perf",
      "The first chart's device, driven by spdk_nvme_perf too.",
      "benchmarks/nvme --spdk DIR");

  /** How the points of a chart are laid out. */
  enum Axis {
    /** Bars side by side. */
    GROUPS,
    /** Lines over powers of two; both axes logarithmic. */
    POWERS,
    /** Lines over percentiles, each nine as wide as the other; the values logarithmic. */
    PERCENTILES,
    /** No plot: there is a table only. */
    NONE
  }

  private final Axis axis;
  private final String title;
  private final String xLabel;
  private final String unit;
  private final String base;
  private final String text;
  private final String command;

  Chart(
      Axis axis,
      String title,
      String xLabel,
      String unit,
      String base,
      String text,
      String command) {
    this.axis = axis;
    this.title = title;
    this.xLabel = xLabel;
    this.unit = unit;
    this.base = base;
    this.text = text;
    this.command = command;
  }

  Axis axis() {
    return axis;
  }

  String title() {
    return title;
  }

  /** What the points are. */
  String xLabel() {
    return xLabel;
  }

  /** Of the values; empty if each series has one of its own. */
  String unit() {
    return unit;
  }

  /** The series that others are compared with; empty if there is none. */
  String base() {
    return base;
  }

  /** What was measured. */
  String text() {
    return text;
  }

  /** By which it is measured. */
  String command() {
    return command;
  }
}
