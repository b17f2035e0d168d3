package org.gatun.simulated.fault;

import org.gatun.simulated.DeviceModel;
import org.gatun.simulated.FunctionDescription;
import org.gatun.simulated.ModelContext;
import org.gatun.simulated.RunningModel;

/** A model, with which faults happen: between it and its bus. */
record FaultyModel(DeviceModel model, Faults faults) implements DeviceModel {
  @Override
  public FunctionDescription description() {
    return model.description();
  }

  @Override
  public RunningModel start(ModelContext context) {
    FaultyContext faulty = new FaultyContext(context, faults);
    return new FaultyDevice(model.start(faulty), faulty, faults);
  }
}
