package org.gatun.broker;

/** Hears of each step in the life of the grants of a broker. Called by the thread that takes it. */
public interface GrantListener {
  /** A grant went from one state to the next. */
  void changed(Grant grant, GrantState from, GrantState to);
}
