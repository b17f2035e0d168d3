package org.gatun.simulated.trace;

import java.time.Duration;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;

/**
 * Writes down a session of a driver with a device, of any backend, so that it can be played again.
 *
 * <pre>{@code
 * Recorder recorder = new Recorder(Backends.open(name), TimeSource.system());
 * try (PciDevice device = recorder.device();
 *     MyDriver driver = MyDriver.open(device, recorder.time())) {
 *   ...
 * }
 * recorder.recording().save(Path.of("session.recording"));
 * }</pre>
 *
 * <p>Nobody can watch a device's DMA. So the driver gets other memory than the device, and each
 * time that it reaches the device, waits for an interrupt, or uses the clock, what either of them
 * has written is looked for and copied: to the driver, only when a look finds nothing more, since a
 * device writes its data before it says that they are there. That needs a driver that takes its
 * clock from {@link #time}, and that one thread uses at a time; it takes time for each page of DMA
 * memory, and memory for all that it has written down. A device that reads memory without being
 * told to may find half of what the driver has written.
 */
public final class Recorder {
  private final RecordedDevice described;
  private final RecordingSession session;
  private final PciDevice device;
  private final TimeSource time;

  /**
   * @param device is taken over: closing {@link #device} closes it, too
   * @param time the clock of the device's bus
   */
  public Recorder(PciDevice device, TimeSource time) {
    this.described = RecordedDevice.of(device);
    this.session = new RecordingSession(device);
    this.device = new ObservedDevice(device, session, session.dma());
    this.time = new Watch(time, session);
  }

  /** The device, for the driver. Its BARs are trapped, whatever they were. */
  public PciDevice device() {
    return device;
  }

  /** Clock and waits, for the driver. */
  public TimeSource time() {
    return time;
  }

  /** What was written down so far: all of the session, when the device is closed. */
  public Recording recording() {
    return new Recording(described, session.lines());
  }

  private record Watch(TimeSource time, Observer observer) implements TimeSource {
    /**
     * Between looking at memory and waiting, drivers look at the clock: they see nothing new then.
     */
    @Override
    public long nanoTime() {
      return time.nanoTime();
    }

    @Override
    public void sleep(Duration duration) {
      observer.before();
      time.sleep(duration);
      observer.waited();
    }

    @Override
    public void spin() {
      observer.before();
      time.spin();
      observer.waited();
    }
  }
}
