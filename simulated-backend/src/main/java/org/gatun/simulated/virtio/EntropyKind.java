package org.gatun.simulated.virtio;

import java.lang.foreign.MemorySegment;
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
    device.useEach(queue, this::fill);
  }

  private void fill(Chain chain) {
    byte[] bytes = new byte[(int) Math.min(chain.writable(), MOST)];
    random.nextBytes(bytes);
    chain.write(MemorySegment.ofArray(bytes), 0, bytes.length);
  }

  @Override
  public void reset() {}

  @Override
  public void close() {}
}
