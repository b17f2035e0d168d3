package org.gatun.benchmarks.nvme;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import org.HdrHistogram.Histogram;
import org.gatun.benchmarks.CBaseline;

/** The initiator in C: a run is one call. */
final class CReader implements RandomReader {
  private static final SymbolLookup LIBRARY = CBaseline.library("initiator.c");

  private static final MethodHandle READS =
      CBaseline.function(
          LIBRARY, "random_reads", FunctionDescriptor.of(JAVA_LONG, ADDRESS, JAVA_LONG));

  private static final MethodHandle TIMED_READS =
      CBaseline.function(
          LIBRARY,
          "timed_random_reads",
          FunctionDescriptor.of(JAVA_LONG, ADDRESS, JAVA_LONG, ADDRESS, ADDRESS));

  /** {@code struct initiator} of initiator.c. */
  private static final StructLayout INITIATOR =
      MemoryLayout.structLayout(
          ADDRESS.withName("sq"),
          ADDRESS.withName("cq"),
          ADDRESS.withName("tail_doorbell"),
          ADDRESS.withName("head_doorbell"),
          JAVA_LONG.withName("data"),
          ADDRESS.withName("blocks"),
          JAVA_LONG.withName("random"),
          JAVA_LONG.withName("mask"),
          JAVA_INT.withName("lbas"),
          JAVA_INT.withName("depth"),
          JAVA_INT.withName("completion_entries"),
          JAVA_INT.withName("batch"),
          JAVA_INT.withName("tail"),
          JAVA_INT.withName("head"),
          JAVA_INT.withName("phase"),
          JAVA_INT.withName("unacknowledged"));

  private final Target target;
  private final int firstPage;
  private final int depth;
  private final MemorySegment initiator = Arena.ofAuto().allocate(INITIATOR);
  private final MemorySegment blocks;

  CReader(Target target, RawController controller, int queue, int depth) {
    this.target = target;
    this.firstPage = queue * depth;
    this.depth = depth;
    this.blocks = Arena.ofAuto().allocate(JAVA_LONG, depth);
    initiator.set(ADDRESS, offset("sq"), controller.submissions(queue));
    initiator.set(ADDRESS, offset("cq"), controller.completions(queue));
    initiator.set(ADDRESS, offset("tail_doorbell"), controller.tailDoorbell(queue));
    initiator.set(ADDRESS, offset("head_doorbell"), controller.headDoorbell(queue));
    initiator.set(
        JAVA_LONG, offset("data"), target.data().busAddress() + (long) firstPage * Target.BLOCK);
    initiator.set(ADDRESS, offset("blocks"), blocks);
    initiator.set(JAVA_LONG, offset("random"), SEED + queue);
    initiator.set(JAVA_LONG, offset("mask"), target.blocks() - 1L);
    initiator.set(JAVA_INT, offset("lbas"), target.lbas());
    initiator.set(JAVA_INT, offset("depth"), depth);
    int completionEntries = controller.completionEntries();
    initiator.set(JAVA_INT, offset("completion_entries"), completionEntries);
    initiator.set(JAVA_INT, offset("batch"), Math.max(1, completionEntries - depth - 1));
    initiator.set(JAVA_INT, offset("phase"), 1);
  }

  @Override
  public void read(long count) {
    try {
      check((long) READS.invokeExact(initiator, count), count);
    } catch (Throwable e) {
      throw failed(e);
    }
  }

  @Override
  public void read(int count, Histogram histogram) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment latencies = arena.allocate(JAVA_INT, count);
      MemorySegment started = arena.allocate(JAVA_LONG, depth);
      check((long) TIMED_READS.invokeExact(initiator, (long) count, latencies, started), count);
      for (int i = 0; i < count; i++) {
        histogram.recordValue(latencies.getAtIndex(JAVA_INT, i));
      }
    } catch (Throwable e) {
      throw failed(e);
    }
  }

  private void check(long failed, long count) {
    if (failed > 0) {
      throw new IllegalStateException(failed + " reads failed");
    }
    for (int slot = 0; slot < Math.min(depth, count); slot++) {
      target.check(firstPage + slot, blocks.getAtIndex(JAVA_LONG, slot));
    }
  }

  private static IllegalStateException failed(Throwable e) {
    return e instanceof IllegalStateException known
        ? known
        : new IllegalStateException("calling C", e);
  }

  private static long offset(String field) {
    return INITIATOR.byteOffset(PathElement.groupElement(field));
  }
}
