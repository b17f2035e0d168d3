package org.gatun.driver.virtio;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.Objects;
import java.util.Random;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.simulated.DeviceModel;
import org.gatun.simulated.VirtioEntropyModel;
import org.gatun.testkit.ChaosContract;
import org.jspecify.annotations.Nullable;

/** The driver on a source of randomness with which all kinds of things go wrong. */
class VirtioEntropyChaosTest extends ChaosContract {
  private static final Duration TIMEOUT = Duration.ofMillis(20);

  @Override
  protected Duration limit() {
    return TIMEOUT.multipliedBy(3);
  }

  @Override
  protected Subject subject() {
    return new Source();
  }

  private static final class Source implements Subject {
    private @Nullable VirtioEntropy opened;

    @Override
    public DeviceModel model() {
      return new VirtioEntropyModel(7);
    }

    @Override
    public void open(PciDevice device, TimeSource time, boolean interrupts) {
      opened =
          VirtioEntropy.open(
              device,
              VirtioOptions.defaults()
                  .withTime(time)
                  .withTimeout(TIMEOUT)
                  .withCompletion(interrupts ? Completion.MSIX : Completion.POLL));
    }

    private VirtioEntropy entropy() {
      return Objects.requireNonNull(opened);
    }

    @Override
    public Operation next(Random random) {
      byte[] bytes = new byte[1 + random.nextInt(64)];
      return new Operation("fill", () -> entropy().fill(bytes), (_, _) -> {});
    }

    @Override
    public void prove(boolean unknown) {
      byte[] bytes = new byte[64];
      entropy().fill(bytes);
      assertThat(bytes).isNotEqualTo(new byte[64]);
    }

    @Override
    public void close() {
      entropy().close();
    }
  }
}
