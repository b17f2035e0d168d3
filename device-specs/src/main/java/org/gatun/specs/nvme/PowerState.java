package org.gatun.specs.nvme;

import java.lang.foreign.MemorySegment;

/**
 * A Power State Descriptor of Identify Controller (Base 5.17.2.1, figure 276). Latencies and powers
 * of 0 are not reported.
 *
 * @param maxPowerMicrowatts MP, in its scale, MXPS: the most the NVM subsystem draws in this state
 * @param operational not NOPS: I/O commands are processed in this state
 * @param entryLatencyMicros ENLAT: how long entering the state takes at most
 * @param exitLatencyMicros EXLAT: how long leaving it takes at most
 * @param readThroughput RRT, relative: 0 is the highest of the controller's states
 * @param readLatency RRL, relative: 0 is the lowest
 * @param writeThroughput RWT, relative: 0 is the highest
 * @param writeLatency RWL, relative: 0 is the lowest
 * @param idlePowerMicrowatts IDLP, in its scale, IPS: drawn over 30 seconds of idleness
 * @param activePowerMicrowatts ACTP, in its scale, APS: the most drawn on average, under the
 *     workload APW
 * @param activePowerWorkload APW: which workload {@code activePowerMicrowatts} is about; 0 is none
 */
public record PowerState(
    long maxPowerMicrowatts,
    boolean operational,
    long entryLatencyMicros,
    long exitLatencyMicros,
    int readThroughput,
    int readLatency,
    int writeThroughput,
    int writeLatency,
    long idlePowerMicrowatts,
    long activePowerMicrowatts,
    int activePowerWorkload) {
  /** Size of a descriptor in bytes. */
  public static final int SIZE = 32;

  private static final int CENTIWATT = 10_000;
  private static final int TENTH_OF_MILLIWATT = 100;

  private static final BitField MP = new BitField("PSD.MP", 0, 16);
  private static final BitField MXPS = new BitField("PSD.MXPS", 24, 1);
  private static final BitField NOPS = new BitField("PSD.NOPS", 25, 1);
  private static final BitField RRT = new BitField("PSD.RRT", 0, 5);
  private static final BitField RRL = new BitField("PSD.RRL", 8, 5);
  private static final BitField RWT = new BitField("PSD.RWT", 16, 5);
  private static final BitField RWL = new BitField("PSD.RWL", 24, 5);
  private static final BitField IDLP = new BitField("PSD.IDLP", 0, 16);
  private static final BitField IPS = new BitField("PSD.IPS", 22, 2);
  private static final BitField ACTP = new BitField("PSD.ACTP", 0, 16);
  private static final BitField APW = new BitField("PSD.APW", 16, 3);
  private static final BitField APS = new BitField("PSD.APS", 22, 2);

  /** Returns what a descriptor says. */
  public static PowerState read(MemorySegment descriptor) {
    int dword0 = LittleEndian.getI32(descriptor, 0);
    int dword3 = LittleEndian.getI32(descriptor, 12);
    int dword4 = LittleEndian.getI32(descriptor, 16);
    int dword5 = LittleEndian.getI32(descriptor, 20);
    return new PowerState(
        MP.get(dword0) * (long) (MXPS.isSet(dword0) ? TENTH_OF_MILLIWATT : CENTIWATT),
        !NOPS.isSet(dword0),
        LittleEndian.getU32(descriptor, 4),
        LittleEndian.getU32(descriptor, 8),
        RRT.get(dword3),
        RRL.get(dword3),
        RWT.get(dword3),
        RWL.get(dword3),
        IDLP.get(dword4) * (long) unit(IPS.get(dword4)),
        ACTP.get(dword5) * (long) unit(APS.get(dword5)),
        APW.get(dword5));
  }

  /** IPS and APS: 0 is not reported, and so is 3, which is reserved. */
  private static int unit(int scale) {
    return switch (scale) {
      case 1 -> TENTH_OF_MILLIWATT;
      case 2 -> CENTIWATT;
      default -> 0;
    };
  }
}
