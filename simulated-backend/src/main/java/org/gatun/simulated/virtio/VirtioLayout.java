package org.gatun.simulated.virtio;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.gatun.pci.config.Capability;
import org.gatun.pci.config.PciClass;
import org.gatun.pci.config.PciId;
import org.gatun.simulated.CapabilityDescription;
import org.gatun.simulated.ConfigWindow;
import org.gatun.simulated.FunctionDescription;
import org.gatun.simulated.FunctionDescription.BarDescription;
import org.gatun.simulated.FunctionDescription.InterruptDescription;
import org.gatun.simulated.FunctionDescription.Msix;
import org.gatun.simulated.StandardCapabilities;
import org.gatun.specs.virtio.VirtioCommon;
import org.gatun.specs.virtio.VirtioPci;
import org.gatun.specs.virtio.VirtioType;

/** Where all is, as QEMU's devices have it. */
final class VirtioLayout {
  /** The BAR of all structures. */
  static final int BAR = 4;

  static final int MULTIPLIER = 4;

  static final long COMMON = 0x0000;
  static final long ISR = 0x1000;
  static final long DEVICE = 0x2000;
  static final long NOTIFY = 0x3000;
  private static final int PART = 0x1000;
  private static final long BAR_SIZE = 0x4000;

  /** The BAR of the MSI-X table. */
  private static final int TABLE_BAR = 1;

  private static final long TABLE_BAR_SIZE = 0x1000;
  private static final long PENDING = 0x800;
  private static final int REVISION = 1;
  private static final int SUBSYSTEM = 0x1100;

  private VirtioLayout() {}

  /** A vector for each queue, and one for changes of the configuration. */
  static int vectors(int queues) {
    return queues + 1;
  }

  static FunctionDescription function(VirtioType type, int queues) {
    return new FunctionDescription(
        new PciId(VirtioPci.VENDOR_ID, type.deviceId(), VirtioPci.VENDOR_ID, SUBSYSTEM),
        new PciClass(pciClass(type)),
        REVISION,
        List.of(
            BarDescription.trapped(TABLE_BAR, TABLE_BAR_SIZE, false),
            BarDescription.trapped(BAR, BAR_SIZE, true)),
        0,
        new InterruptDescription(
            1, 0, Optional.of(new Msix(vectors(queues), TABLE_BAR, 0, PENDING))),
        List.of(
            StandardCapabilities.expressEndpoint(true),
            structure(VirtioPci.COMMON_CONFIG, COMMON),
            structure(VirtioPci.ISR_CONFIG, ISR),
            structure(VirtioPci.DEVICE_CONFIG, DEVICE),
            notification(),
            window()),
        Set.of());
  }

  private static int pciClass(VirtioType type) {
    return switch (type) {
      case NETWORK -> 0x020000;
      case BLOCK -> 0x010000;
      case ENTROPY -> 0x00ff00;
    };
  }

  private static CapabilityDescription structure(int what, long offset) {
    return new CapabilityDescription(
        Capability.VENDOR_SPECIFIC,
        0,
        false,
        VirtioPci.CAPABILITY_SIZE,
        registers(VirtioPci.CAPABILITY_SIZE, what, offset));
  }

  private static CapabilityDescription notification() {
    List<CapabilityDescription.Register> registers =
        new ArrayList<>(registers(VirtioPci.LONG_CAPABILITY_SIZE, VirtioPci.NOTIFY_CONFIG, NOTIFY));
    registers.add(constant(VirtioPci.NOTIFY_MULTIPLIER, 4, MULTIPLIER));
    return new CapabilityDescription(
        Capability.VENDOR_SPECIFIC, 0, false, VirtioPci.LONG_CAPABILITY_SIZE, registers);
  }

  /** The driver says in it what it wants to access (4.1.4.9). */
  private static CapabilityDescription window() {
    return new CapabilityDescription(
        Capability.VENDOR_SPECIFIC,
        0,
        false,
        VirtioPci.LONG_CAPABILITY_SIZE,
        List.of(
            constant(VirtioPci.LENGTH, 1, VirtioPci.LONG_CAPABILITY_SIZE),
            constant(VirtioPci.TYPE, 1, VirtioPci.PCI_CONFIG),
            new CapabilityDescription.Register(VirtioPci.BAR, 1, 0, 0xff, 0),
            new CapabilityDescription.Register(VirtioPci.OFFSET, 4, 0, -1, 0),
            new CapabilityDescription.Register(VirtioPci.SIZE, 4, 0, -1, 0),
            new CapabilityDescription.Register(VirtioPci.WINDOW, 4, 0, -1, 0)),
        List.of(),
        Optional.of(
            new ConfigWindow(VirtioPci.BAR, VirtioPci.OFFSET, VirtioPci.SIZE, VirtioPci.WINDOW)));
  }

  private static List<CapabilityDescription.Register> registers(int length, int what, long offset) {
    return List.of(
        constant(VirtioPci.LENGTH, 1, length),
        constant(VirtioPci.TYPE, 1, what),
        constant(VirtioPci.BAR, 1, BAR),
        constant(VirtioPci.OFFSET, 4, (int) offset),
        constant(VirtioPci.SIZE, 4, what == VirtioPci.COMMON_CONFIG ? VirtioCommon.SIZE : PART));
  }

  private static CapabilityDescription.Register constant(int offset, int width, int value) {
    return new CapabilityDescription.Register(offset, width, value, 0, 0);
  }
}
