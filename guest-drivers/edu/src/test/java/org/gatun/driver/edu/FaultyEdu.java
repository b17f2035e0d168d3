package org.gatun.driver.edu;

import org.gatun.simulated.DeviceModel;
import org.gatun.simulated.EduModel;
import org.gatun.simulated.FunctionDescription;
import org.gatun.simulated.ModelContext;
import org.gatun.simulated.RunningModel;

/** An edu device that lies: what a register reads as is replaced. */
record FaultyEdu(FunctionDescription description, Lie lie) implements DeviceModel {
  /** What a read answers, instead of the value. */
  interface Lie {
    long read(long offset, long value);
  }

  static FaultyEdu at(long register, long answer) {
    return lying((offset, value) -> offset == register ? answer : value);
  }

  static FaultyEdu lying(Lie lie) {
    return new FaultyEdu(new EduModel().description(), lie);
  }

  @Override
  public RunningModel start(ModelContext context) {
    RunningModel honest = new EduModel().start(context);
    return new RunningModel() {
      @Override
      public long read(int bar, long offset, int width) {
        return lie.read(offset, honest.read(bar, offset, width));
      }

      @Override
      public void write(int bar, long offset, int width, long value) {
        honest.write(bar, offset, width, value);
      }

      @Override
      public void reset() {
        honest.reset();
      }

      @Override
      public void close() {
        honest.close();
      }
    };
  }
}
