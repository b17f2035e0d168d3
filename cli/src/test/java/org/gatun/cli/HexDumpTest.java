package org.gatun.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class HexDumpTest {
  @Test
  void printsWhatChangesAndTheLastLine() {
    byte[] bytes = new byte[16 * 5 + 3];
    Arrays.fill(bytes, 16, bytes.length, (byte) 'a');
    bytes[0] = (byte) 0xff;
    bytes[1] = '\n';
    StringWriter text = new StringWriter();
    HexDump.print(MemorySegment.ofArray(bytes), 0x100, new PrintWriter(text));
    assertThat(text.toString().lines())
        .containsExactly(
            "00000100  ff 0a 00 00 00 00 00 00 00 00 00 00 00 00 00 00  |................|",
            "00000110  61 61 61 61 61 61 61 61 61 61 61 61 61 61 61 61  |aaaaaaaaaaaaaaaa|",
            "*",
            "00000150  61 61 61                                         |aaa|");
  }

  @Test
  void printsNothingOfNothing() {
    StringWriter text = new StringWriter();
    HexDump.print(MemorySegment.ofArray(new byte[0]), 0, new PrintWriter(text));
    assertThat(text.toString()).isEmpty();
  }
}
