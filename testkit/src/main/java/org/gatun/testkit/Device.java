package org.gatun.testkit;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * Says which device a parameter of type {@link org.gatun.pci.PciDevice} is, in a test with {@link
 * SimulatedPci}. Within one test the same text means the same device.
 */
@Documented
@Target(ElementType.PARAMETER)
@Retention(RetentionPolicy.RUNTIME)
public @interface Device {
  /**
   * The model and its options, as in the name of a simulated device behind {@code simulated:}, for
   * instance {@code edu} or {@code nvme,size=16M}.
   */
  String value();
}
