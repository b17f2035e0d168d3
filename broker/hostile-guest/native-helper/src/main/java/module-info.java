import org.jspecify.annotations.NullMarked;

/**
 * Stands for what a guest can do that has gained native execution, which no lock of Java's holds.
 */
@NullMarked
module org.gatun.hostile.nativehelper {
  requires static org.jspecify;

  exports org.gatun.hostile.nativehelper;
}
