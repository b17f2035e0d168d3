package org.gatun.simulated.virtio;

import java.lang.System.Logger.Level;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import org.gatun.simulated.DmaPort;
import org.gatun.simulated.FunctionDescription;
import org.gatun.simulated.ModelContext;
import org.gatun.simulated.Register;
import org.gatun.simulated.RegisterDevice;
import org.gatun.simulated.RegisterMap;
import org.gatun.simulated.RegisterModel;
import org.gatun.simulated.RunningModel;
import org.gatun.simulated.fault.Effect;
import org.gatun.simulated.fault.Fault;
import org.gatun.specs.virtio.VirtioCommon;
import org.gatun.specs.virtio.VirtioFeature;
import org.gatun.specs.virtio.VirtioPci;
import org.gatun.specs.virtio.VirtioType;

/**
 * What all virtio devices have in common: the common configuration, the queues, interrupts. The
 * lock of its {@link RegisterDevice} guards it.
 */
public final class VirtioDevice {
  private static final System.Logger LOG = System.getLogger(VirtioDevice.class.getName());

  /** Entries of each queue. */
  private static final int ENTRIES = 256;

  /** Pieces of the device's own configuration, which is read in any width. */
  private static final int CONFIG_PIECE = 8;

  // The common configuration. All of it is of a queue, of a half of the features, or acts.

  private static final Register DEVICE_FEATURE_SELECT =
      Register.at("device_feature_select", VirtioCommon.DEVICE_FEATURE_SELECT, 4).allReadWrite();
  private static final Register DEVICE_FEATURE =
      Register.at("device_feature", VirtioCommon.DEVICE_FEATURE, 4);
  private static final Register DRIVER_FEATURE_SELECT =
      Register.at("driver_feature_select", VirtioCommon.DRIVER_FEATURE_SELECT, 4).allReadWrite();
  private static final Register DRIVER_FEATURE =
      Register.at("driver_feature", VirtioCommon.DRIVER_FEATURE, 4);
  private static final Register CONFIG_VECTOR =
      Register.at("config_msix_vector", VirtioCommon.CONFIG_VECTOR, 2)
          .allReadWrite()
          .reset(VirtioPci.NO_VECTOR);
  private static final Register QUEUES = Register.at("num_queues", VirtioCommon.QUEUES, 2);
  private static final Register STATUS = Register.at("device_status", VirtioCommon.STATUS, 1);
  private static final Register GENERATION =
      Register.at("config_generation", VirtioCommon.CONFIG_GENERATION, 1);
  private static final Register QUEUE_SELECT =
      Register.at("queue_select", VirtioCommon.QUEUE_SELECT, 2).allReadWrite();
  private static final Register QUEUE_SIZE = Register.at("queue_size", VirtioCommon.QUEUE_SIZE, 2);
  private static final Register QUEUE_VECTOR =
      Register.at("queue_msix_vector", VirtioCommon.QUEUE_VECTOR, 2);
  private static final Register QUEUE_ENABLE =
      Register.at("queue_enable", VirtioCommon.QUEUE_ENABLE, 2);
  private static final Register QUEUE_NOTIFY_OFFSET =
      Register.at("queue_notify_off", VirtioCommon.QUEUE_NOTIFY_OFFSET, 2);

  /** Halves: a driver may write them as such (4.1.3.1). */
  private static final List<Register> QUEUE_ADDRESSES =
      List.of(
          Register.at("queue_desc", VirtioCommon.QUEUE_DESCRIPTORS, 4),
          Register.at("queue_desc, upper half", VirtioCommon.QUEUE_DESCRIPTORS + 4, 4),
          Register.at("queue_driver", VirtioCommon.QUEUE_AVAILABLE, 4),
          Register.at("queue_driver, upper half", VirtioCommon.QUEUE_AVAILABLE + 4, 4),
          Register.at("queue_device", VirtioCommon.QUEUE_USED, 4),
          Register.at("queue_device, upper half", VirtioCommon.QUEUE_USED + 4, 4));

  private static final Register ISR =
      Register.at("isr", VirtioLayout.ISR, 1)
          .readToClear(VirtioPci.ISR_QUEUE | VirtioPci.ISR_CONFIG_CHANGE);

  private final RegisterDevice device;
  private final VirtioKind kind;
  private final long offered;
  private final List<VirtioQueue> queues = new ArrayList<>();
  private long accepted;
  private int status;
  private int generation;

  /** Chains that may be taken before others have a turn: a driver can add them without end. */
  private int budget;

  /** Chains that were taken, ever. */
  private long taken;

  /** Queues that have another turn coming. */
  private final BitSet waiting = new BitSet();

  /** What a device of that type shows. */
  public static FunctionDescription description(VirtioType type, int queues) {
    return VirtioLayout.function(type, queues);
  }

  /** Powers a device of that kind up. */
  public static RunningModel start(VirtioKind kind, ModelContext context) {
    return new RegisterModel(
            VirtioLayout.function(kind.type(), kind.queues()),
            List.of(registers(kind)),
            device -> new VirtioDevice(device, kind))
        .start(context);
  }

  private static RegisterMap registers(VirtioKind kind) {
    List<Register> all =
        new ArrayList<>(
            List.of(
                DEVICE_FEATURE_SELECT,
                DEVICE_FEATURE,
                DRIVER_FEATURE_SELECT,
                DRIVER_FEATURE,
                CONFIG_VECTOR,
                QUEUES,
                STATUS,
                GENERATION,
                QUEUE_SELECT,
                QUEUE_SIZE,
                QUEUE_VECTOR,
                QUEUE_ENABLE,
                QUEUE_NOTIFY_OFFSET,
                ISR));
    all.addAll(QUEUE_ADDRESSES);
    for (int queue = 0; queue < kind.queues(); queue++) {
      all.add(notification(queue));
    }
    for (int offset = 0; offset < kind.config().byteSize(); offset += CONFIG_PIECE) {
      all.add(configuration(offset));
    }
    return new RegisterMap(VirtioLayout.BAR, all);
  }

  private static Register notification(int queue) {
    return Register.at(
        "notify " + queue, VirtioLayout.NOTIFY + (long) queue * VirtioLayout.MULTIPLIER, 2);
  }

  private static Register configuration(int offset) {
    return Register.at("config " + offset, VirtioLayout.DEVICE + offset, CONFIG_PIECE);
  }

  private VirtioDevice(RegisterDevice device, VirtioKind kind) {
    this.device = device;
    this.kind = kind;
    this.offered =
        kind.features()
            | VirtioFeature.VERSION_1
            | VirtioFeature.ACCESS_PLATFORM
            | VirtioFeature.INDIRECT_DESCRIPTORS
            | VirtioFeature.EVENT_INDEX;
    for (int i = 0; i < kind.queues(); i++) {
      queues.add(new VirtioQueue(device.dma(), ENTRIES));
    }
    device.onRead(DEVICE_FEATURE, () -> half(offered, device.get(DEVICE_FEATURE_SELECT)));
    device.onRead(DRIVER_FEATURE, () -> half(accepted, device.get(DRIVER_FEATURE_SELECT)));
    device.onWrite(DRIVER_FEATURE, this::accept);
    device.onRead(QUEUES, queues::size);
    device.onRead(STATUS, () -> status);
    device.onWrite(STATUS, value -> setStatus((int) value));
    device.onRead(GENERATION, () -> generation);
    ofQueue(QUEUE_SIZE, queue -> queue.size, (queue, value) -> queue.size = value);
    ofQueue(QUEUE_VECTOR, queue -> queue.vector, this::setVector);
    ofQueue(
        QUEUE_ENABLE,
        queue -> queue.enabled ? 1 : 0,
        (queue, value) -> queue.enabled |= value == 1);
    device.onRead(QUEUE_NOTIFY_OFFSET, () -> device.get(QUEUE_SELECT));
    device.onWrite(CONFIG_VECTOR, value -> device.set(CONFIG_VECTOR, possible((int) value)));
    addresses();
    for (int i = 0; i < queues.size(); i++) {
      int queue = i;
      device.onWrite(
          notification(i),
          _ -> {
            budget = ENTRIES;
            serve(queue);
          });
    }
    for (int offset = 0; offset < kind.config().byteSize(); offset += CONFIG_PIECE) {
      int at = offset;
      device.onRead(configuration(offset), () -> config(at));
    }
    device.onRead(ISR, this::readIsr);
    device.onReset(this::reset);
    device.onClose(kind::close);
    kind.started(this);
  }

  private long readIsr() {
    device.interrupt(0, false); // 4.1.4.5: a read takes the pin back
    return device.get(ISR);
  }

  private static long half(long features, long select) {
    return select == 0 ? features & 0xffff_ffffL : select == 1 ? features >>> 32 : 0;
  }

  private void accept(long value) {
    long select = device.get(DRIVER_FEATURE_SELECT);
    if (select == 0) {
      accepted = (accepted & ~0xffff_ffffL) | value;
    } else if (select == 1) {
      accepted = (accepted & 0xffff_ffffL) | (value << 32);
    }
  }

  @FunctionalInterface
  private interface Getter {
    int get(VirtioQueue queue);
  }

  @FunctionalInterface
  private interface Setter {
    void set(VirtioQueue queue, int value);
  }

  private void ofQueue(Register register, Getter getter, Setter setter) {
    device.onRead(register, () -> selected().map(getter::get).orElse(0));
    device.onWrite(register, value -> selected().ifPresent(q -> setter.set(q, (int) value)));
  }

  private void addresses() {
    for (int i = 0; i < QUEUE_ADDRESSES.size(); i++) {
      int which = i / 2;
      int shift = 32 * (i % 2);
      device.onRead(
          QUEUE_ADDRESSES.get(i),
          () -> selected().map(q -> address(q, which) >>> shift).orElse(0L));
      device.onWrite(
          QUEUE_ADDRESSES.get(i),
          value ->
              selected()
                  .ifPresent(
                      q -> {
                        long others = address(q, which) & ~(0xffff_ffffL << shift);
                        setAddress(q, which, others | (value << shift));
                      }));
    }
  }

  private static long address(VirtioQueue queue, int which) {
    return switch (which) {
      case 0 -> queue.descriptors;
      case 1 -> queue.available;
      default -> queue.used;
    };
  }

  private static void setAddress(VirtioQueue queue, int which, long address) {
    switch (which) {
      case 0 -> queue.descriptors = address;
      case 1 -> queue.available = address;
      default -> queue.used = address;
    }
  }

  private Optional<VirtioQueue> selected() {
    long select = device.get(QUEUE_SELECT);
    return select < queues.size() ? Optional.of(queues.get((int) select)) : Optional.empty();
  }

  private void setVector(VirtioQueue queue, int vector) {
    queue.vector = possible(vector);
  }

  /** 4.1.5.1.2.1: what can't be had reads as none. */
  private int possible(int vector) {
    return vector < VirtioLayout.vectors(queues.size()) ? vector : VirtioPci.NO_VECTOR;
  }

  private void setStatus(int value) {
    if (value == 0) {
      reset();
      return;
    }
    int wanted = value;
    boolean agreed = (accepted & ~offered) == 0 && (accepted & VirtioFeature.VERSION_1) != 0;
    if ((value & VirtioCommon.FEATURES_OK) != 0 && !agreed) {
      wanted &= ~VirtioCommon.FEATURES_OK;
    }
    status = wanted | (status & VirtioCommon.NEEDS_RESET);
  }

  private void reset() {
    status = 0;
    accepted = 0;
    queues.forEach(VirtioQueue::reset);
    device.set(CONFIG_VECTOR, VirtioPci.NO_VECTOR);
    device.set(ISR, 0);
    device.interrupt(0, false);
    kind.reset();
  }

  private long config(int offset) {
    MemorySegment config = kind.config();
    long value = 0;
    for (int i = 0; i < CONFIG_PIECE && offset + i < config.byteSize(); i++) {
      value |= (config.get(ValueLayout.JAVA_BYTE, offset + i) & 0xffL) << (8 * i);
    }
    return value;
  }

  /** The device's configuration is another one now. */
  void configChanged() {
    generation = (generation + 1) & 0xff;
    // 4.1.4.3.2: nothing is sent to a driver before it is ready.
    if ((status & VirtioCommon.DRIVER_OK) != 0) {
      interrupt(VirtioPci.ISR_CONFIG_CHANGE, (int) device.get(CONFIG_VECTOR));
    }
  }

  /** Has something done without the lock: for code of others. */
  void handOver(Runnable action) {
    device.handOver(action);
  }

  /** Does something soon, with the lock held, for what comes from elsewhere. Any thread. */
  void soon(Runnable action) {
    device.soon(
        () -> {
          budget = ENTRIES;
          action.run();
        });
  }

  /** The way to the host's memory. */
  DmaPort dma() {
    return device.dma();
  }

  private boolean has(long feature) {
    return (accepted & feature) != 0;
  }

  /** A chain that the driver has made available; empty if there is none, or it must not be used. */
  Optional<Chain> take(int number) {
    VirtioQueue queue = queues.get(number);
    while (isWorking(queue)) {
      if (budget == 0) {
        if (!waiting.get(number)) {
          waiting.set(number);
          soon(() -> serve(number));
        }
        break;
      }
      boolean kept = !queue.ready.isEmpty();
      Optional<Chain> next = kept ? Optional.of(queue.ready.remove()) : fromRing(number, queue);
      if (next.isEmpty()) {
        break;
      }
      budget--;
      taken++;
      if (kept || isToBeUsed(number, next.get())) {
        return next;
      }
    }
    return Optional.empty();
  }

  private Optional<Chain> fromRing(int number, VirtioQueue queue) {
    // A driver that has no more entries than the ring waits for those that are late.
    if (queue.late.size() >= queue.size) {
      return Optional.empty();
    }
    try {
      return queue.next(has(VirtioFeature.INDIRECT_DESCRIPTORS));
    } catch (VirtioQueue.BrokenException e) {
      breaks(number, e);
      return Optional.empty();
    }
  }

  /** Asks what is to go wrong with a chain, and whether it is nevertheless to be used now. */
  private boolean isToBeUsed(int number, Chain chain) {
    Effect effect = device.faultOf(Fault.command(number, 0));
    chain.effect(effect);
    switch (effect) {
      case Effect.Delay(Duration by) -> useLater(number, chain, by);
      case Effect.Fail _ -> needReset();
      case null, default -> {
        return true;
      }
    }
    return false;
  }

  private void useLater(int number, Chain chain, Duration by) {
    VirtioQueue queue = queues.get(number);
    queue.late.put(
        chain,
        device.after(
            by,
            () -> {
              if (queue.late.remove(chain) != null) {
                queue.ready.add(chain);
                budget = ENTRIES;
                serve(number);
              }
            }));
  }

  /** Takes all chains that there are, one after the other, and gives each back when it was used. */
  void useEach(int number, Consumer<Chain> use) {
    for (Optional<Chain> next = take(number); next.isPresent(); next = take(number)) {
      use.accept(next.get());
      give(number, next.get());
    }
  }

  /** Leaves a chain that was taken for later: it is the next to be taken. */
  void putBack(int number, Chain chain) {
    queues.get(number).ready.addFirst(chain);
  }

  /** Gives one back; or not, or wrongly, where that is to be. */
  void give(int number, Chain chain) {
    VirtioQueue queue = queues.get(number);
    switch (chain.effect()) {
      case Effect.Lose _ -> {}
      case Effect.Repeat(int times) -> {
        for (int i = 0; i <= times; i++) {
          queue.put(chain, 0);
        }
      }
      case Effect.Flip(long bits) -> queue.put(chain, bits);
      case null, default -> queue.put(chain, 0);
    }
  }

  private void breaks(int number, VirtioQueue.BrokenException e) {
    LOG.log(Level.DEBUG, "{0}: queue {1}: {2}", device.name(), number, e.getMessage());
    needReset();
  }

  /** 2.1.2: the device says so, and uses nothing more. */
  private void needReset() {
    status |= VirtioCommon.NEEDS_RESET;
    configChanged();
  }

  private boolean isWorking(VirtioQueue queue) {
    return queue.enabled
        && (status & VirtioCommon.DRIVER_OK) != 0
        && (status & VirtioCommon.NEEDS_RESET) == 0
        && queue.canHave(queue.size);
  }

  /** Uses what is there, asks to be notified of what comes, and interrupts if that is wanted. */
  void serve(int number) {
    waiting.clear(number);
    VirtioQueue queue = queues.get(number);
    if (!isWorking(queue)) {
      return;
    }
    // What came before the question was heard shows in another look: so until one finds nothing.
    long before;
    do {
      before = taken;
      kind.notified(this, number);
      queue.askForNotification(has(VirtioFeature.EVENT_INDEX));
    } while (taken != before && budget > 0 && isWorking(queue));
    if (taken != before) {
      kind.notified(this, number); // which sees to another turn
    }
    interruptFor(number);
  }

  /** Interrupts for what a queue has been given back, if that is wanted. */
  private void interruptFor(int number) {
    VirtioQueue queue = queues.get(number);
    try {
      if (isWorking(queue) && queue.isToInterrupt(has(VirtioFeature.EVENT_INDEX))) {
        interrupt(VirtioPci.ISR_QUEUE, queue.vector);
      }
    } catch (VirtioQueue.BrokenException e) {
      breaks(number, e);
    }
  }

  private void interrupt(int cause, int vector) {
    device.setBits(ISR, cause);
    if (device.hasMessageInterrupts()) {
      if (vector != VirtioPci.NO_VECTOR) {
        device.interrupt(vector, true);
      }
    } else {
      device.interrupt(0, true);
    }
  }
}
