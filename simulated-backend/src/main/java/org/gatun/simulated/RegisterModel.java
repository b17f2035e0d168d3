package org.gatun.simulated;

import java.util.List;
import java.util.function.Consumer;

/**
 * A device that is its registers, and what happens when they are read and written. Small ones are
 * about 50 lines: {@code docs/first-model.md} makes one.
 *
 * @param registers behind each BAR that has some; what is between them reads as zeros
 * @param behaviour is given each device that is plugged in, before anybody can access it: it says
 *     there what is to happen. It keeps what a device knows besides its registers in variables of
 *     its own, one for each call
 */
public record RegisterModel(
    FunctionDescription description,
    List<RegisterMap> registers,
    Consumer<RegisterDevice> behaviour)
    implements DeviceModel {
  /**
   * Copies the list.
   *
   * @throws IllegalArgumentException if registers are not in their BAR, or there are two maps for
   *     one
   */
  public RegisterModel {
    registers = List.copyOf(registers);
    registers.forEach(map -> map.checkFits(description));
    if (registers.stream().map(RegisterMap::bar).distinct().count() < registers.size()) {
      throw new IllegalArgumentException("there are two register maps for one BAR");
    }
  }

  @Override
  public RunningModel start(ModelContext context) {
    RegisterDevice device = new RegisterDevice(context, registers);
    behaviour.accept(device);
    return device.running();
  }
}
