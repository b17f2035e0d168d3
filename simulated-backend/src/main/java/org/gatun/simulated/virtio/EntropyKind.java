package org.gatun.simulated.virtio;

import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.random.RandomGenerator;
import org.gatun.specs.virtio.VirtioType;

/** A source of entropy (5.4): fills what it is given. */
public final class EntropyKind implements VirtioKind {
  /** The most that it gives for one buffer; it may be less than what that takes (5.4.6.1). */
  private static final int MOST = 1 << 16;

  private final RandomGenerator random;

  /** One that has its bytes from there. */
  public EntropyKind(RandomGenerator random) {
    this.random = random;
  }

  @Override
  public VirtioType type() {
    return VirtioType.ENTROPY;
  }

  @Override
  public long features() {
    return 0;
  }

  @Override
  public MemorySegment config() {
    return MemorySegment.NULL;
  }

  @Override
  public int queues() {
    return 1;
  }

  @Override
  public void started(VirtioDevice device) {}

  @Override
  public void notified(VirtioDevice device, int queue) {
    for (Optional<Chain> next = device.take(queue); next.isPresent(); next = device.take(queue)) {
      Chain chain = next.get();
      byte[] bytes = new byte[(int) Math.min(chain.writable(), MOST)];
      random.nextBytes(bytes);
      chain.write(MemorySegment.ofArray(bytes), 0, bytes.length);
      device.give(queue, chain);
    }
  }

  @Override
  public void reset() {}

  @Override
  public void close() {}
}
