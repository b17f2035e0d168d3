package org.gatun.specs.nvme;

import java.lang.foreign.MemorySegment;
import java.math.BigInteger;
import java.util.Objects;

/**
 * The SMART / Health Information log page, LID 02h (Base 5.16.1.3). Counters are 128 bits,
 * unsigned.
 */
public final class SmartLog {
  /** Size in bytes. */
  public static final int SIZE = 512;

  /** Critical Warning, 8 bits. */
  public static final int CRITICAL_WARNING = 0;

  /** Composite Temperature in kelvins. */
  public static final int COMPOSITE_TEMPERATURE = 1;

  /** Available Spare in percent, 0 to 100. */
  public static final int AVAILABLE_SPARE = 3;

  /** Available Spare Threshold in percent. */
  public static final int AVAILABLE_SPARE_THRESHOLD = 4;

  /** Percentage Used of the expected life, 0 to 255 (which is 255 or more). */
  public static final int PERCENTAGE_USED = 5;

  /** Endurance Group Critical Warning Summary, 8 bits. */
  public static final int ENDURANCE_GROUP_CRITICAL_WARNING = 6;

  /** Data Units Read, in 1000 times 512 bytes, rounded up. */
  public static final int DATA_UNITS_READ = 32;

  /** Data Units Written, in 1000 times 512 bytes, rounded up. */
  public static final int DATA_UNITS_WRITTEN = 48;

  /** Host Read Commands completed. */
  public static final int HOST_READ_COMMANDS = 64;

  /** Host Write Commands completed. */
  public static final int HOST_WRITE_COMMANDS = 80;

  /** Controller Busy Time in minutes. */
  public static final int CONTROLLER_BUSY_TIME = 96;

  /** Power Cycles. */
  public static final int POWER_CYCLES = 112;

  /** Power On Hours. */
  public static final int POWER_ON_HOURS = 128;

  /** Unsafe Shutdowns: power was lost without a shutdown notification. */
  public static final int UNSAFE_SHUTDOWNS = 144;

  /** Media and Data Integrity Errors. */
  public static final int MEDIA_ERRORS = 160;

  /** Number of Error Information Log Entries over the life. */
  public static final int ERROR_LOG_ENTRIES = 176;

  /** Warning Composite Temperature Time in minutes. */
  public static final int WARNING_TEMPERATURE_TIME = 192;

  /** Critical Composite Temperature Time in minutes. */
  public static final int CRITICAL_TEMPERATURE_TIME = 196;

  /** Temperature Sensors 1 to 8, 16 bits each, in kelvins; 0 is not implemented. */
  public static final int TEMPERATURE_SENSORS = 200;

  /** Thermal Management Temperature Transition Counts 1 and 2, 32 bits each. */
  public static final int THERMAL_TRANSITIONS = 216;

  /** Total Time For Thermal Management Temperature 1 and 2 in seconds, 32 bits each. */
  public static final int THERMAL_TIME = 224;

  /** {@link #CRITICAL_WARNING}: the available spare is below its threshold. */
  public static final int CRITICAL_WARNING_SPARE = 1 << 0;

  /** {@link #CRITICAL_WARNING}: a temperature is beyond its threshold. */
  public static final int CRITICAL_WARNING_TEMPERATURE = 1 << 1;

  /** {@link #CRITICAL_WARNING}: the reliability is degraded by media or internal errors. */
  public static final int CRITICAL_WARNING_RELIABILITY = 1 << 2;

  /** {@link #CRITICAL_WARNING}: all of the media are read only. */
  public static final int CRITICAL_WARNING_READ_ONLY = 1 << 3;

  /** {@link #CRITICAL_WARNING}: the backup of volatile memory has failed. */
  public static final int CRITICAL_WARNING_VOLATILE_MEMORY_BACKUP = 1 << 4;

  /** {@link #CRITICAL_WARNING}: the Persistent Memory Region is read only or unreliable. */
  public static final int CRITICAL_WARNING_PERSISTENT_MEMORY_REGION = 1 << 5;

  private final MemorySegment data;

  /**
   * A view of the first {@link #SIZE} bytes: reads and writes go there.
   *
   * @throws IllegalArgumentException if the memory is shorter
   */
  public SmartLog(MemorySegment data) {
    this.data = LittleEndian.slice("SMART / Health Information log", data, SIZE);
  }

  /**
   * Returns a view of a heap copy, which a device cannot change any more.
   *
   * @throws IllegalArgumentException if the memory is shorter than {@link #SIZE}
   */
  public static SmartLog copyOf(MemorySegment data) {
    return new SmartLog(LittleEndian.copy("SMART / Health Information log", data, SIZE));
  }

  /** Returns a view of new heap memory, all zero. */
  public static SmartLog create() {
    return new SmartLog(LittleEndian.zeroes(SIZE));
  }

  /** Returns the memory, {@link #SIZE} bytes. */
  public MemorySegment segment() {
    return data;
  }

  /** Returns {@link #CRITICAL_WARNING}. */
  public int criticalWarning() {
    return LittleEndian.getU8(data, CRITICAL_WARNING);
  }

  /** Sets {@link #CRITICAL_WARNING}. */
  public void setCriticalWarning(int value) {
    LittleEndian.putU8(data, CRITICAL_WARNING, value);
  }

  /** Returns {@link #COMPOSITE_TEMPERATURE}. */
  public int compositeTemperature() {
    return LittleEndian.getU16(data, COMPOSITE_TEMPERATURE);
  }

  /** Sets {@link #COMPOSITE_TEMPERATURE}. */
  public void setCompositeTemperature(int value) {
    LittleEndian.putU16(data, COMPOSITE_TEMPERATURE, value);
  }

  /** Returns {@link #AVAILABLE_SPARE}. */
  public int availableSpare() {
    return LittleEndian.getU8(data, AVAILABLE_SPARE);
  }

  /** Sets {@link #AVAILABLE_SPARE}. */
  public void setAvailableSpare(int value) {
    LittleEndian.putU8(data, AVAILABLE_SPARE, value);
  }

  /** Returns {@link #AVAILABLE_SPARE_THRESHOLD}. */
  public int availableSpareThreshold() {
    return LittleEndian.getU8(data, AVAILABLE_SPARE_THRESHOLD);
  }

  /** Sets {@link #AVAILABLE_SPARE_THRESHOLD}. */
  public void setAvailableSpareThreshold(int value) {
    LittleEndian.putU8(data, AVAILABLE_SPARE_THRESHOLD, value);
  }

  /** Returns {@link #PERCENTAGE_USED}. */
  public int percentageUsed() {
    return LittleEndian.getU8(data, PERCENTAGE_USED);
  }

  /** Sets {@link #PERCENTAGE_USED}. */
  public void setPercentageUsed(int value) {
    LittleEndian.putU8(data, PERCENTAGE_USED, value);
  }

  /** Returns {@link #ENDURANCE_GROUP_CRITICAL_WARNING}. */
  public int enduranceGroupCriticalWarning() {
    return LittleEndian.getU8(data, ENDURANCE_GROUP_CRITICAL_WARNING);
  }

  /** Sets {@link #ENDURANCE_GROUP_CRITICAL_WARNING}. */
  public void setEnduranceGroupCriticalWarning(int value) {
    LittleEndian.putU8(data, ENDURANCE_GROUP_CRITICAL_WARNING, value);
  }

  /** Returns {@link #DATA_UNITS_READ}. */
  public BigInteger dataUnitsRead() {
    return LittleEndian.getU128(data, DATA_UNITS_READ);
  }

  /** Sets {@link #DATA_UNITS_READ}. */
  public void setDataUnitsRead(BigInteger value) {
    LittleEndian.putU128(data, DATA_UNITS_READ, value);
  }

  /** Returns {@link #DATA_UNITS_WRITTEN}. */
  public BigInteger dataUnitsWritten() {
    return LittleEndian.getU128(data, DATA_UNITS_WRITTEN);
  }

  /** Sets {@link #DATA_UNITS_WRITTEN}. */
  public void setDataUnitsWritten(BigInteger value) {
    LittleEndian.putU128(data, DATA_UNITS_WRITTEN, value);
  }

  /** Returns {@link #HOST_READ_COMMANDS}. */
  public BigInteger hostReadCommands() {
    return LittleEndian.getU128(data, HOST_READ_COMMANDS);
  }

  /** Sets {@link #HOST_READ_COMMANDS}. */
  public void setHostReadCommands(BigInteger value) {
    LittleEndian.putU128(data, HOST_READ_COMMANDS, value);
  }

  /** Returns {@link #HOST_WRITE_COMMANDS}. */
  public BigInteger hostWriteCommands() {
    return LittleEndian.getU128(data, HOST_WRITE_COMMANDS);
  }

  /** Sets {@link #HOST_WRITE_COMMANDS}. */
  public void setHostWriteCommands(BigInteger value) {
    LittleEndian.putU128(data, HOST_WRITE_COMMANDS, value);
  }

  /** Returns {@link #CONTROLLER_BUSY_TIME}. */
  public BigInteger controllerBusyTime() {
    return LittleEndian.getU128(data, CONTROLLER_BUSY_TIME);
  }

  /** Sets {@link #CONTROLLER_BUSY_TIME}. */
  public void setControllerBusyTime(BigInteger value) {
    LittleEndian.putU128(data, CONTROLLER_BUSY_TIME, value);
  }

  /** Returns {@link #POWER_CYCLES}. */
  public BigInteger powerCycles() {
    return LittleEndian.getU128(data, POWER_CYCLES);
  }

  /** Sets {@link #POWER_CYCLES}. */
  public void setPowerCycles(BigInteger value) {
    LittleEndian.putU128(data, POWER_CYCLES, value);
  }

  /** Returns {@link #POWER_ON_HOURS}. */
  public BigInteger powerOnHours() {
    return LittleEndian.getU128(data, POWER_ON_HOURS);
  }

  /** Sets {@link #POWER_ON_HOURS}. */
  public void setPowerOnHours(BigInteger value) {
    LittleEndian.putU128(data, POWER_ON_HOURS, value);
  }

  /** Returns {@link #UNSAFE_SHUTDOWNS}. */
  public BigInteger unsafeShutdowns() {
    return LittleEndian.getU128(data, UNSAFE_SHUTDOWNS);
  }

  /** Sets {@link #UNSAFE_SHUTDOWNS}. */
  public void setUnsafeShutdowns(BigInteger value) {
    LittleEndian.putU128(data, UNSAFE_SHUTDOWNS, value);
  }

  /** Returns {@link #MEDIA_ERRORS}. */
  public BigInteger mediaErrors() {
    return LittleEndian.getU128(data, MEDIA_ERRORS);
  }

  /** Sets {@link #MEDIA_ERRORS}. */
  public void setMediaErrors(BigInteger value) {
    LittleEndian.putU128(data, MEDIA_ERRORS, value);
  }

  /** Returns {@link #ERROR_LOG_ENTRIES}. */
  public BigInteger errorLogEntries() {
    return LittleEndian.getU128(data, ERROR_LOG_ENTRIES);
  }

  /** Sets {@link #ERROR_LOG_ENTRIES}. */
  public void setErrorLogEntries(BigInteger value) {
    LittleEndian.putU128(data, ERROR_LOG_ENTRIES, value);
  }

  /** Returns {@link #WARNING_TEMPERATURE_TIME}. */
  public long warningTemperatureTime() {
    return LittleEndian.getU32(data, WARNING_TEMPERATURE_TIME);
  }

  /** Sets {@link #WARNING_TEMPERATURE_TIME}. */
  public void setWarningTemperatureTime(long value) {
    LittleEndian.putU32(data, WARNING_TEMPERATURE_TIME, value);
  }

  /** Returns {@link #CRITICAL_TEMPERATURE_TIME}. */
  public long criticalTemperatureTime() {
    return LittleEndian.getU32(data, CRITICAL_TEMPERATURE_TIME);
  }

  /** Sets {@link #CRITICAL_TEMPERATURE_TIME}. */
  public void setCriticalTemperatureTime(long value) {
    LittleEndian.putU32(data, CRITICAL_TEMPERATURE_TIME, value);
  }

  /**
   * Returns what a temperature sensor measures in kelvins; 0 is a sensor that is not there.
   *
   * @param sensor 1 to 8
   */
  public int temperatureSensor(int sensor) {
    return LittleEndian.getU16(data, sensorOffset(sensor));
  }

  /** Sets what a temperature sensor, 1 to 8, measures in kelvins. */
  public void setTemperatureSensor(int sensor, int kelvins) {
    LittleEndian.putU16(data, sensorOffset(sensor), kelvins);
  }

  /**
   * Returns how often the controller began to throttle itself to cool down: {@link
   * #THERMAL_TRANSITIONS}.
   *
   * @param level 1, lightly, or 2, heavily
   */
  public long thermalTransitions(int level) {
    return LittleEndian.getU32(data, THERMAL_TRANSITIONS + thermalOffset(level));
  }

  /** Sets how often the controller began to throttle itself at a level, 1 or 2. */
  public void setThermalTransitions(int level, long count) {
    LittleEndian.putU32(data, THERMAL_TRANSITIONS + thermalOffset(level), count);
  }

  /** Returns for how many seconds it has throttled itself at a level, 1 or 2. */
  public long thermalTime(int level) {
    return LittleEndian.getU32(data, THERMAL_TIME + thermalOffset(level));
  }

  /** Sets for how many seconds it has throttled itself at a level, 1 or 2. */
  public void setThermalTime(int level, long seconds) {
    LittleEndian.putU32(data, THERMAL_TIME + thermalOffset(level), seconds);
  }

  private static long thermalOffset(int level) {
    return 4L * Objects.checkIndex(level - 1, 2);
  }

  private static long sensorOffset(int sensor) {
    if (sensor < 1 || sensor > 8) {
      throw new IndexOutOfBoundsException("temperature sensor " + sensor + ": there are 1 to 8");
    }
    return TEMPERATURE_SENSORS + 2L * (sensor - 1);
  }
}
