package org.gatun.broker.service;

import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import org.gatun.broker.GrantState;
import org.gatun.pci.DeviceName;
import org.gatun.pci.spi.EraseMethod;

/** Something that happened at a broker. */
public sealed interface BrokerEvent {
  /** The broker has a device. */
  record Seized(DeviceName device) implements BrokerEvent {
    @Override
    public String name() {
      return "seized";
    }

    @Override
    public String toString() {
      return device + ": seized";
    }
  }

  /** The broker has let a device go. */
  record Released(DeviceName device) implements BrokerEvent {
    @Override
    public String name() {
      return "released";
    }

    @Override
    public String toString() {
      return device + ": released";
    }
  }

  /**
   * A device did not come back clean, or its policy wants nobody to have it now.
   *
   * @param reason for people
   */
  record Quarantined(DeviceName device, String reason) implements BrokerEvent {
    @Override
    public String name() {
      return "quarantined";
    }

    @Override
    public String toString() {
      return device + ": in quarantine: " + reason;
    }
  }

  /** A device is being erased. */
  record Erasing(DeviceName device, EraseMethod method) implements BrokerEvent {
    @Override
    public String name() {
      return "erasing";
    }

    @Override
    public String toString() {
      return "%s: erasing (%s)".formatted(device, method.text());
    }
  }

  /** A device was erased: any guest may have it. */
  record Erased(DeviceName device, EraseMethod method) implements BrokerEvent {
    @Override
    public String name() {
      return "erased";
    }

    @Override
    public String toString() {
      return "%s: erased (%s)".formatted(device, method.text());
    }
  }

  /**
   * A device was not erased, and goes to nobody but the guest whose data is on it.
   *
   * @param reason for people
   */
  record NotErased(DeviceName device, EraseMethod method, String reason) implements BrokerEvent {
    @Override
    public String name() {
      return "not-erased";
    }

    @Override
    public String toString() {
      return "%s: not erased (%s): %s".formatted(device, method.text(), reason);
    }
  }

  /** What is on a device was left to the next guest. */
  record Cleared(DeviceName device) implements BrokerEvent {
    @Override
    public String name() {
      return "cleared";
    }

    @Override
    public String toString() {
      return device + ": what is on it is left to the next guest";
    }
  }

  /**
   * A grant went from one state to the next.
   *
   * @param devices that the guest has, or can have
   */
  record Granted(String guest, GrantState from, GrantState to, List<DeviceName> devices)
      implements BrokerEvent {
    /** Copies the list. */
    public Granted {
      devices = List.copyOf(devices);
    }

    @Override
    public String name() {
      return "grant";
    }

    @Override
    public String toString() {
      return "guest %s: %s -> %s%s"
          .formatted(
              guest,
              from,
              to,
              devices.stream()
                  .map(DeviceName::toString)
                  .collect(Collectors.joining(", ", devices.isEmpty() ? "" : ": ", "")));
    }
  }

  /**
   * What a guest is to have can't be granted to it now.
   *
   * @param reason for people
   */
  record Refused(String guest, DeviceName device, String reason) implements BrokerEvent {
    @Override
    public String name() {
      return "refused";
    }

    @Override
    public String toString() {
      return "guest %s: %s is not granted: %s".formatted(guest, device, reason);
    }
  }

  /** The broker has started a process of a guest's, which has its device. */
  record Started(String guest, DeviceName device, long process) implements BrokerEvent {
    @Override
    public String name() {
      return "started";
    }

    @Override
    public String toString() {
      return "guest %s: process %d has %s".formatted(guest, process, device);
    }
  }

  /**
   * A process of a guest's has ended, and its device is back.
   *
   * @param status its exit status; 128 and the signal's number if it was a signal
   * @param reason for people
   * @param lastLines of its output: 32,768 characters at most
   */
  record Ended(
      String guest,
      DeviceName device,
      long process,
      int status,
      String reason,
      List<String> lastLines)
      implements BrokerEvent {
    /** Copies the list. */
    public Ended {
      lastLines = List.copyOf(lastLines);
    }

    @Override
    public String name() {
      return "ended";
    }

    @Override
    public String toString() {
      return "guest %s: process %d has ended, %s is back: %s"
          .formatted(guest, process, device, reason);
    }
  }

  /**
   * What is left of a process that did not end well is kept.
   *
   * @param folder with its last lines, and a flight recording
   */
  record Kept(String guest, long process, Path folder) implements BrokerEvent {
    @Override
    public String name() {
      return "kept";
    }

    @Override
    public String toString() {
      return "guest %s: what is left of process %d: %s".formatted(guest, process, folder);
    }
  }

  /** What kind it is: one word. */
  String name();

  /** What happened, in one line for people. */
  @Override
  String toString();
}
