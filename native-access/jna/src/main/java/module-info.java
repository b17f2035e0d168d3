/**
 * The system calls of {@code org.gatun.nativeaccess} through JNA, for who can't or won't use the
 * FFM API. Chosen with {@code -Dgatun.native=jna}; the native access is JNA's: {@code
 * --enable-native-access=com.sun.jna}.
 */
@org.jspecify.annotations.NullMarked
module org.gatun.nativeaccess.jna {
  requires static org.jspecify;
  requires com.sun.jna;
  requires org.gatun.nativeaccess;

  provides org.gatun.nativeaccess.LinuxCalls with
      org.gatun.nativeaccess.jna.JnaCalls;
}
