package org.gatun.driver.nvme;

import java.lang.System.Logger.Level;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.IntPredicate;
import java.util.stream.Collectors;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceProtocolException;
import org.gatun.pci.PciException;
import org.gatun.specs.nvme.AdminCommand;
import org.gatun.specs.nvme.Cns;
import org.gatun.specs.nvme.IdentifyController;
import org.gatun.specs.nvme.IdentifyNamespace;
import org.gatun.specs.nvme.NamespaceDescriptor;
import org.gatun.specs.nvme.NamespaceList;
import org.gatun.specs.nvme.NvmeStatus;
import org.gatun.specs.nvme.Version;

/**
 * The active namespaces of a controller, as they were when it was asked. Does not change: whoever
 * looks {@link #again} gets another one.
 */
final class Namespaces {
  /** Far more than any controller has, and few enough to ask for each. */
  static final int MAX = 4096;

  private static final byte[] NO_UUID = {};

  private static final System.Logger LOGGER = System.getLogger("org.gatun.driver.nvme");

  private final DeviceName name;
  private final AdminQueue admin;
  private final Registers registers;
  private final IdentifyController identity;
  private final int maxTransferBytes;

  /** What the last one that was asked about says of itself; none keeps memory of its own. */
  private final MemorySegment answer = Arena.ofAuto().allocate(AdminCommand.IDENTIFY_SIZE);

  private final Map<Integer, NvmeNamespace> usable = new TreeMap<>(Integer::compareUnsigned);
  private final Map<Integer, String> refused = new TreeMap<>(Integer::compareUnsigned);

  private Namespaces(
      DeviceName name,
      AdminQueue admin,
      Registers registers,
      IdentifyController identity,
      int maxTransferBytes) {
    this.name = name;
    this.admin = admin;
    this.registers = registers;
    this.identity = identity;
    this.maxTransferBytes = maxTransferBytes;
  }

  /**
   * Asks for all.
   *
   * @param registers of the controller, whose version tells whether it has a list of them
   */
  static Namespaces identify(
      DeviceName name,
      AdminQueue admin,
      Registers registers,
      IdentifyController identity,
      int maxTransferBytes) {
    Namespaces first = new Namespaces(name, admin, registers, identity, maxTransferBytes);
    return first.again(_ -> true);
  }

  /**
   * Asks which are active now, and about those that have changed or are new.
   *
   * @throws DeviceProtocolException if the controller's list of them does not ascend
   * @throws NvmeStatusException if it does not answer
   */
  Namespaces again(IntPredicate changed) {
    Namespaces next = new Namespaces(name, admin, registers, identity, maxTransferBytes);
    if (!Version.isAtLeast(registers.version(), Version.V1_1) || !next.addListed(this, changed)) {
      next.addEach();
    }
    return next;
  }

  /** Those that can be used, by ascending id. */
  List<NvmeNamespace> usable() {
    return List.copyOf(usable.values());
  }

  /** The ids of all that are active, usable or not. */
  Set<Integer> ids() {
    Set<Integer> ids = new HashSet<>(usable.keySet());
    ids.addAll(refused.keySet());
    return ids;
  }

  /** The namespace, if it is active and can be used. */
  Optional<NvmeNamespace> find(int id) {
    return Optional.ofNullable(usable.get(id));
  }

  /** See {@link NvmeController#namespace}. */
  NvmeNamespace get(int id) {
    NvmeNamespace namespace = usable.get(id);
    if (namespace != null) {
      return namespace;
    }
    String reason = refused.get(id);
    if (reason != null) {
      throw new PciException(
          name,
          "namespace %s can't be used: %s".formatted(Integer.toUnsignedString(id), reason),
          null,
          null);
    }
    throw new IllegalArgumentException(
        "%s: no namespace %s; active are: %s"
            .formatted(
                name,
                Integer.toUnsignedString(id),
                usable.isEmpty()
                    ? "none"
                    : usable.keySet().stream()
                        .map(Integer::toUnsignedString)
                        .collect(Collectors.joining(", "))));
  }

  /**
   * Adds those of the controller's list, in parts of up to 1024 (Base 5.17.2.3).
   *
   * @return false if it has none: controllers of before NVMe 1.1 do not, nor do some of later
   */
  private boolean addListed(Namespaces before, IntPredicate changed) {
    int last = 0;
    int found = 0;
    NamespaceList list;
    do {
      try {
        list = new NamespaceList(admin.identify(Cns.ACTIVE_NAMESPACE_LIST, last));
      } catch (NvmeStatusException e) {
        if (found == 0 && e.status().equals(Optional.of(NvmeStatus.INVALID_FIELD_IN_COMMAND))) {
          LOGGER.log(Level.DEBUG, "{0}: has no list of its active namespaces", name);
          return false;
        }
        throw e;
      }
      for (int i = 0; i < list.count(); i++) {
        last = checkAscent(name, last, list.namespaceId(i));
        if (++found > MAX) {
          LOGGER.log(Level.WARNING, "{0}: only {1} namespaces are looked at", name, MAX);
          return true;
        }
        if (changed.test(last) || !keep(before, last)) {
          ask(last);
        }
      }
    } while (list.count() == NamespaceList.MAX_ENTRIES);
    return true;
  }

  /** Asks about one; but not what is of the NVM Command Set only if it is of another. */
  private void ask(int id) {
    if (!registers.hasCommandSets()) {
      // Its UUID is in a list that not each controller has: a UUID alone does not tell it apart.
      add(id, new IdentifyNamespace(identify(Cns.NAMESPACE, id)), NO_UUID);
      return;
    }
    MemorySegment descriptors = identify(Cns.NAMESPACE_DESCRIPTOR_LIST, id);
    int commandSet = NamespaceDescriptor.commandSet(descriptors);
    byte[] uuid = NamespaceDescriptor.uuid(descriptors);
    switch (commandSet) {
      case NamespaceDescriptor.CSI_NVM ->
          add(id, new IdentifyNamespace(identify(Cns.NAMESPACE, id)), uuid);
      case NamespaceDescriptor.CSI_ZONED -> refuse(id, "it is zoned (CSI 02h)");
      default ->
          refuse(
              id,
              "it is not of the NVM Command Set, but of another (CSI %02xh)".formatted(commandSet));
    }
  }

  /**
   * Asks for namespaces 1 to NN, of which those that are not active read as zero (NVMe 1.0, 5.11).
   */
  private void addEach() {
    long highest = identity.numberOfNamespaces();
    if (highest > MAX) {
      LOGGER.log(
          Level.WARNING,
          "{0}: NN is {1}, and only namespaces 1 to {2} are looked at",
          name,
          Long.toString(highest),
          MAX);
    }
    for (int id = 1; id <= Math.min(highest, MAX); id++) {
      IdentifyNamespace found;
      try {
        found = new IdentifyNamespace(identify(Cns.NAMESPACE, id));
      } catch (NvmeStatusException e) {
        LOGGER.log(Level.DEBUG, e.getMessage());
        continue;
      }
      if (found.size() != 0) {
        add(id, found, NO_UUID);
      }
    }
  }

  private boolean keep(Namespaces before, int id) {
    NvmeNamespace namespace = before.usable.get(id);
    String reason = before.refused.get(id);
    if (namespace != null) {
      usable.put(id, namespace);
    } else if (reason != null) {
      refused.put(id, reason);
    }
    return namespace != null || reason != null;
  }

  /** Valid until the next time. */
  private MemorySegment identify(int cns, int id) {
    admin.identify(cns, id, answer);
    return answer;
  }

  private void add(int id, IdentifyNamespace found, byte[] uuid) {
    NvmeNamespace.refusal(found, maxTransferBytes)
        .ifPresentOrElse(
            reason -> refuse(id, reason),
            () -> usable.put(id, new NvmeNamespace(id, found, uuid, maxTransferBytes)));
  }

  private void refuse(int id, String reason) {
    refused.put(id, reason);
    LOGGER.log(
        Level.WARNING,
        "{0}: namespace {1} can not be used: {2}",
        name,
        Integer.toUnsignedString(id),
        reason);
  }

  /** The next id of a list, which ascends, or else would never end. */
  static int checkAscent(DeviceName name, int last, int id) {
    if (Integer.compareUnsigned(id, last) <= 0) {
      throw new DeviceProtocolException(
          name,
          "the list of namespaces does not ascend: %s after %s"
              .formatted(Integer.toUnsignedString(id), Integer.toUnsignedString(last)),
          null,
          null);
    }
    return id;
  }
}
