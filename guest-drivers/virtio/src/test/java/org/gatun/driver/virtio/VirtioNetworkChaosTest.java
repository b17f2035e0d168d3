package org.gatun.driver.virtio;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.Arrays;
import java.util.Objects;
import java.util.Random;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.simulated.DeviceModel;
import org.gatun.simulated.NetworkEnd;
import org.gatun.simulated.VirtioNetworkModel;
import org.gatun.testkit.ChaosContract;
import org.jspecify.annotations.Nullable;

/** The driver on a card that hears itself, and with which all kinds of things go wrong. */
class VirtioNetworkChaosTest extends ChaosContract {
  private static final Duration TIMEOUT = Duration.ofMillis(20);
  private static final Duration MILLI = Duration.ofMillis(1);

  @Override
  protected Duration limit() {
    return TIMEOUT.multipliedBy(3);
  }

  @Override
  protected Subject subject() {
    return new Card();
  }

  private static final class Card implements Subject {
    private @Nullable VirtioNetworkCard opened;

    @Override
    public DeviceModel model() {
      return new VirtioNetworkModel(NetworkEnd.loop());
    }

    @Override
    public void open(PciDevice device, TimeSource time, boolean interrupts) {
      opened =
          VirtioNetworkCard.open(
              device,
              VirtioOptions.defaults()
                  .withTime(time)
                  .withTimeout(TIMEOUT)
                  .withQueueSize(16)
                  .withCompletion(interrupts ? Completion.MSIX : Completion.POLL));
    }

    private VirtioNetworkCard card() {
      return Objects.requireNonNull(opened);
    }

    /** Frames may be lost, but what comes is whole: its length, and each byte, say so. */
    @Override
    public Operation next(Random random) {
      int number = random.nextInt(256);
      byte[][] received = {new byte[0]};
      return switch (random.nextInt(3)) {
        case 0 ->
            new Operation(
                "receive",
                () -> {
                  received[0] = card().receive(MILLI);
                  return Arrays.toString(received[0]);
                },
                (done, corrupt) -> {
                  if (done && !corrupt) {
                    whole(received[0]);
                  }
                });
        default ->
            new Operation(
                "transmit",
                () -> {
                  card().transmit(frame(number));
                  return "done";
                },
                (_, _) -> {});
      };
    }

    private static byte[] frame(int number) {
      byte[] frame = new byte[64 + number];
      Arrays.fill(frame, (byte) number);
      return frame;
    }

    private static void whole(byte[] frame) {
      if (frame.length > 0) {
        assertThat(frame).isEqualTo(frame(frame[0] & 0xff));
      }
    }

    @Override
    public void prove(boolean unknown) {
      while (card().receive(MILLI).length > 0) {
        // From before.
      }
      card().transmit(frame(200));
      assertThat(card().receive(TIMEOUT)).isEqualTo(frame(200));
    }

    @Override
    public void close() {
      card().close();
    }
  }
}
