package org.gatun.broker;

import java.util.List;
import java.util.Optional;
import org.gatun.pci.config.PciClass;
import org.gatun.pci.config.PciId;
import org.gatun.simulated.DeviceModel;
import org.gatun.simulated.FunctionDescription;
import org.gatun.simulated.FunctionDescription.BarDescription;
import org.gatun.simulated.FunctionDescription.InterruptDescription;
import org.gatun.simulated.FunctionDescription.Msix;
import org.gatun.simulated.ModelContext;
import org.gatun.simulated.RunningModel;

/**
 * The least that a race needs, since there is a new one for each: registers in BAR 0, all trapped,
 * and one vector of INTx, MSI or MSI-X.
 */
final class RacedModel implements DeviceModel {
  /** Any register; a write takes a while, and notes whose device it is. */
  static final int REGISTER = 0x10;

  /** A write sends vector 0, or asserts the pin if no messages are enabled. */
  static final int INTERRUPT = 0x14;

  /** A write releases the pin. */
  static final int INTERRUPT_RELEASE = 0x18;

  static final int TABLE = 0x800;

  private static final int SLOW = 300;
  private static final int PENDING = 0xc00;
  private static final int SIZE = 0x1000;
  private static final PciId ID = new PciId(0x1234, 0x7ace, 0x1234, 1);
  private static final PciClass CLASS = new PciClass(0x088000);

  private static final FunctionDescription DESCRIPTION =
      new FunctionDescription(
          ID,
          CLASS,
          1,
          true,
          List.of(BarDescription.trapped(0, SIZE, false)),
          new InterruptDescription(1, 1, true, Optional.of(new Msix(1, 0, TABLE, PENDING))));

  /** Whose the device is; told by who grants it. */
  private volatile int owner = 1;

  private volatile int reachedUnder;

  void owner(int now) {
    owner = now;
  }

  /** Whose the device was when a write to a register last reached it; 0 if none did. */
  int reachedUnder() {
    return reachedUnder;
  }

  @Override
  public FunctionDescription description() {
    return DESCRIPTION;
  }

  @Override
  public RunningModel start(ModelContext context) {
    return new RunningModel() {
      @Override
      public long read(int bar, long offset, int width) {
        return 0;
      }

      @Override
      public void write(int bar, long offset, int width, long value) {
        if (offset == INTERRUPT) {
          if (context.hasMessageInterrupts()) {
            context.signal(0);
          } else {
            context.setInterruptLine(true);
          }
        } else if (offset == INTERRUPT_RELEASE) {
          context.setInterruptLine(false);
        } else {
          // As long as it takes to grant a device: the slower the access, the more can go wrong.
          for (int i = 0; i < SLOW; i++) {
            Thread.onSpinWait();
          }
          reachedUnder = owner;
        }
      }

      @Override
      public void reset() {}

      @Override
      public void close() {}
    };
  }
}
