package org.gatun.simulated.nvme;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import org.gatun.simulated.Agenda;
import org.gatun.specs.nvme.SubmissionEntry;
import org.jspecify.annotations.Nullable;

/** A command, read once from its entry, and the result of it. Mutable: a queue reuses one. */
final class Command {
  private static final ValueLayout.OfInt U32 =
      ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong U64 =
      ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

  int dword0;
  int nsid;
  long prp1;
  long prp2;
  int dword10;
  int dword11;
  int dword12;
  int dword13;

  /** When it is carried out, if it takes its time. */
  Agenda.@Nullable Entry end;

  /** How many completions more than one it has, if that is to go wrong. */
  int repeats;

  /** Dword 0 of the completion. */
  int result;

  void load(MemorySegment entry) {
    dword0 = entry.get(U32, SubmissionEntry.DWORD0);
    nsid = entry.get(U32, SubmissionEntry.NSID);
    prp1 = entry.get(U64, SubmissionEntry.PRP1);
    prp2 = entry.get(U64, SubmissionEntry.PRP2);
    dword10 = entry.get(U32, SubmissionEntry.DWORD10);
    dword11 = entry.get(U32, SubmissionEntry.DWORD11);
    dword12 = entry.get(U32, SubmissionEntry.DWORD12);
    dword13 = entry.get(U32, SubmissionEntry.DWORD13);
    repeats = 0;
    result = 0;
  }

  Command copy() {
    Command copy = new Command();
    copy.dword0 = dword0;
    copy.nsid = nsid;
    copy.prp1 = prp1;
    copy.prp2 = prp2;
    copy.dword10 = dword10;
    copy.dword11 = dword11;
    copy.dword12 = dword12;
    copy.dword13 = dword13;
    copy.repeats = repeats;
    return copy;
  }

  /** It is not carried out any more. */
  void drop() {
    if (end != null) {
      end.cancel();
    }
  }

  int opcode() {
    return SubmissionEntry.opcode(dword0);
  }

  int id() {
    return SubmissionEntry.commandId(dword0);
  }

  /** Whether it is neither fused nor has a scatter gather list. */
  boolean isPlain() {
    return SubmissionEntry.fuse(dword0) == SubmissionEntry.FUSE_NORMAL
        && SubmissionEntry.psdt(dword0) == SubmissionEntry.PSDT_PRP;
  }

  /** Whether it is not fused, and names its data by an SGL: then that is where PRPs would be. */
  boolean isScatterGather() {
    return SubmissionEntry.fuse(dword0) == SubmissionEntry.FUSE_NORMAL
        && SubmissionEntry.psdt(dword0) == SubmissionEntry.PSDT_SGL_BUFFER;
  }

  /** SLBA of reads and writes, in dwords 10 and 11. */
  long startingLba() {
    return (dword10 & 0xffff_ffffL) | (long) dword11 << 32;
  }
}
