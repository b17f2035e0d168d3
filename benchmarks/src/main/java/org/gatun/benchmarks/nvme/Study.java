package org.gatun.benchmarks.nvme;

import com.sun.management.ThreadMXBean;
import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.ToLongFunction;
import java.util.stream.IntStream;
import org.HdrHistogram.Histogram;
import org.gatun.benchmarks.Peer;
import org.gatun.benchmarks.Runs;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.driver.nvme.NvmeOptions;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciDevice;
import org.gatun.simulated.NvmeModel;
import org.gatun.simulated.SimulatedBus;
import org.gatun.vfiouser.VfioUserBackend;

/** What one JVM measures, once. */
enum Study {
  /** Reads a second at two depths, by turns. */
  RATE {
    @Override
    void run(Figures figures) throws Exception {
      try (Target target = Target.served()) {
        for (int depth : DEPTHS) {
          for (Contender contender : Contender.values()) {
            rate(target, contender, 1, depth, WARM_UP);
          }
          compare(target, Chart.IOPS, 1, depth, ROUNDS, depth, figures);
        }
      }
    }
  },
  /** How long each read takes; what it allocates. */
  LATENCY {
    @Override
    void run(Figures figures) throws Exception {
      try (Target target = Target.served()) {
        for (int depth : DEPTHS) {
          for (Contender contender : Contender.values()) {
            try (Readers readers = contender.open(target, 1, depth)) {
              RandomReader reader = readers.all().getFirst();
              reader.read(WARM_UP, new Histogram(DIGITS));
              if (contender == Contender.DRIVER) {
                heap(reader, depth, figures);
              }
              Histogram latencies = new Histogram(DIGITS);
              reader.read(TIMED, latencies);
              String series = "%s, %d in flight".formatted(contender.label(), depth);
              for (String percentile : PERCENTILES) {
                figures.add(
                    Chart.LATENCY,
                    series,
                    percentile,
                    latencies.getValueAtPercentile(Double.parseDouble(percentile)));
              }
              figures.add(Chart.LATENCY, series, MAX, latencies.getMaxValue());
            }
          }
        }
      }
    }
  },
  /** Reads a second by depth and by queue pairs. */
  SCALING {
    @Override
    void run(Figures figures) throws Exception {
      try (Target target = Target.served()) {
        for (Contender contender : Contender.values()) {
          rate(target, contender, 1, DEPTHS.getLast(), WARM_UP);
        }
        for (int depth = 1; depth <= Target.MAX_IN_FLIGHT; depth *= 2) {
          compare(target, Chart.DEPTHS, 1, depth, 1, depth, figures);
        }
        for (int queues : List.of(1, 2, 4)) {
          compare(target, Chart.QUEUES, queues, DEPTHS.getLast(), 1, queues, figures);
        }
      }
    }
  },
  /** What queue pairs take of memory, and namespaces of time. */
  FOOTPRINT {
    @Override
    void run(Figures figures) {
      try (SimulatedBus bus = SimulatedBus.realTime();
          PciDevice device = bus.open(bus.plug("nvme", new NvmeModel()));
          NvmeController controller = NvmeController.open(device, NvmeOptions.defaults())) {
        for (int queues = 1; queues <= controller.maxQueuePairs(); queues++) {
          controller.createQueuePair();
          if (Integer.bitCount(queues) == 1) {
            figures.add(Chart.MEMORY, "driver", queues, device.usage().dmaBytes());
          }
        }
      }
      start(NAMESPACES.getLast());
      for (int namespaces : NAMESPACES) {
        figures.add(Chart.START, "driver", namespaces, start(namespaces));
      }
    }
  },
  /** The same driver and model with more and more between them. */
  LAYERS {
    @Override
    void run(Figures figures) throws Exception {
      // The first thread of a model in a JVM runs code that was compiled early, and keeps it.
      layer("simulated", Target.simulated(), new Figures());
      layer("simulated", Target.simulated(), figures);
      layer("granted", Target.granted(), figures);
      layer("vfio-user", Target.served(), figures);
    }
  },
  /**
   * The driver on SPDK's target and SPDK's initiator on our model, each beside SPDK on the same.
   */
  SPDK {
    @Override
    void run(Figures figures) throws Exception {
      Spdk spdk = new Spdk(Path.of(System.getProperty(Spdk.FOLDER)));
      try (Spdk.ServedDisk disk = spdk.serve()) {
        beside(spdk, disk.socket(), Chart.SPDK_TARGET, figures);
      }
      try (Peer peer = Peer.serving(Target.MODEL)) {
        beside(spdk, peer.socket(), Chart.SPDK_INITIATOR, figures);
      }
    }
  };

  /** The point of a histogram that is no percentile. */
  static final String MAX = "max";

  private static final List<Integer> DEPTHS = List.of(1, 32);
  private static final List<String> PERCENTILES = List.of("50", "90", "99", "99.9", "99.99");
  private static final List<Integer> NAMESPACES = List.of(1, 4, 16, 64, 256, 1024);

  private static final int WARM_UP = 500_000;
  private static final int READS = 400_000;
  private static final int TIMED = 1_000_000;

  /** Of contenders, one after the other, in one run. */
  private static final int ROUNDS = 4;

  /** Significant ones, of a histogram. */
  private static final int DIGITS = 3;

  /** How often a controller is brought up until the JVM has compiled that; the median counts. */
  private static final int STARTS = 200;

  abstract void run(Figures figures) throws Exception;

  /**
   * {@code Study NAME FILE}: writes its figures to the file.
   *
   * @throws Exception whatever goes wrong
   */
  static void main(String[] args) throws Exception {
    Figures figures = new Figures();
    valueOf(args[0]).run(figures);
    figures.write(Path.of(args[1]));
  }

  /**
   * All contenders by turns, forwards and backwards; each one's reads a second in all its turns.
   *
   * @param x for the figures
   */
  private static void compare(
      Target target, Chart chart, int queues, int depth, int rounds, Object x, Figures figures)
      throws Exception {
    Contender[] contenders = Contender.values();
    double[] seconds = new double[contenders.length];
    for (int round = 0; round < 2 * rounds; round++) {
      for (int turn = 0; turn < contenders.length; turn++) {
        int index = round % 2 == 0 ? turn : contenders.length - 1 - turn;
        seconds[index] += 1 / rate(target, contenders[index], queues, depth, READS);
      }
    }
    for (int index = 0; index < contenders.length; index++) {
      figures.add(chart, contenders[index].label(), x, 2 * rounds / seconds[index]);
    }
  }

  private static double rate(Target target, Contender contender, int queues, int depth, int reads)
      throws Exception {
    try (Readers readers = contender.open(target, queues, depth)) {
      return readers.rate(reads / queues);
    }
  }

  private static void layer(String name, Target opened, Figures figures) throws Exception {
    try (Target target = opened) {
      for (int depth : DEPTHS) {
        rate(target, Contender.DRIVER, 1, depth, WARM_UP);
        double rate = rate(target, Contender.DRIVER, 1, depth, READS);
        figures.add(Chart.LAYERS, name, depth, rate);
      }
    }
  }

  private static void beside(Spdk spdk, Path socket, Chart chart, Figures figures)
      throws Exception {
    for (int depth : DEPTHS) {
      try (Target target = Target.at(new DeviceName(VfioUserBackend.SCHEME, socket.toString()))) {
        rate(target, Contender.DRIVER, 1, depth, WARM_UP);
        figures.add(
            chart,
            Contender.DRIVER.label(),
            depth,
            rate(target, Contender.DRIVER, 1, depth, READS));
      }
      figures.add(chart, "spdk_nvme_perf", depth, spdk.rate(socket, depth));
    }
  }

  private static void heap(RandomReader reader, int depth, Figures figures) {
    reader.read(WARM_UP);
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long collections = ofCollectors(GarbageCollectorMXBean::getCollectionCount);
    long millis = ofCollectors(GarbageCollectorMXBean::getCollectionTime);
    long bytes = threads.getCurrentThreadAllocatedBytes();
    reader.read(TIMED);
    bytes = threads.getCurrentThreadAllocatedBytes() - bytes;
    collections = ofCollectors(GarbageCollectorMXBean::getCollectionCount) - collections;
    millis = ofCollectors(GarbageCollectorMXBean::getCollectionTime) - millis;
    String x = depth + " in flight";
    figures.add(Chart.HEAP, "bytes a read", x, (double) bytes / TIMED);
    figures.add(Chart.HEAP, "collections", x, collections);
    figures.add(Chart.HEAP, "ms of collections", x, millis);
  }

  private static long ofCollectors(ToLongFunction<GarbageCollectorMXBean> count) {
    return ManagementFactory.getGarbageCollectorMXBeans().stream().mapToLong(count).sum();
  }

  /** Brings up a controller with so many namespaces: the median, in µs. */
  private static double start(int namespaces) {
    NvmeModel model = NvmeModel.builder().namespaces(namespaces).size(1 << 20).build();
    try (SimulatedBus bus = SimulatedBus.realTime();
        PciDevice device = bus.open(bus.plug("nvme", model))) {
      double[] micros =
          IntStream.range(0, STARTS)
              .mapToDouble(
                  _ -> {
                    long start = System.nanoTime();
                    NvmeController controller = NvmeController.open(device, NvmeOptions.defaults());
                    double time = (System.nanoTime() - start) / 1e3;
                    controller.close();
                    return time;
                  })
              .toArray();
      return new Runs(Arrays.stream(micros).boxed().toList()).median();
    }
  }
}
