package org.gatun.specs.nvme;

/** Feature identifiers, and what some features' dwords hold (Base 5.15 and 5.27). */
public final class Features {
  /** 01h: Arbitration. */
  public static final int ARBITRATION = 0x01;

  /** 02h: Power Management. */
  public static final int POWER_MANAGEMENT = 0x02;

  /** 03h: LBA Range Type. */
  public static final int LBA_RANGE_TYPE = 0x03;

  /** 04h: Temperature Threshold. */
  public static final int TEMPERATURE_THRESHOLD = 0x04;

  /** 05h: Error Recovery. */
  public static final int ERROR_RECOVERY = 0x05;

  /** 06h: Volatile Write Cache: {@link #WRITE_CACHE_ENABLE}. */
  public static final int VOLATILE_WRITE_CACHE = 0x06;

  /** 07h: Number of Queues: see {@link #numberOfQueues}. */
  public static final int NUMBER_OF_QUEUES = 0x07;

  /** 08h: Interrupt Coalescing: see {@link #interruptCoalescing}. */
  public static final int INTERRUPT_COALESCING = 0x08;

  /** 09h: Interrupt Vector Configuration: see {@link #interruptVectorConfiguration}. */
  public static final int INTERRUPT_VECTOR_CONFIGURATION = 0x09;

  /** 0Ah: Write Atomicity Normal. */
  public static final int WRITE_ATOMICITY_NORMAL = 0x0a;

  /** 0Bh: Asynchronous Event Configuration: {@link #EVENT_NAMESPACE_ATTRIBUTE} and so on. */
  public static final int ASYNCHRONOUS_EVENT_CONFIGURATION = 0x0b;

  /** 0Ch: Autonomous Power State Transition. */
  public static final int AUTONOMOUS_POWER_STATE_TRANSITION = 0x0c;

  /** 0Dh: Host Memory Buffer. */
  public static final int HOST_MEMORY_BUFFER = 0x0d;

  /** 0Eh: Timestamp. */
  public static final int TIMESTAMP = 0x0e;

  /** 0Fh: Keep Alive Timer. */
  public static final int KEEP_ALIVE_TIMER = 0x0f;

  /** 10h: Host Controlled Thermal Management. */
  public static final int HOST_CONTROLLED_THERMAL_MANAGEMENT = 0x10;

  /** 13h: Predictable Latency Mode Config. */
  public static final int PREDICTABLE_LATENCY_MODE = 0x13;

  /** 16h: Host Behavior Support. */
  public static final int HOST_BEHAVIOR_SUPPORT = 0x16;

  /** 19h: I/O Command Set Profile. */
  public static final int IO_COMMAND_SET_PROFILE = 0x19;

  /** 80h: Software Progress Marker. */
  public static final int SOFTWARE_PROGRESS_MARKER = 0x80;

  /** 81h: Host Identifier. */
  public static final int HOST_IDENTIFIER = 0x81;

  /** 84h: Namespace Write Protection Configuration. */
  public static final int NAMESPACE_WRITE_PROTECTION = 0x84;

  /** SEL of Get Features: the current value. */
  public static final int SELECT_CURRENT = 0;

  /** SEL: the default value. */
  public static final int SELECT_DEFAULT = 1;

  /** SEL: the saved value. */
  public static final int SELECT_SAVED = 2;

  /** SEL: supported capabilities: bit 0 saveable, bit 1 namespace specific, bit 2 changeable. */
  public static final int SELECT_SUPPORTED = 3;

  /** Dword 0 for {@link #SELECT_SUPPORTED}: the feature's value can be saved. */
  public static final int CAPABILITY_SAVEABLE = 1 << 0;

  /** Dword 0 for {@link #SELECT_SUPPORTED}: each namespace has a value of its own. */
  public static final int CAPABILITY_NAMESPACE_SPECIFIC = 1 << 1;

  /** Dword 0 for {@link #SELECT_SUPPORTED}: the value can be changed. */
  public static final int CAPABILITY_CHANGEABLE = 1 << 2;

  /** {@link #HOST_IDENTIFIER}, dword 11: EXHID, the identifier has 128 bits, not 64. */
  public static final int HOST_IDENTIFIER_EXTENDED = 1;

  /** {@link #VOLATILE_WRITE_CACHE}, dword 11: WCE, Volatile Write Cache Enable. */
  public static final int WRITE_CACHE_ENABLE = 1;

  /**
   * {@link #ASYNCHRONOUS_EVENT_CONFIGURATION}, dword 11: critical warnings, as in the SMART log.
   */
  public static final int EVENT_CRITICAL_WARNINGS = 0xff;

  /** {@link #ASYNCHRONOUS_EVENT_CONFIGURATION}, dword 11: Namespace Attribute Notices. */
  public static final int EVENT_NAMESPACE_ATTRIBUTE = 1 << 8;

  /** {@link #ASYNCHRONOUS_EVENT_CONFIGURATION}, dword 11: Firmware Activation Notices. */
  public static final int EVENT_FIRMWARE_ACTIVATION = 1 << 9;

  /** {@link #ASYNCHRONOUS_EVENT_CONFIGURATION}, dword 11: Telemetry Log Notices. */
  public static final int EVENT_TELEMETRY_LOG = 1 << 10;

  private static final BitField FID = new BitField("CDW10.FID", 0, 8);
  private static final BitField SEL = new BitField("CDW10.SEL", 8, 3);
  private static final BitField SV = new BitField("CDW10.SV", 31, 1);
  private static final BitField PS = new BitField("Power Management.PS", 0, 5);
  private static final BitField WH = new BitField("Power Management.WH", 5, 3);
  private static final BitField NSQ = new BitField("Number of Queues.NSQ", 0, 16);
  private static final BitField NCQ = new BitField("Number of Queues.NCQ", 16, 16);
  private static final BitField THR = new BitField("Interrupt Coalescing.THR", 0, 8);
  private static final BitField TIME = new BitField("Interrupt Coalescing.TIME", 8, 8);
  private static final BitField IV = new BitField("Interrupt Vector Configuration.IV", 0, 16);
  private static final BitField CD = new BitField("Interrupt Vector Configuration.CD", 16, 1);

  private Features() {}

  /** Returns dword 10 of Get Features, with one of {@link #SELECT_CURRENT} and so on. */
  public static int getDword10(int feature, int select) {
    return FID.set(SEL.set(0, select), feature);
  }

  /** Returns dword 10 of Set Features, which saves the value across resets if told to. */
  public static int setDword10(int feature, boolean save) {
    return FID.set(SV.set(0, save), feature);
  }

  /** FID: the feature of a Get Features or Set Features (dword 10, bits 7:0). */
  public static int feature(int dword10) {
    return FID.get(dword10);
  }

  /** SEL: what Get Features asks for (dword 10, bits 10:8). */
  public static int select(int dword10) {
    return SEL.get(dword10);
  }

  /** SV: Set Features is to save the value (dword 10, bit 31). */
  public static boolean isSave(int dword10) {
    return SV.isSet(dword10);
  }

  /**
   * Returns how many bytes the data structure of a feature has; 0 for one whose value is a dword
   * (Base 5.15 and 5.27).
   *
   * @param feature FID, any
   * @param dword11 of the command: {@link #HOST_IDENTIFIER_EXTENDED}
   */
  public static int dataSize(int feature, int dword11) {
    return switch (feature) {
      case LBA_RANGE_TYPE, HOST_MEMORY_BUFFER -> 4096;
      case HOST_BEHAVIOR_SUPPORT, PREDICTABLE_LATENCY_MODE -> 512;
      case AUTONOMOUS_POWER_STATE_TRANSITION -> 256;
      case TIMESTAMP -> FeatureTimestamp.SIZE;
      case HOST_IDENTIFIER -> (dword11 & HOST_IDENTIFIER_EXTENDED) != 0 ? 16 : 8;
      default -> 0;
    };
  }

  /** Returns Power Management: a state, and a hint of the workload, 0 for none. */
  public static int powerManagement(int state, int workload) {
    return PS.set(WH.set(0, workload), state);
  }

  /** PS: the power state, 0 to 31 (Power Management, bits 4:0). */
  public static int powerState(int powerManagement) {
    return PS.get(powerManagement);
  }

  /** WH: the hint of the workload (Power Management, bits 7:5). */
  public static int workload(int powerManagement) {
    return WH.get(powerManagement);
  }

  /**
   * Returns Number of Queues: dword 11 of Set Features, what the host asks for, and dword 0 of its
   * completion, what it gets, more or less.
   *
   * @param submissionQueues I/O Submission Queues, 1 to 65535
   * @param completionQueues I/O Completion Queues, 1 to 65535
   */
  public static int numberOfQueues(int submissionQueues, int completionQueues) {
    return NSQ.setCount(NCQ.setCount(0, completionQueues), submissionQueues);
  }

  /** NSQR, NSQA: I/O Submission Queues, 1 to 65536, which is not allowed (bits 15:0 + 1). */
  public static int submissionQueues(int numberOfQueues) {
    return NSQ.get(numberOfQueues) + 1;
  }

  /** NCQR, NCQA: I/O Completion Queues, 1 to 65536, which is not allowed (bits 31:16 + 1). */
  public static int completionQueues(int numberOfQueues) {
    return NCQ.get(numberOfQueues) + 1;
  }

  /**
   * Returns Interrupt Coalescing, dword 11.
   *
   * @param threshold THR: completions before an interrupt, 1 to 256
   * @param time TIME: the longest delay in 100 microseconds, 0 to 255; 0 is none
   */
  public static int interruptCoalescing(int threshold, int time) {
    return THR.setCount(TIME.set(0, time), threshold);
  }

  /** Returns Interrupt Vector Configuration, dword 11: coalescing of a vector off or on. */
  public static int interruptVectorConfiguration(int vector, boolean coalescingDisabled) {
    return IV.set(CD.set(0, coalescingDisabled), vector);
  }
}
