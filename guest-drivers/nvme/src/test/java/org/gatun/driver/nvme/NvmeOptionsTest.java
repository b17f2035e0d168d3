package org.gatun.driver.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.time.Duration;
import org.junit.jupiter.api.Test;

class NvmeOptionsTest {
  private static final NvmeOptions DEFAULTS = NvmeOptions.defaults();

  @Test
  void refusesWhatNoControllerHas() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> DEFAULTS.withQueueDepth(0))
        .withMessage("the queue depth is 1 to 65535, not 0");
    assertThatIllegalArgumentException().isThrownBy(() -> DEFAULTS.withQueueDepth(65536));
    assertThatIllegalArgumentException().isThrownBy(() -> DEFAULTS.withMaxQueues(0));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> DEFAULTS.withCommandTimeout(Duration.ZERO));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> DEFAULTS.withMaxTransferBytes(6000))
        .withMessage("the transfer size is a multiple of 4096, not 6000");
  }

  @Test
  void changesOneAtATime() {
    assertThat(
            DEFAULTS
                .withCompletion(Completion.INTERRUPT)
                .withQueueDepth(7)
                .withMaxQueues(3)
                .withCommandTimeout(Duration.ofMillis(5))
                .withMaxTransferBytes(8192))
        .isEqualTo(
            new NvmeOptions(
                DEFAULTS.time(), Completion.INTERRUPT, 7, Duration.ofMillis(5), 3, 8192));
  }
}
