package org.gatun.cli;

import java.io.PrintWriter;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.driver.nvme.NvmeNamespace;
import org.gatun.driver.nvme.NvmeOptions;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code gatun nvme perf}. */
@Command(
    name = "perf",
    mixinStandardHelpOptions = true,
    description = "Keeps an NVMe disk busy and measures. Patterns that write need --yes.")
final class NvmePerfCommand implements Runnable {
  @Mixin private final DeviceOption device = new DeviceOption();
  @Mixin private final NamespaceOption namespace = new NamespaceOption();
  @Mixin private final CompletionOption completion = new CompletionOption();

  @Option(
      names = "--queue-depth",
      paramLabel = "N",
      defaultValue = "32",
      description = "Commands in flight on each queue; default: ${DEFAULT-VALUE}.")
  private int queueDepth;

  @Option(
      names = "--queues",
      paramLabel = "N",
      defaultValue = "1",
      description = "Queue pairs, with a thread each; default: ${DEFAULT-VALUE}.")
  private int queues;

  @Option(
      names = "--block-size",
      paramLabel = "SIZE",
      defaultValue = "4K",
      description = "Bytes a command; default: ${DEFAULT-VALUE}.")
  private ByteSize blockSize;

  @Option(
      names = "--pattern",
      paramLabel = "PATTERN",
      defaultValue = "randread",
      description = "${COMPLETION-CANDIDATES}; default: ${DEFAULT-VALUE}.")
  private NvmeWorkload workload;

  @Option(
      names = "--seconds",
      paramLabel = "S",
      defaultValue = "5",
      description = "How long to measure, after a warm-up; default: ${DEFAULT-VALUE}.")
  private double seconds;

  @Option(names = "--yes", description = "Yes, overwrite what is on the disk.")
  private boolean yes;

  @Mixin private final Output output = new Output();
  @Spec private CommandSpec spec;

  @Override
  public void run() {
    check();
    NvmeOptions options =
        NvmeOptions.defaults().withCompletion(completion.how).withMaxQueues(queues);
    try (HeldDevice held = device.open(spec);
        NvmeController controller = held.openNvme(options)) {
      NvmeNamespace disk = controller.namespace(namespace.id.value());
      check(controller, disk);
      NvmeLoad load =
          new NvmeLoad(
              held,
              controller,
              disk,
              workload,
              (int) blockSize.bytes(),
              queueDepth,
              queues,
              completion.how);
      NvmeLoad.Result result = load.run(Duration.ofNanos((long) (seconds * 1e9)));
      output.print(json(result), out -> print(result, out));
    }
  }

  private void check() {
    if (workload.writes() && !yes) {
      throw new IllegalArgumentException(
          "pattern "
              + workload
              + " overwrites what is on the disk: say --yes if it may; nothing was written");
    }
    if (queueDepth < 1 || queues < 1 || !(seconds > 0 && seconds <= 86_400)) {
      throw new IllegalArgumentException(
          "--queue-depth and --queues are 1 or more, --seconds is more than 0 and at most 86400");
    }
  }

  private void check(NvmeController controller, NvmeNamespace disk) {
    long block = blockSize.bytes();
    long largest = Math.min(controller.maxTransferBytes(), disk.sizeBytes());
    if (block < 1 || block % disk.blockSize() != 0 || block > largest) {
      throw new IllegalArgumentException(
          "--block-size is a multiple of the disk's block, %d bytes, and at most %d; not %d"
              .formatted(disk.blockSize(), largest, block));
    }
    if (queueDepth > controller.maxQueueDepth() || queues > controller.maxQueuePairs()) {
      throw new IllegalArgumentException(
          "the controller has %d queue pairs of at most %d commands"
              .formatted(controller.maxQueuePairs(), controller.maxQueueDepth()));
    }
  }

  private Map<String, Object> json(NvmeLoad.Result result) {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("pattern", workload.toString());
    json.put("blockSize", blockSize.bytes());
    json.put("queueDepth", queueDepth);
    json.put("queues", queues);
    json.put("completion", completion.how.name().toLowerCase(Locale.ROOT));
    json.put("seconds", result.seconds());
    json.put("ios", result.ios());
    json.put("iops", result.iops());
    json.put("mebibytesPerSecond", result.mebibytesPerSecond());
    Map<String, Object> latency = new LinkedHashMap<>();
    latency.put("average", result.averageMicros());
    latency.put("p50", result.latencyMicros(50));
    latency.put("p99", result.latencyMicros(99));
    latency.put("p99.9", result.latencyMicros(99.9));
    json.put("latencyMicros", latency);
    json.put("allocatedBytesPerIo", result.allocatedPerIo());
    json.put("cpuMicrosPerIo", result.cpuMicrosPerIo());
    return json;
  }

  static void print(NvmeLoad.Result result, PrintWriter out) {
    Table table = new Table();
    table.row("iops", "%.0f".formatted(result.iops()));
    table.row("throughput", "%.1f MiB/s".formatted(result.mebibytesPerSecond()));
    table.row("latency average", "%.1f us".formatted(result.averageMicros()));
    table.row("latency p50", "%.1f us".formatted(result.latencyMicros(50)));
    table.row("latency p99", "%.1f us".formatted(result.latencyMicros(99)));
    table.row("latency p99.9", "%.1f us".formatted(result.latencyMicros(99.9)));
    table.row("allocated per I/O", "%.2f bytes".formatted(result.allocatedPerIo()));
    table.row("CPU time per I/O", "%.2f us".formatted(result.cpuMicrosPerIo()));
    table.print(out);
  }
}
