package org.gatun.driver.nvme;

import java.util.Optional;
import org.gatun.specs.nvme.AdminOpcode;
import org.gatun.specs.nvme.Features;
import org.jspecify.annotations.Nullable;

/** The Admin commands that the driver keeps to itself, since it depends on what they change. */
final class OwnCommands {
  private OwnCommands() {}

  /** Why nobody else may send that command, and what to do instead; empty if anybody may. */
  static Optional<String> refusal(NvmeCommand command) {
    return Optional.ofNullable(
        switch (command.opcode()) {
          case AdminOpcode.CREATE_IO_COMPLETION_QUEUE,
              AdminOpcode.CREATE_IO_SUBMISSION_QUEUE,
              AdminOpcode.DELETE_IO_COMPLETION_QUEUE,
              AdminOpcode.DELETE_IO_SUBMISSION_QUEUE ->
              "the driver has the queues: create and close queue pairs";
          case AdminOpcode.ABORT ->
              "the driver aborts what is late: give commands a shorter time-out";
          case AdminOpcode.ASYNCHRONOUS_EVENT_REQUEST ->
              "the driver asks for events: listen to those it gets";
          case AdminOpcode.DOORBELL_BUFFER_CONFIG -> "the driver has the doorbells";
          case AdminOpcode.KEEP_ALIVE ->
              "the driver keeps the controller alive where that is needed";
          case AdminOpcode.SET_FEATURES -> refusal(Features.feature(command.dword(10)));
          default -> null;
        });
  }

  private static @Nullable String refusal(int feature) {
    return switch (feature) {
      case Features.NUMBER_OF_QUEUES -> "open the controller with other options (maxQueues)";
      case Features.ASYNCHRONOUS_EVENT_CONFIGURATION ->
          "the driver asks for events: listen to those it gets";
      case Features.KEEP_ALIVE_TIMER ->
          "the driver keeps the controller alive where that is needed";
      case Features.HOST_MEMORY_BUFFER ->
          "the addresses in it would be no memory of the driver's: the controller works without";
      default -> null;
    };
  }
}
