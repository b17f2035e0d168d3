package org.gatun.driver.nvme;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import org.gatun.specs.nvme.AdminOpcode;
import org.gatun.specs.nvme.Features;
import org.gatun.specs.nvme.IdentifyController;
import org.gatun.specs.nvme.PowerState;

/**
 * The features of a controller (Base 5.15 and 5.27), its power states among them. What a value
 * means is up to the feature: see {@link Features}.
 *
 * <p>Each call throws
 *
 * <ul>
 *   <li>{@link NvmeUnsupportedException} if the controller says that it lacks what is asked for;
 *   <li>{@link NvmeStatusException} if it refuses it: with {@link
 *       org.gatun.specs.nvme.NvmeStatus#INVALID_FIELD_IN_COMMAND} for a feature that it does not
 *       have;
 *   <li>what {@link NvmeController#execute} throws, which refuses to set some features.
 * </ul>
 *
 * <p>Any thread.
 */
public final class NvmeFeatures {
  /** Which value of a feature. All but the current need a controller that can save (ONCS). */
  public enum Select {
    /** The one in use. */
    CURRENT(Features.SELECT_CURRENT),
    /** The one of the factory. */
    DEFAULT(Features.SELECT_DEFAULT),
    /** The one that the next reset brings back; the default if none was saved. */
    SAVED(Features.SELECT_SAVED);

    private final int code;

    Select(int code) {
      this.code = code;
    }
  }

  /**
   * A value of a feature.
   *
   * @param dword what dword 0 of the completion says
   * @param data the data structure, of {@link Features#dataSize} bytes; empty if it has none
   */
  public record Value(int dword, MemorySegment data) {}

  /**
   * What can be done with a feature.
   *
   * @param saveable a value can be saved across resets
   * @param namespaceSpecific each namespace has a value of its own
   * @param changeable the value can be set
   */
  public record Capabilities(boolean saveable, boolean namespaceSpecific, boolean changeable) {}

  private final NvmeController controller;

  NvmeFeatures(NvmeController controller) {
    this.controller = controller;
  }

  /** The current value of a feature that is no namespace's. */
  public Value get(int feature) {
    return get(feature, Select.CURRENT, 0, 0);
  }

  /**
   * A value of a feature.
   *
   * @param feature FID, 0 to 255
   * @param namespaceId 0 if the feature is no namespace's
   * @param dword11 which part of it, for some: 0 else
   */
  public Value get(int feature, Select select, int namespaceId, int dword11) {
    if (select != Select.CURRENT) {
      requireSave(select.name().toLowerCase(Locale.ROOT) + " values");
    }
    NvmeResult result =
        controller.require(
            NvmeCommand.of(
                    AdminOpcode.GET_FEATURES,
                    namespaceId,
                    Features.getDword10(feature, select.code),
                    dword11)
                .receiving(Features.dataSize(feature, dword11)));
    return new Value(result.dword0(), result.data());
  }

  /** What can be done with a feature, where the controller tells (ONCS). */
  public Capabilities capabilities(int feature) {
    requireSave("capabilities of features");
    int bits =
        controller
            .require(
                NvmeCommand.of(
                    AdminOpcode.GET_FEATURES,
                    0,
                    Features.getDword10(feature, Features.SELECT_SUPPORTED)))
            .dword0();
    return new Capabilities(
        (bits & Features.CAPABILITY_SAVEABLE) != 0,
        (bits & Features.CAPABILITY_NAMESPACE_SPECIFIC) != 0,
        (bits & Features.CAPABILITY_CHANGEABLE) != 0);
  }

  /** Sets a feature that is no namespace's, until the next reset. */
  public void set(int feature, int dword11) {
    set(feature, 0, false, List.of(dword11), MemorySegment.ofArray(new byte[0]));
  }

  /**
   * Sets a feature.
   *
   * @param feature FID, 0 to 255
   * @param namespaceId 0 if the feature is no namespace's
   * @param save whether resets are to leave the value as it is
   * @param dwords from dword 11 on; those that are left out are zero
   * @param data the data structure; empty if the feature has none
   * @throws IllegalArgumentException if the structure has another size than {@link
   *     Features#dataSize}
   */
  public void set(
      int feature, int namespaceId, boolean save, List<Integer> dwords, MemorySegment data) {
    int size = Features.dataSize(feature, dwords.isEmpty() ? 0 : dwords.getFirst());
    if (data.byteSize() != size) {
      throw new IllegalArgumentException(
          "%s: feature %02xh has a data structure of %d bytes, not %d"
              .formatted(controller.name(), feature, size, data.byteSize()));
    }
    if (save) {
      requireSave("saved values");
    }
    int dword10 = Features.setDword10(feature, save);
    controller.require(
        NvmeCommand.of(
                AdminOpcode.SET_FEATURES,
                namespaceId,
                IntStream.concat(IntStream.of(dword10), dwords.stream().mapToInt(Integer::intValue))
                    .toArray())
            .sending(data));
  }

  /** The power states of the controller: state 0, in which it begins, draws most. */
  public List<PowerState> powerStates() {
    IdentifyController identity = controller.identity();
    int states = Math.min(identity.powerStates() + 1, IdentifyController.MAX_POWER_STATES);
    return IntStream.range(0, states).mapToObj(identity::powerState).toList();
  }

  /** The power state that the controller is in. */
  public int powerState() {
    return Features.powerState(get(Features.POWER_MANAGEMENT).dword());
  }

  /**
   * Has the controller go to a power state. In one that is not operational it goes back to the last
   * that was, by itself, when a command comes (Base 8.15.1).
   *
   * @throws IllegalArgumentException if it has no such state; the message says how many there are
   */
  public void setPowerState(int state) {
    int states = powerStates().size();
    if (state < 0 || state >= states) {
      throw new IllegalArgumentException(
          "%s: the controller has power states 0 to %d, and no %d"
              .formatted(controller.name(), states - 1, state));
    }
    set(Features.POWER_MANAGEMENT, Features.powerManagement(state, 0));
  }

  private void requireSave(String what) {
    int oncs = controller.identity().oncs();
    if ((oncs & IdentifyController.ONCS_SAVE_FEATURES) == 0) {
      throw new NvmeUnsupportedException(
          controller.name(),
          "the controller does not have %s (ONCS 0x%04x)".formatted(what, oncs),
          "ask for the current value, or set it without saving");
    }
  }
}
