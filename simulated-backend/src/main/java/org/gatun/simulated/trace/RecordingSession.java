package org.gatun.simulated.trace;

import java.util.ArrayList;
import java.util.List;
import org.gatun.pci.PciDevice;
import org.gatun.simulated.trace.Access.Kind;

/** What is being recorded. Its monitor guards all of it, memory too. */
final class RecordingSession implements Observer {
  /** A device that never stops writing is not waited for. */
  private static final int MOST_LOOKS = 1000;

  private final ShadowDmaSpace dma;
  private final List<ShadowMemory> memory = new ArrayList<>();
  private final List<RecordedLine> lines = new ArrayList<>();

  RecordingSession(PciDevice device) {
    this.dma = new ShadowDmaSpace(device.name(), device.dma(), this);
  }

  ShadowDmaSpace dma() {
    return dma;
  }

  synchronized List<RecordedLine> lines() {
    return List.copyOf(lines);
  }

  synchronized void add(ShadowMemory shadow) {
    memory.add(shadow);
  }

  /** When it returns, nothing looks at the memory any more. */
  synchronized void remove(ShadowMemory shadow) {
    memory.remove(shadow);
  }

  @Override
  public synchronized void before() {
    memory.forEach(ShadowMemory::push);
  }

  @Override
  public synchronized void waited() {
    for (int look = 0; look < MOST_LOOKS && lookOnce(); look++) {
      // What was written before the last that was found is found by the next look.
    }
    memory.forEach(shadow -> shadow.publish((access, data) -> add(access, data)));
  }

  @Override
  public void saw(Kind kind, int space, long address, long length, long value) {
    if (kind == Kind.CLOSE) {
      dma.close();
    }
    synchronized (this) {
      if (kind.replayedInOrder()) {
        memory.forEach(shadow -> shadow.tellDriverWrites((access, data) -> add(access, data)));
      }
      add(new Access(kind, space, address, length, value));
      waited();
    }
  }

  private boolean lookOnce() {
    boolean found = false;
    for (ShadowMemory shadow : memory) {
      found |= shadow.look();
    }
    return found;
  }

  private void add(Access access, byte[] data) {
    lines.add(RecordedLine.of(access, data));
  }

  /**
   * Equal reads are counted, all of them: a poll is read again until it says something new, but
   * each read of a FIFO takes a word out.
   */
  private void add(Access access) {
    if (!lines.isEmpty() && lines.getLast().isAgain(access)) {
      lines.set(lines.size() - 1, lines.getLast().again());
    } else {
      lines.add(RecordedLine.of(access));
    }
  }
}
