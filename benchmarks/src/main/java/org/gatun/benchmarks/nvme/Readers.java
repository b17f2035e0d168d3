package org.gatun.benchmarks.nvme;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * The queue pairs of a controller that was brought up for them.
 *
 * @param all for one thread each
 * @param shutdown of the controller
 */
record Readers(List<RandomReader> all, Runnable shutdown) implements AutoCloseable {
  /**
   * Reads so many blocks on each queue pair, with a thread for each.
   *
   * @return reads a second, of all together
   */
  double rate(long count) throws InterruptedException, ExecutionException {
    if (all.size() == 1) {
      long start = System.nanoTime();
      all.getFirst().read(count);
      return count * 1e9 / (System.nanoTime() - start);
    }
    try (ExecutorService threads = Executors.newFixedThreadPool(all.size())) {
      List<Callable<Void>> reads = new ArrayList<>();
      for (RandomReader reader : all) {
        reads.add(
            () -> {
              reader.read(count);
              return null;
            });
      }
      long start = System.nanoTime();
      for (Future<Void> done : threads.invokeAll(reads)) {
        done.get();
      }
      return count * all.size() * 1e9 / (System.nanoTime() - start);
    }
  }

  @Override
  public void close() {
    shutdown.run();
  }
}
