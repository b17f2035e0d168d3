package org.gatun.simulated.nvme;

import java.math.BigInteger;
import org.gatun.pci.TimeSource;
import org.gatun.specs.nvme.AsynchronousEvent;
import org.gatun.specs.nvme.Features;
import org.gatun.specs.nvme.LogPage;
import org.gatun.specs.nvme.SmartLog;

/**
 * The state of the controller as the SMART log tells it (Base 5.16.1.3). It stays as warm as it is:
 * what crosses is a threshold. Guarded by the controller's monitor.
 */
final class Health {
  /** 20 degrees Celsius in kelvins. */
  static final int TEMPERATURE = 293;

  private static final int DATA_UNIT = 512 * 1000;
  private static final long HOUR_NANOS = 3_600_000_000_000L;

  private final FeatureValues features;
  private final Events events;
  private final TimeSource time;
  private final long poweredUp;

  /** Critical warnings that the host has asked for, when it was last looked. */
  private int reported;

  Health(FeatureValues features, Events events, TimeSource time) {
    this.features = features;
    this.events = events;
    this.time = time;
    this.poweredUp = time.nanoTime();
  }

  /** The host has set a threshold, or which warnings it is to be told: there may be new ones. */
  void featuresChanged() {
    int now =
        warnings()
            & features.get(Features.ASYNCHRONOUS_EVENT_CONFIGURATION, 0)
            & Features.EVENT_CRITICAL_WARNINGS;
    if ((now & ~reported) != 0) {
      events.raise(
          AsynchronousEvent.dword0(
              AsynchronousEvent.TYPE_SMART,
              AsynchronousEvent.SMART_TEMPERATURE_THRESHOLD,
              LogPage.SMART));
    }
    reported = now;
  }

  /** A Controller Level Reset. */
  void reset() {
    reported = 0;
  }

  /** The log page. */
  SmartLog log(NvmeDevice.Traffic traffic, long errors) {
    SmartLog log = SmartLog.create();
    log.setCriticalWarning(warnings());
    log.setCompositeTemperature(TEMPERATURE);
    log.setAvailableSpare(100);
    log.setAvailableSpareThreshold(10);
    log.setDataUnitsRead(dataUnits(traffic.bytesRead()));
    log.setDataUnitsWritten(dataUnits(traffic.bytesWritten()));
    log.setHostReadCommands(BigInteger.valueOf(traffic.reads()));
    log.setHostWriteCommands(BigInteger.valueOf(traffic.writes()));
    log.setPowerCycles(BigInteger.ONE);
    log.setPowerOnHours(BigInteger.valueOf((time.nanoTime() - poweredUp) / HOUR_NANOS));
    log.setMediaErrors(BigInteger.valueOf(traffic.mediaErrors()));
    log.setErrorLogEntries(BigInteger.valueOf(errors));
    return log;
  }

  private int warnings() {
    boolean isBeyond =
        TEMPERATURE >= threshold(FeatureValues.OVER_TEMPERATURE)
            || TEMPERATURE <= threshold(FeatureValues.UNDER_TEMPERATURE);
    return isBeyond ? SmartLog.CRITICAL_WARNING_TEMPERATURE : 0;
  }

  private int threshold(int part) {
    return features.get(Features.TEMPERATURE_THRESHOLD, part);
  }

  private static BigInteger dataUnits(long bytes) {
    return BigInteger.valueOf((bytes + DATA_UNIT - 1) / DATA_UNIT);
  }
}
