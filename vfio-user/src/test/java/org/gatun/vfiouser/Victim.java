package org.gatun.vfiouser;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.Set;
import org.gatun.pci.PciDevice;
import org.gatun.pci.config.ConfigRegisters;

/**
 * A device that hostile clients are let at, and another beside it, with a client that is in the
 * middle of using it.
 */
final class Victim implements AutoCloseable {
  private final Served other = new Served("edu");
  private final RawClient bystander = RawClient.greeted(other.socket());
  private final long others = bystander.read(RawClient.CONFIG_REGION, 0, 4);
  private final Served served;
  private final Holdings before;

  Victim() {
    this("specimen", options(Duration.ofMillis(300)));
  }

  Victim(String model, ExportOptions options) {
    served = new Served(model, options);
    before = Holdings.of(served.device());
  }

  static ExportOptions options(Duration patience) {
    return options(limits(patience));
  }

  static ExportOptions options(Limits limits) {
    return new ExportOptions(Set.of(), false, limits);
  }

  static Limits limits(Duration patience) {
    Limits usual = Limits.DEFAULT;
    return new Limits(
        usual.descriptors(),
        usual.transfer(),
        usual.dmaRegions(),
        usual.dmaBytes(),
        usual.queuedBytes(),
        patience);
  }

  Served served() {
    return served;
  }

  PciDevice device() {
    return served.device();
  }

  /** Says nothing yet. */
  RawClient connect() {
    return RawClient.connect(served.socket());
  }

  /** Agreed on the version. */
  RawClient greeted() {
    return RawClient.greeted(served.socket());
  }

  /** Whatever one client does, another device is served. */
  void assertOthersServed() {
    assertThat(bystander.read(RawClient.CONFIG_REGION, 0, 4)).isEqualTo(others);
  }

  /** The next client is served, and so are others, though the one before still holds something. */
  void assertServed() {
    assertOthersServed();
    nextClientWorks();
  }

  /** After a hostile client has left, nothing is left of it, and the next is served. */
  void assertUnharmed() {
    assertServed();
    before.assertAgain(served.device());
  }

  @Override
  public void close() {
    bystander.close();
    served.close();
    other.close();
  }

  private void nextClientWorks() {
    try (PciDevice next = new VfioUserBackend().open(served.name())) {
      assertThat(next.config().read32(ConfigRegisters.VENDOR_ID))
          .isEqualTo(served.device().config().read32(ConfigRegisters.VENDOR_ID));
    }
  }
}
