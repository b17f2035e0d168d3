package org.gatun.simulated;

import java.util.Random;
import org.gatun.simulated.virtio.EntropyKind;
import org.gatun.simulated.virtio.VirtioDevice;
import org.gatun.specs.virtio.VirtioType;

/**
 * A source of entropy (Virtual I/O Device, Version 1.2, 5.4). What it gives is not random: tests
 * are to be repeated.
 *
 * @param seed by which it gives the same each time that it is plugged in
 */
public record VirtioEntropyModel(long seed) implements DeviceModel {
  @Override
  public FunctionDescription description() {
    return VirtioDevice.description(VirtioType.ENTROPY, 1);
  }

  @Override
  public RunningModel start(ModelContext context) {
    return VirtioDevice.start(new EntropyKind(new Random(seed)), context);
  }
}
