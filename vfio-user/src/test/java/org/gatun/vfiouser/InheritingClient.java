package org.gatun.vfiouser;

import static org.assertj.core.api.Assertions.assertThatNoException;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.gatun.nativeaccess.Access;
import org.gatun.nativeaccess.EventFd;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.Mapping;
import org.gatun.nativeaccess.Memfd;
import org.gatun.nativeaccess.UnixSocket;
import org.gatun.pci.Bar;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.PciDevice;
import org.gatun.pci.SharedRange;
import org.gatun.simulated.SimulatedBus;
import org.gatun.vfiouser.Inherited.MappedRange;

/** A device on a bus of its own, served to a client that has inherited all that it gets. */
final class InheritingClient implements AutoCloseable {
  static final long SIZE = 16L << 20;
  private static final int EVENTS = 68;

  private final SimulatedBus bus = SimulatedBus.realTime();
  private final List<Runnable> resources = new ArrayList<>();
  private final DeviceName name;

  InheritingClient(String model) {
    name = bus.plug(model);
  }

  private <T extends AutoCloseable> T keep(T resource) {
    resources.add(() -> assertThatNoException().isThrownBy(resource::close));
    return resource;
  }

  /** As a new process, which is served when the one before has ended. */
  PciDevice open() {
    end();
    PciDevice device = keep(bus.open(name));
    List<EventFd> events =
        Stream.generate(() -> keep(EventFd.create("inherited"))).limit(EVENTS).toList();
    Memfd memory = keep(Memfd.create("inherited"));
    memory.resize(SIZE);
    memory.sealSize();
    long busAddress =
        device.dma().map(keep(memory.map(SIZE)).segment(), DmaDirection.BIDIRECTIONAL).busAddress();
    List<MappedRange> registers = new ArrayList<>();
    for (Bar bar : device.bars()) {
      for (Bar.Range range : bar.ranges()) {
        if (range.access() == Bar.Access.DIRECT) {
          bar.entrust(range).ifPresent(shared -> registers.add(map(bar, range, keep(shared))));
        }
      }
    }
    Inherited inherited =
        new Inherited(
            registers,
            busAddress,
            keep(memory.map(SIZE)),
            events.stream().map(EventFd::fd).toList());
    UnixSocket.Pair pair = UnixSocket.pair();
    keep(DeviceExport.serve(device, pair.first(), ExportOptions.withInherited(events)));
    return keep(new VfioUserBackend().open(device.name(), pair.second(), inherited));
  }

  private MappedRange map(Bar bar, Bar.Range range, SharedRange shared) {
    Fd file = shared.unwrap(Fd.class).orElseThrow();
    return new MappedRange(
        bar.index(),
        range.offset(),
        keep(Mapping.map(file, shared.offset(), range.length(), Access.READ_WRITE)));
  }

  private void end() {
    resources.reversed().forEach(Runnable::run);
    resources.clear();
  }

  @Override
  public void close() {
    end();
    bus.close();
  }
}
