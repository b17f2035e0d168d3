package org.gatun.simulated.nvme;

import org.gatun.simulated.NvmeModel;
import org.gatun.specs.nvme.Features;
import org.gatun.specs.nvme.NvmeRegisters;
import org.gatun.specs.nvme.NvmeStatus;

/** Get Features and Set Features (Base 5.15 and 5.27). Guarded by the controller's monitor. */
final class FeatureCommands {
  private static final int SUCCESS = DataPointer.SUCCESS;
  private static final int INVALID_FIELD = NvmeStatus.INVALID_FIELD_IN_COMMAND.status();
  private static final int NO_PART = -1;

  /** TMPSEL of Set Features. */
  private static final int ALL_SENSORS = 0xf;

  private final NvmeDevice device;
  private final NvmeModel model;
  private final FeatureValues features;
  private final Health health;

  FeatureCommands(NvmeDevice device, NvmeModel model, FeatureValues features, Health health) {
    this.device = device;
    this.model = model;
    this.features = features;
    this.health = health;
  }

  int set(Command command) {
    int feature = Features.feature(command.dword10);
    int part = part(feature, command.dword11);
    if (!features.has(feature) || part == NO_PART) {
      return INVALID_FIELD;
    }
    if (Features.isSave(command.dword10)) {
      return NvmeStatus.FEATURE_IDENTIFIER_NOT_SAVEABLE.status();
    }
    if (feature == Features.NUMBER_OF_QUEUES) {
      return setNumberOfQueues(command);
    }
    if (feature == Features.POWER_MANAGEMENT && (command.dword11 & 0x1f) != 0) {
      return INVALID_FIELD; // there is one power state
    }
    features.set(
        feature,
        part,
        feature == Features.TEMPERATURE_THRESHOLD ? command.dword11 & 0xffff : command.dword11);
    health.featuresChanged();
    return SUCCESS;
  }

  int get(Command command) {
    int feature = Features.feature(command.dword10);
    int part = part(feature, command.dword11);
    if (!features.has(feature) || part == NO_PART) {
      return INVALID_FIELD;
    }
    command.result =
        switch (Features.select(command.dword10)) {
          case Features.SELECT_DEFAULT, Features.SELECT_SAVED -> features.byDefault(feature, part);
          case Features.SELECT_SUPPORTED -> 1 << 2; // changeable, neither saveable nor by namespace
          default -> features.get(feature, part);
        };
    return SUCCESS;
  }

  /**
   * Which value of a feature dword 11 selects: over or under temperature (Base 5.27.1.3, THSEL), of
   * the one sensor there is, or of all (TMPSEL); an interrupt vector (5.27.1.7).
   *
   * @return {@link #NO_PART} if there is no such
   */
  private int part(int feature, int dword11) {
    return switch (feature) {
      case Features.TEMPERATURE_THRESHOLD -> {
        int sensor = dword11 >>> 16 & 0xf;
        int type = dword11 >>> 20 & 0x3;
        yield (sensor == 0 || sensor == ALL_SENSORS) && type <= FeatureValues.UNDER_TEMPERATURE
            ? type
            : NO_PART;
      }
      case Features.INTERRUPT_VECTOR_CONFIGURATION ->
          (dword11 & 0xffff) < model.vectors() ? dword11 & 0xffff : NO_PART;
      default -> 0;
    };
  }

  /** Whatever the host asks for, it gets what there is: it may use fewer. */
  private int setNumberOfQueues(Command command) {
    int tooMany = NvmeRegisters.MAX_QUEUE_ID + 1;
    if (Features.submissionQueues(command.dword11) == tooMany
        || Features.completionQueues(command.dword11) == tooMany) {
      return INVALID_FIELD;
    }
    if (device.hasIoQueues()) {
      return NvmeStatus.COMMAND_SEQUENCE_ERROR.status();
    }
    command.result = features.byDefault(Features.NUMBER_OF_QUEUES, 0);
    return SUCCESS;
  }
}
