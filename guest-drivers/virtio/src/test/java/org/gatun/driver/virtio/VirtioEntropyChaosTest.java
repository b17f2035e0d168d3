package org.gatun.driver.virtio;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.Arrays;
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
    private static final int ENOUGH = 16;

    private @Nullable VirtioEntropy opened;
    private byte[] last = new byte[ENOUGH];

    /** Each is another: it has other bytes. */
    private int plugged;

    @Override
    public DeviceModel model() {
      return new VirtioEntropyModel(++plugged);
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
      return new Operation(
          "fill",
          () -> {
            entropy().fill(bytes);
            return Arrays.toString(bytes);
          },
          (done, corrupt) -> {
            if (done && !corrupt) {
              look(bytes);
            }
          });
    }

    /** Of so many bytes, none are the same as before, and not all are one. */
    private void look(byte[] bytes) {
      if (bytes.length >= ENOUGH) {
        byte[] start = Arrays.copyOf(bytes, ENOUGH);
        assertThat(start).isNotEqualTo(last);
        assertThat(start).isNotEqualTo(filled(start[0]));
        last = start;
      }
    }

    private static byte[] filled(byte value) {
      byte[] bytes = new byte[ENOUGH];
      Arrays.fill(bytes, value);
      return bytes;
    }

    @Override
    public void prove(boolean unknown) {
      byte[] bytes = new byte[64];
      entropy().fill(bytes);
      look(bytes);
    }

    @Override
    public void close() {
      entropy().close();
    }
  }
}
