import org.gatun.testkit.DeviceRoute;
import org.gatun.vfiouser.testkit.VfioUserRoute;
import org.jspecify.annotations.NullMarked;

/** For tests: the route {@code vfio-user}, by which the tests of drivers run over a socket. */
@NullMarked
module org.gatun.vfiouser.testkit {
  requires static org.jspecify;
  requires org.gatun.nativeaccess;
  requires org.gatun.testkit;
  requires org.gatun.vfiouser;

  provides DeviceRoute with
      VfioUserRoute;
}
