package org.gatun.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ByteSizeTest {
  @ParameterizedTest
  @CsvSource({"0, 0", "512, 512", "4K, 4096", "4k, 4096", "64M, 67108864", "1G, 1073741824"})
  void readsSizes(String text, long bytes) {
    assertThat(ByteSize.parse(text).bytes()).isEqualTo(bytes);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "K", "-1", "1.5G", "4KB", "9999999T", "99999999999999999999"})
  void refusesNonsense(String text) {
    assertThatIllegalArgumentException().isThrownBy(() -> ByteSize.parse(text));
  }

  @ParameterizedTest
  @CsvSource({"0, 0", "1000, 1000", "4096, 4K", "67108864, 64M", "1610612736, 1536M"})
  void writesTheLargestUnitThatDivides(long bytes, String text) {
    assertThat(new ByteSize(bytes)).hasToString(text);
  }

  @ParameterizedTest
  @CsvSource({
    "0, 0 bytes",
    "1023, 1023 bytes",
    "1536, 1.5 KiB",
    "67108864, 64 MiB",
    "1000204886016, 931.5 GiB",
    "1073741823, 1 GiB",
    "9223372036854775807, 8388608 TiB"
  })
  void isRoundedForPeople(long bytes, String text) {
    assertThat(new ByteSize(bytes).rounded()).isEqualTo(text);
  }
}
