package org.gatun.broker.service.process;

import java.util.List;
import org.gatun.hostile.GuestModules;

/** Gives hostile guests what stands for native execution. In the launcher's package: it may. */
public final class NativeHelper {
  private NativeHelper() {}

  /** For all guests that this one starts from now on. */
  public static void addTo(GuestLauncher launcher) {
    launcher.addToBootLayer(
        GuestModules.nativeHelper(),
        List.of(
            "--add-modules=org.gatun.hostile.nativehelper",
            "--enable-native-access=org.gatun.nativeaccess,org.gatun.hostile.nativehelper"));
  }
}
