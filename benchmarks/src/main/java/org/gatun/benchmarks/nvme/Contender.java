package org.gatun.benchmarks.nvme;

import java.util.function.IntFunction;
import java.util.stream.IntStream;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.driver.nvme.NvmeOptions;

/** Who drives a target. */
enum Contender {
  /** A polling loop in C, on queues that are made by hand. */
  C("C") {
    @Override
    Readers open(Target target, int queues, int depth) {
      RawController controller = new RawController(target.device(), queues, depth);
      return readers(
          queues, queue -> new CReader(target, controller, queue, depth), controller::close);
    }
  },
  /** The driver's queue pairs, polled, with callbacks. */
  DRIVER("driver") {
    @Override
    Readers open(Target target, int queues, int depth) {
      NvmeController controller = NvmeController.open(target.device(), NvmeOptions.defaults());
      return readers(
          queues, queue -> new DriverReader(target, controller, queue, depth), controller::close);
    }
  };

  private final String label;

  Contender(String label) {
    this.label = label;
  }

  /** As figures name it. */
  String label() {
    return label;
  }

  /** Brings the controller up with so many queue pairs. */
  abstract Readers open(Target target, int queues, int depth);

  private static Readers readers(int queues, IntFunction<RandomReader> reader, Runnable shutdown) {
    return new Readers(IntStream.range(0, queues).mapToObj(reader).toList(), shutdown);
  }
}
