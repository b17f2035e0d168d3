package org.gatun.testkit;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Inherited;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.gatun.simulated.SimulatedBus;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * Gives each test of a class a simulated bus of its own, and fails a test that leaves something of
 * a device open.
 *
 * <pre>{@code
 * @SimulatedPci
 * class MyDriverTest {
 *   @Test
 *   void computes(@Device("edu") PciDevice device, TimeSource time) {
 *     try (MyDriver driver = MyDriver.open(device, time)) {
 *       assertThat(driver.factorial(5)).isEqualTo(120);
 *     }
 *   }
 * }
 * }</pre>
 *
 * <p>Parameters of constructors, tests and life cycle methods can be
 *
 * <ul>
 *   <li>a {@link org.gatun.pci.PciDevice} with {@link Device}: plugged in, opened, and closed after
 *       the test;
 *   <li>the {@link org.gatun.simulated.fault.Faults} of such a device, with the same {@link
 *       Device}: the switch by which things go wrong with it;
 *   <li>the {@link SimulatedBus}, to plug in more, to pull out, to look at the faults of its IOMMU;
 *   <li>the {@link org.gatun.pci.TimeSource} of that bus, for drivers.
 * </ul>
 *
 * <p>They are the same objects wherever one test asks for them. What {@code @BeforeAll} asks for is
 * shared by the tests of the class, and checked after the last one.
 *
 * <p>After a test, and after its {@code @AfterEach} methods, each device must have got back what it
 * gave out, or be closed: mappings, DMA buffers, vectors. If not, the test fails, with a message
 * that names them. A test that failed anyway is not checked.
 *
 * <p>The same tests run on hardware: {@code -Dgatun.device.nvme=vfio:0000:01:00.0} has that device
 * take the place of each with the model {@code nvme}, whatever its options, and likewise for other
 * models and for sockets ({@code vfio-user:/run/disk.sock}). Its backend is on the path of the
 * test. For a test that asks for such a device, by any of its methods, time is the machine's; it is
 * skipped if it asks for the bus, too, or for faults of that device. Other tests are as they are
 * without.
 *
 * <p>For a test that fails, the last accesses of its devices, their DMA too, go to standard error,
 * and all that were kept into files in {@code target/traces}, or in the folder that the system
 * property {@code gatun.test.traces} names: as text, and as JSON for Perfetto.
 */
@Documented
@Inherited
@Target(ElementType.TYPE)
@Retention(RetentionPolicy.RUNTIME)
@SuppressWarnings("exports") // JUnit makes it, nobody else does
@ExtendWith(SimulatedPciExtension.class)
public @interface SimulatedPci {
  /** How time passes on the bus. */
  enum Time {
    /** Only while somebody waits for it: see {@link SimulatedBus#virtualTime}. */
    VIRTUAL,
    /** As it does here. For tests with several threads: see {@link SimulatedBus#realTime}. */
    REAL
  }

  /** How time passes. */
  Time time() default Time.VIRTUAL;

  /**
   * How many accesses of its devices are kept for a test that fails; 0 traces nothing, so that
   * ranges of BARs that are direct stay direct.
   */
  int trace() default 4096;
}
