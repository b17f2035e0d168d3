package org.gatun.pci;

import java.util.Optional;

/**
 * Something that has an operating system object behind it, which modules of Gatun with native
 * access can pass on. A guest can hold one, but can't name the type that it wraps.
 */
public interface Shareable {
  /**
   * The object behind it, if it is of exactly this type.
   *
   * @param exactType a type that only modules with native access can name
   */
  <T> Optional<T> unwrap(Class<T> exactType);
}
