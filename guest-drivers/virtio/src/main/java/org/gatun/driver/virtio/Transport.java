package org.gatun.driver.virtio;

import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceProtocolException;
import org.gatun.pci.DeviceTimeoutException;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.Interrupts;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PciException;
import org.gatun.pci.TimeSource;
import org.gatun.pci.Vector;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.pci.config.PciId;
import org.gatun.pci.spi.Failures;
import org.gatun.specs.virtio.VirtioCommon;
import org.gatun.specs.virtio.VirtioFeature;
import org.gatun.specs.virtio.VirtioPci;
import org.gatun.specs.virtio.VirtioType;
import org.jspecify.annotations.Nullable;

/**
 * What drivers of all types have in common: finding what is where, agreeing on features, queues,
 * interrupts. One thread at a time, except for {@link #close}.
 */
final class Transport implements AutoCloseable {
  private static final System.Logger LOGGER = System.getLogger(Transport.class.getName());

  private static final Duration LOOK = Duration.ofNanos(100_000);

  /**
   * VIRTIO_F_ORDER_PLATFORM (6.1): what orders accesses of memory is to do so for a device, too,
   * and not only for other processors. On x86-64 what {@link Virtqueue} does is enough: stores
   * become visible to all in their order, loads are made in theirs, a full fence is between a store
   * and a later load, and the store to a doorbell, which is uncached, comes after all before it.
   * Elsewhere it is as good as what {@link Mmio} says of the order there.
   */
  private static final long ORDER_PLATFORM = 1L << 36;

  /** 4.1.4.3.2: what else must be accepted by who knows it, or does no harm. */
  private static final long TRANSPORT_FEATURES =
      VirtioFeature.VERSION_1
          | VirtioFeature.ACCESS_PLATFORM
          | ORDER_PLATFORM
          | VirtioFeature.INDIRECT_DESCRIPTORS;

  private static final int PAGE = 4096;

  private final PciDevice device;
  private final VirtioOptions options;

  /** Where its registers are. */
  private final List<Mmio> mappings;

  /** What it may reach, until it is stopped. */
  private final List<DmaBuffer> buffers = new ArrayList<>();

  private final Mmio common;
  private final Mmio notify;
  private final int notifyMultiplier;

  private final List<Virtqueue> queues = new ArrayList<>();
  private List<Vector> vectors = List.of();
  private @Nullable Mmio isr;

  /** Whether the pin was disabled by us: what others have done stays. */
  private boolean silenced;

  /** Whether it was: what another driver has opened since is not ours to close. */
  private boolean closed;

  private long features;

  private Transport(PciDevice device, VirtioOptions options, List<Mmio> mappings) {
    this.device = device;
    this.options = options;
    this.mappings = mappings;
    Structure notification = Structure.find(device, VirtioPci.NOTIFY_CONFIG, Short.BYTES);
    this.notifyMultiplier =
        device.config().read32(notification.capability() + VirtioPci.NOTIFY_MULTIPLIER);
    this.common = map(VirtioPci.COMMON_CONFIG, VirtioCommon.SIZE);
    this.notify = keep(notification.map(device, notification.length()));
  }

  /**
   * Resets the device, and agrees on features (3.1.1).
   *
   * @param wanted features of the type that the driver knows
   * @param queueCount queues that the driver uses
   * @throws DeviceProtocolException if it is no such device, or does not behave like one
   * @throws DeviceTimeoutException if it does not become reset
   */
  static Transport open(
      PciDevice device, VirtioType type, VirtioOptions options, long wanted, int queueCount) {
    PciId id = device.id();
    if (id.vendor() != VirtioPci.VENDOR_ID || id.device() != type.deviceId()) {
      throw new DeviceProtocolException(
          device.name(),
          "this is no modern virtio device of type %s: its id is %s".formatted(type, id),
          "name a device with the id %04x:%04x".formatted(VirtioPci.VENDOR_ID, type.deviceId()),
          null);
    }
    Transport transport = map(device, options);
    try {
      transport.agree(wanted);
      device.busMaster(true);
      transport.enableInterrupts(queueCount);
      return transport;
    } catch (RuntimeException | Error e) {
      transport.closeAfter(e);
      throw e;
    }
  }

  private static Transport map(PciDevice device, VirtioOptions options) {
    List<Mmio> mappings = new ArrayList<>();
    try {
      return new Transport(device, options, mappings);
    } catch (RuntimeException | Error e) {
      Failures failures = new Failures();
      failures.add(e);
      mappings.reversed().forEach(mapping -> failures.attempt(mapping::close));
      throw e;
    }
  }

  private Mmio map(int type, long size) {
    return keep(Structure.find(device, type, size).map(device, size));
  }

  private Mmio keep(Mmio mapping) {
    mappings.add(mapping);
    return mapping;
  }

  private void agree(long wanted) {
    reset();
    setStatus(VirtioCommon.ACKNOWLEDGE);
    setStatus(VirtioCommon.DRIVER);
    common.write32(VirtioCommon.DEVICE_FEATURE_SELECT, 0);
    long offered = Integer.toUnsignedLong(common.read32(VirtioCommon.DEVICE_FEATURE));
    common.write32(VirtioCommon.DEVICE_FEATURE_SELECT, 1);
    offered |= Integer.toUnsignedLong(common.read32(VirtioCommon.DEVICE_FEATURE)) << 32;
    if ((offered & VirtioFeature.VERSION_1) == 0) {
      throw protocol("it offers features 0x%x, without VIRTIO_F_VERSION_1".formatted(offered));
    }
    if ((offered & VirtioFeature.ACCESS_PLATFORM) == 0) {
      // 6.1: it takes addresses for physical ones, so what we call a bus address is anybody's.
      throw new DeviceProtocolException(
          name(),
          "it reaches memory past the IOMMU: it does not offer VIRTIO_F_ACCESS_PLATFORM",
          "have it go through: QEMU's iommu_platform=on",
          null);
    }
    // With indices a driver says which interrupt it wants next, and can't say that it wants none.
    long events = polls() ? 0 : VirtioFeature.EVENT_INDEX;
    features = offered & (wanted | TRANSPORT_FEATURES | events);
    common.write32(VirtioCommon.DRIVER_FEATURE_SELECT, 0);
    common.write32(VirtioCommon.DRIVER_FEATURE, (int) features);
    common.write32(VirtioCommon.DRIVER_FEATURE_SELECT, 1);
    common.write32(VirtioCommon.DRIVER_FEATURE, (int) (features >>> 32));
    setStatus(VirtioCommon.FEATURES_OK);
    if ((status() & VirtioCommon.FEATURES_OK) == 0) {
      throw protocol("it does not accept the features 0x%x, which it offers".formatted(features));
    }
  }

  private void enableInterrupts(int queueCount) {
    Interrupts interrupts = device.interrupts();
    switch (options.completion()) {
      // That it wants none is a wish (2.7.7), and its configuration may change at any time: nobody
      // would take the pin back, which others may share a line with.
      case POLL -> silenced = disablePin(true);
      case INTX -> {
        check(interrupts.count(Interrupts.Kind.INTX) > 0, "no interrupt pin");
        isr = map(VirtioPci.ISR_CONFIG, 1);
        disablePin(false);
        vectors = interrupts.enable(Interrupts.Kind.INTX, 1);
      }
      case MSIX -> {
        check(
            interrupts.count(Interrupts.Kind.MSIX) >= queueCount,
            "fewer MSI-X vectors than queues");
        vectors = interrupts.enable(Interrupts.Kind.MSIX, queueCount);
      }
    }
  }

  /**
   * Interrupt Disable (PCI Local Bus Specification 3.0, 6.2.2). Who filters config space may leave
   * such a write out.
   *
   * @return whether it was otherwise before
   */
  private boolean disablePin(boolean on) {
    ConfigSpace config = device.config();
    int command = config.read16(ConfigRegisters.COMMAND);
    int wanted =
        on
            ? command | ConfigRegisters.COMMAND_INTX_DISABLE
            : command & ~ConfigRegisters.COMMAND_INTX_DISABLE;
    if (wanted == command || command == 0xffff) { // all ones: nothing answers
      return false;
    }
    config.write16(ConfigRegisters.COMMAND, wanted);
    return true;
  }

  private boolean polls() {
    return options.completion() == Completion.POLL;
  }

  private void check(boolean has, String lack) {
    if (!has) {
      throw new IllegalArgumentException(
          "%s: the device has %s: choose another completion".formatted(device.name(), lack));
    }
  }

  DeviceName name() {
    return device.name();
  }

  TimeSource time() {
    return options.time();
  }

  Duration timeout() {
    return options.timeout();
  }

  boolean has(long feature) {
    return (features & feature) != 0;
  }

  /**
   * The device's own configuration. What there is of it depends on features (2.5.1).
   *
   * @param size in bytes, as far as those that were agreed on go
   * @throws DeviceProtocolException if it is shorter
   */
  Mmio config(long size) {
    return map(VirtioPci.DEVICE_CONFIG, size);
  }

  /** 4.1.4.3.1: what changes between two reads has another generation. */
  long read64(Mmio own, int offset) {
    long deadline = time().nanoTime() + TimeSource.saturatedNanos(timeout());
    while (true) {
      int before = common.read8(VirtioCommon.CONFIG_GENERATION);
      long low = Integer.toUnsignedLong(own.read32(offset));
      long high = Integer.toUnsignedLong(own.read32(offset + 4));
      if (common.read8(VirtioCommon.CONFIG_GENERATION) == before) {
        return low | (high << 32);
      }
      if (time().nanoTime() >= deadline) {
        throw protocol("its configuration changes and changes");
      }
      time().spin();
    }
  }

  /**
   * Makes a queue, before {@link #start}.
   *
   * @param descriptors that a request takes at most
   * @throws DeviceProtocolException if the device has no such queue
   * @throws org.gatun.pci.DmaException if there is no memory for it
   */
  Virtqueue queue(int index, int descriptors) {
    common.write16(VirtioCommon.QUEUE_SELECT, index);
    int most = common.read16(VirtioCommon.QUEUE_SIZE);
    int size = Math.min(Integer.highestOneBit(most), options.queueSize());
    boolean indirect = has(VirtioFeature.INDIRECT_DESCRIPTORS);
    if (size < descriptors) { // 2.7.5.3.1: nor is a table longer than its queue
      throw protocol("its queue %d has %d entries".formatted(index, most));
    }
    common.write16(VirtioCommon.QUEUE_SIZE, size);
    Virtqueue.Doorbell doorbell = doorbell(index);
    Virtqueue queue =
        new Virtqueue(
            device.name(),
            bytes -> allocate(bytes, PAGE),
            size,
            descriptors,
            indirect,
            has(VirtioFeature.EVENT_INDEX),
            doorbell);
    queues.add(queue);
    if (polls()) {
      queue.refuseInterrupts();
    }
    write64(VirtioCommon.QUEUE_DESCRIPTORS, queue.descriptors());
    write64(VirtioCommon.QUEUE_AVAILABLE, queue.available());
    write64(VirtioCommon.QUEUE_USED, queue.used());
    if (options.completion() == Completion.MSIX) {
      common.write16(VirtioCommon.QUEUE_VECTOR, index);
      // 4.1.5.1.2.2: it may have none left.
      if (common.read16(VirtioCommon.QUEUE_VECTOR) != index) {
        throw protocol("it has no interrupt vector for queue " + index);
      }
    }
    common.write16(VirtioCommon.QUEUE_ENABLE, 1);
    return queue;
  }

  private Virtqueue.Doorbell doorbell(int index) {
    long offset =
        (long) common.read16(VirtioCommon.QUEUE_NOTIFY_OFFSET)
            * Integer.toUnsignedLong(notifyMultiplier);
    if (offset % Short.BYTES != 0 || offset > notify.size() - Short.BYTES) {
      throw protocol("queue %d is notified at 0x%x, outside".formatted(index, offset));
    }
    return new Virtqueue.Doorbell(notify, offset, index);
  }

  private void write64(int register, long value) {
    common.write32(register, (int) value);
    common.write32(register + 4, (int) (value >>> 32));
  }

  /** DMA memory that is freed once the device is stopped. */
  DmaBuffer allocate(long bytes, long alignment) {
    DmaBuffer buffer = device.dma().allocate(bytes, alignment);
    buffers.add(buffer);
    return buffer;
  }

  /**
   * Why a request is not done: {@link #await} has said so.
   *
   * @throws DeviceProtocolException if the device says that it has lost its way
   */
  DeviceTimeoutException timedOut(String operation) {
    if (Thread.currentThread().isInterrupted()) {
      return new DeviceTimeoutException(
          name(), operation + ": the thread was interrupted", null, null);
    }
    checkSound();
    return new DeviceTimeoutException(
        name(),
        operation + " has not ended after " + timeout().toMillis() + " ms",
        "close the driver, and open it anew: that resets the device",
        null);
  }

  /** From now on the device uses its queues. */
  void start() {
    setStatus(VirtioCommon.DRIVER_OK);
    checkSound();
  }

  /**
   * Waits until a queue has something.
   *
   * @param limit how long at most
   * @return whether it has
   */
  boolean await(Virtqueue queue, Duration limit) {
    long deadline = time().nanoTime() + TimeSource.saturatedNanos(limit);
    while (!queue.hasUsed()) {
      long left = deadline - time().nanoTime();
      if (left <= 0 || Thread.currentThread().isInterrupted()) {
        return false;
      }
      if (vectors.isEmpty()) {
        time().spin();
        continue;
      }
      Vector vector = vectors.get(vectors.size() == 1 ? 0 : queues.indexOf(queue));
      queue.wantInterrupt();
      if (!queue.hasUsed()) {
        vector.await(Duration.ofNanos(left));
      }
      acknowledge(vector);
    }
    return true;
  }

  private void acknowledge(Vector vector) {
    Mmio cause = isr;
    if (cause != null) {
      // The read takes the pin back (4.1.4.5); its value counts, or the read need not be made.
      if ((cause.read8(0) & VirtioPci.ISR_CONFIG_CHANGE) != 0) {
        checkSound();
      }
      vector.mask(false);
    }
  }

  /** 2.1.2: a device says that it has lost its way. */
  void checkSound() {
    int status = status();
    if (status == 0xff) {
      throw protocol("its status reads all ones: nothing answers");
    }
    if ((status & VirtioCommon.NEEDS_RESET) != 0) {
      throw protocol("it has met something that it can't go on from, and needs a reset");
    }
  }

  private int status() {
    return common.read8(VirtioCommon.STATUS);
  }

  private void setStatus(int more) {
    common.write8(VirtioCommon.STATUS, status() | more);
  }

  private void reset() {
    common.write8(VirtioCommon.STATUS, 0);
    if (!time().await(() -> status() == 0, timeout(), LOOK)) {
      throw new DeviceTimeoutException(
          name(),
          "its status still reads 0x%02x, %d ms after a reset"
              .formatted(status(), timeout().toMillis()),
          "reset the PCI device",
          null);
    }
  }

  DeviceProtocolException protocol(String problem) {
    return new DeviceProtocolException(name(), problem, "reset the device", null);
  }

  /** Closes this because of something that was thrown, which takes along what is thrown now. */
  void closeAfter(Throwable cause) {
    Failures failures = new Failures();
    failures.add(cause);
    failures.attempt(this::close);
  }

  /**
   * The device is stopped before its memory goes: by a reset (2.4: it uses no queue from then on),
   * and, whether or not it has heard that, by switching bus master off. If both fail, though the
   * device is there, its memory stays until the device is closed: freed memory is soon somebody
   * else's. Idempotent, from any thread.
   *
   * @throws PciException if it could not be stopped, or if something else went wrong
   */
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    Failures failures = new Failures();
    boolean stopped = stop(failures);
    failures.attemptUnlessGone(() -> device.interrupts().disable());
    if (stopped) {
      buffers.reversed().forEach(buffer -> failures.attempt(buffer::close));
    } else {
      queues.forEach(Virtqueue::abandon);
    }
    mappings.reversed().forEach(mapping -> failures.attempt(mapping::close));
    if (!stopped) {
      PciException alive =
          new PciException(
              name(),
              "it could be neither reset nor kept from memory, so what it may write stays"
                  + " allocated",
              "close the PCI device, and free the buffers of requests only after that",
              failures.first());
      LOGGER.log(Level.ERROR, alive.getMessage(), alive);
      throw alive;
    }
    failures.rethrow();
  }

  /** Whether it reaches no memory any more. */
  private boolean stop(Failures failures) {
    boolean reset = false;
    DeviceTimeoutException deaf = null;
    try {
      reset();
      reset = true;
    } catch (DeviceGoneException _) {
      // Closed or unplugged before us; or only its registers are, which bus master will show.
    } catch (DeviceTimeoutException e) {
      deaf = e;
    } catch (RuntimeException | Error e) {
      failures.add(e);
    }
    boolean cut = false;
    try {
      unlessGone(() -> device.busMaster(false));
      cut = true;
    } catch (RuntimeException | Error e) {
      failures.add(e);
    }
    if (deaf != null && !cut) {
      failures.add(deaf);
    }
    if (reset && silenced) { // or it may still assert its pin
      failures.attemptUnlessGone(() -> disablePin(false));
    }
    return reset || cut;
  }

  private static void unlessGone(Runnable step) {
    try {
      step.run();
    } catch (DeviceGoneException _) {
      // It is quiet.
    }
  }
}
