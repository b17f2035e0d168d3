package org.gatun.broker;

import java.util.List;
import java.util.Optional;
import org.gatun.broker.GuestOperation.Answer;
import org.gatun.broker.GuestOperation.ConfigRead;
import org.gatun.broker.GuestOperation.ConfigWrite;
import org.gatun.broker.GuestOperation.DisableMsi;
import org.gatun.broker.GuestOperation.DisableMsix;
import org.gatun.broker.GuestOperation.EnableMsi;
import org.gatun.broker.GuestOperation.EnableMsix;
import org.gatun.broker.GuestOperation.Reset;
import org.gatun.broker.policy.ConfigAccessDeniedException;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.Interrupts.Kind;
import org.gatun.pci.PciException;

/** Answers the requests of one guest: one at a time, whoever asks. */
final class GuestOperations {
  /** As many entries as a request of pciback's has. */
  private static final int MAX_ENTRIES = 128;

  private final Grant grant;

  GuestOperations(Grant grant) {
    this.grant = grant;
  }

  synchronized Answer answer(GuestOperation operation) {
    Optional<GrantedDevice> device =
        grant.devices().stream().filter(d -> d.slot() == operation.slot()).findFirst();
    if (device.isEmpty()) {
      return Answer.error(Answer.DEVICE_NOT_FOUND);
    }
    try {
      return answer(device.get(), operation);
    } catch (ConfigAccessDeniedException _) {
      return Answer.error(Answer.ACCESS_DENIED);
    } catch (DeviceGoneException _) {
      return Answer.error(Answer.DEVICE_NOT_FOUND);
    } catch (PciException | IllegalStateException _) {
      // The latter: a guest in this process enabled interrupts itself, meanwhile.
      return Answer.error(Answer.OPERATION_FAILED);
    }
  }

  private static Answer answer(GrantedDevice device, GuestOperation operation) {
    return switch (operation) {
      case ConfigRead(_, int offset, int width) ->
          isAccess(device, offset, width)
              ? Answer.value(device.config().read(offset, width))
              : Answer.error(Answer.INVALID_OFFSET);
      case ConfigWrite(_, int offset, int width, int value) -> {
        if (!isAccess(device, offset, width)) {
          yield Answer.error(Answer.INVALID_OFFSET);
        }
        device.config().write(offset, width, value);
        yield Answer.value(0);
      }
      case EnableMsi _ -> enableMsi(device);
      case DisableMsi _ -> disable(device, Kind.MSI);
      case EnableMsix(_, List<Integer> entries) -> enableMsix(device, entries);
      case DisableMsix _ -> disable(device, Kind.MSIX);
      case Reset _ -> {
        device.reset();
        yield Answer.value(0);
      }
    };
  }

  private static boolean isAccess(GrantedDevice device, int offset, int width) {
    return (width == 1 || width == 2 || width == 4)
        && offset >= 0
        && offset <= device.config().size() - width
        && offset % width == 0;
  }

  private static Answer enableMsi(GrantedDevice device) {
    if (device.enabledInterrupts().isPresent() || device.interrupts().count(Kind.MSI) == 0) {
      return Answer.error(Answer.OPERATION_FAILED);
    }
    return new Answer(Answer.SUCCESS, 0, device.interrupts().enable(Kind.MSI, 1));
  }

  private static Answer enableMsix(GrantedDevice device, List<Integer> entries) {
    Optional<Kind> enabled = device.enabledInterrupts();
    int table = device.interrupts().count(Kind.MSIX);
    if (entries.isEmpty()
        || entries.size() > MAX_ENTRIES
        || entries.stream().anyMatch(entry -> entry < 0 || entry >= table)) {
      return Answer.error(Answer.INVALID_ARGUMENT);
    }
    if (enabled.equals(Optional.of(Kind.MSIX))) {
      return Answer.error(Answer.ALREADY);
    }
    if (enabled.isPresent() || !device.memoryEnabled()) {
      return Answer.error(Answer.NO_SUCH_DEVICE_OR_ADDRESS);
    }
    for (int i = 0; i < entries.size(); i++) {
      if (entries.get(i) != i) {
        return Answer.error(Answer.NOT_IMPLEMENTED);
      }
    }
    return new Answer(Answer.SUCCESS, 0, device.interrupts().enable(Kind.MSIX, entries.size()));
  }

  private static Answer disable(GrantedDevice device, Kind kind) {
    if (device.enabledInterrupts().equals(Optional.of(kind))) {
      device.interrupts().disable();
    }
    return Answer.value(0);
  }
}
