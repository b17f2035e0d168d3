package org.gatun.hostile;

import java.io.File;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** For tests: where the modules of this guest are, and of the drivers that it uses. */
public final class GuestModules {
  private static final Pattern GUEST =
      Pattern.compile(
          ".*(hostile-guest/target|gatun-hostile-guest|guest-drivers|gatun-driver"
              + "|device-specs).*");
  private static final Pattern HELPER =
      Pattern.compile(".*(native-helper/target|gatun-hostile-native-helper).*");

  private GuestModules() {}

  /** The guest's module path. */
  public static List<Path> path() {
    return matching(GUEST);
  }

  /** The same, as a policy file has it. */
  public static String pathInPolicy() {
    return path().stream()
        .map(path -> "'" + path + "'")
        .collect(Collectors.joining(", ", "[", "]"));
  }

  /** What stands for native execution. */
  public static Path nativeHelper() {
    return matching(HELPER).getFirst();
  }

  private static List<Path> matching(Pattern pattern) {
    String all =
        System.getProperty("java.class.path")
            + File.pathSeparator
            + System.getProperty("jdk.module.path", "");
    return Pattern.compile(File.pathSeparator)
        .splitAsStream(all)
        .filter(entry -> pattern.matcher(entry).matches())
        .map(Path::of)
        .distinct()
        .toList();
  }
}
