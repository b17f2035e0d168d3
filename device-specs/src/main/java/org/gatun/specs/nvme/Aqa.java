package org.gatun.specs.nvme;

/** Fields of AQA, Admin Queue Attributes (Base 3.1.3.8), as numbers of entries. */
public final class Aqa {
  /** The most entries that an admin queue may have. */
  public static final int MAX_ENTRIES = 4096;

  /** The fewest entries that a queue may have: one stays empty (Base 3.3.1, full queue). */
  public static final int MIN_ENTRIES = 2;

  private static final BitField ASQS = new BitField("AQA.ASQS", 0, 12);
  private static final BitField ACQS = new BitField("AQA.ACQS", 16, 12);

  private Aqa() {}

  /** Returns the word for queues of that many entries, each 2 to 4096. */
  public static int of(int submissionEntries, int completionEntries) {
    return ASQS.setCount(ACQS.setCount(0, completionEntries), submissionEntries);
  }

  /** ASQS: entries of the Admin Submission Queue, 1 (not allowed) to 4096 (bits 11:0 + 1). */
  public static int submissionEntries(int aqa) {
    return ASQS.get(aqa) + 1;
  }

  /** ACQS: entries of the Admin Completion Queue, 1 (not allowed) to 4096 (bits 27:16 + 1). */
  public static int completionEntries(int aqa) {
    return ACQS.get(aqa) + 1;
  }
}
