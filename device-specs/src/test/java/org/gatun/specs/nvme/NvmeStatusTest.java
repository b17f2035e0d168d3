package org.gatun.specs.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class NvmeStatusTest {
  @ParameterizedTest
  @CsvSource({
    "0, 0x00, Successful Completion",
    "0, 0x01, Invalid Command Opcode",
    "0, 0x02, Invalid Field in Command",
    "0, 0x07, Command Abort Requested",
    "0, 0x08, Command Aborted due to SQ Deletion",
    "0, 0x0b, Invalid Namespace or Format",
    "0, 0x13, PRP Offset Invalid",
    "0, 0x20, Namespace is Write Protected",
    "0, 0x80, LBA Out of Range",
    "0, 0x82, Namespace Not Ready",
    "0, 0x84, Format In Progress",
    "1, 0x00, Completion Queue Invalid",
    "1, 0x01, Invalid Queue Identifier",
    "1, 0x02, Invalid Queue Size",
    "1, 0x05, Asynchronous Event Request Limit Exceeded",
    "1, 0x08, Invalid Interrupt Vector",
    "1, 0x09, Invalid Log Page",
    "1, 0x0c, Invalid Queue Deletion",
    "1, 0x0d, Feature Identifier Not Saveable",
    "1, 0x1d, Device Self-test In Progress",
    "1, 0x80, Conflicting Attributes",
    "1, 0x82, Attempted Write to Read Only Range",
    "2, 0x80, Write Fault",
    "2, 0x81, Unrecovered Read Error",
    "2, 0x85, Compare Failure",
    "2, 0x87, Deallocated or Unwritten Logical Block",
    "3, 0x02, Asymmetric Access Inaccessible",
    "3, 0x71, Command Aborted By Host",
  })
  void knowsTheNames(int type, String code, String name) {
    int status = (type << 8) | Integer.decode(code);
    assertThat(NvmeStatus.of(status).orElseThrow()).hasToString(name);
    assertThat(NvmeStatus.of(status).orElseThrow().status()).isEqualTo(status);
    // CRD, M and DNR do not change what the status is.
    assertThat(NvmeStatus.of(status | 0x7800)).isEqualTo(NvmeStatus.of(status));
  }

  @Test
  void noCodeAndNoNameIsThereTwice() {
    assertThat(Arrays.stream(NvmeStatus.values()).map(NvmeStatus::status)).doesNotHaveDuplicates();
    assertThat(Arrays.stream(NvmeStatus.values()).map(NvmeStatus::toString))
        .doesNotHaveDuplicates();
  }

  @Test
  void reservedCodesHaveNoName() {
    assertThat(NvmeStatus.of(0x017)).isEmpty();
    assertThat(NvmeStatus.of(0x117)).isEmpty();
    assertThat(NvmeStatus.of(0x200)).isEmpty();
    assertThat(NvmeStatus.of(0x400)).isEmpty();
  }

  @Test
  void takesAStatusApart() {
    int status = 0x4000 | 0x2000 | 0x1000 | 0x281;
    assertThat(NvmeStatus.type(status)).isEqualTo(2);
    assertThat(NvmeStatus.code(status)).isEqualTo(0x81);
    assertThat(NvmeStatus.retryDelay(status)).isEqualTo(2);
    assertThat(NvmeStatus.hasMore(status)).isTrue();
    assertThat(NvmeStatus.isDoNotRetry(status)).isTrue();
    assertThat(NvmeStatus.hasMore(0x281)).isFalse();
    assertThat(NvmeStatus.isDoNotRetry(0x281)).isFalse();
    assertThat(NvmeStatus.isSuccess(0x6000)).isTrue();
    assertThat(NvmeStatus.isSuccess(0x100)).isFalse();
  }

  @Test
  void describesAnyStatus() {
    assertThat(NvmeStatus.describe(0x4080))
        .isEqualTo("LBA Out of Range (SCT 0h, SC 80h, do not retry)");
    assertThat(NvmeStatus.describe(0x2281))
        .isEqualTo("Unrecovered Read Error (SCT 2h, SC 81h, more in the error log)");
    assertThat(NvmeStatus.describe(0x7c1))
        .isEqualTo("unknown Vendor Specific Status (SCT 7h, SC C1h)");
    assertThat(NvmeStatus.describe(0x512)).isEqualTo("reserved status (SCT 5h, SC 12h)");
    for (int status = 0; status < 0x8000; status++) {
      assertThat(NvmeStatus.describe(status)).isNotBlank();
    }
  }
}
