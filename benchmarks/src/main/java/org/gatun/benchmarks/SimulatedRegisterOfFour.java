package org.gatun.benchmarks;

/** {@link SimulatedRegister} with four kinds of models, in turn: a call of one is a real one. */
public class SimulatedRegisterOfFour extends SimulatedRegister {
  /** With four kinds. */
  public SimulatedRegisterOfFour() {
    super(4);
  }
}
