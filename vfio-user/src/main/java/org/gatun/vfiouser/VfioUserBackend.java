package org.gatun.vfiouser;

import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.gatun.nativeaccess.LinuxException;
import org.gatun.nativeaccess.UnixSocket;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.pci.PciDevice;
import org.gatun.pci.spi.FoundDevice;
import org.gatun.pci.spi.PciBackend;
import org.gatun.vfiouser.client.VfioUserDevice;

/**
 * Devices that somebody serves by the vfio-user protocol: {@code vfio-user:/path/to/socket}. Where
 * the server shares memory it is mapped, else registers are reached by messages. When the server
 * dies, {@link org.gatun.pci.DetachListener}s hear that the device is gone.
 */
public final class VfioUserBackend implements PciBackend {
  /** Of its device names. */
  public static final String SCHEME = "vfio-user";

  private final Limits limits;

  /** For {@link java.util.ServiceLoader}. */
  public VfioUserBackend() {
    this(Limits.DEFAULT);
  }

  /**
   * With other limits.
   *
   * @param limits what a server may take of time, and send
   */
  public VfioUserBackend(Limits limits) {
    this.limits = limits;
  }

  @Override
  public String scheme() {
    return SCHEME;
  }

  /** Nobody knows of all sockets. */
  @Override
  public List<FoundDevice> scan() {
    return List.of();
  }

  /** Asks who serves it, as a client: one that has it already is waited for. */
  @Override
  public Optional<FoundDevice> find(DeviceName name) {
    return Optional.of(VfioUserDevice.find(name, connect(name), limits));
  }

  @Override
  public PciDevice open(DeviceName name) {
    return VfioUserDevice.open(name, connect(name), limits);
  }

  /**
   * Opens the device at the other end of a connected socket.
   *
   * @param name what to call it, of any scheme
   * @param connected is taken over
   */
  @SuppressWarnings("exports") // to our own modules
  public PciDevice open(DeviceName name, UnixSocket connected) {
    return VfioUserDevice.open(name, connected, limits);
  }

  /**
   * Opens the device at the other end of a connected socket, over which no descriptor comes.
   *
   * @param name what to call it, of any scheme
   * @param connected is taken over
   * @param inherited what of the device this process was started with
   */
  @SuppressWarnings("exports") // to our own modules
  public PciDevice open(DeviceName name, UnixSocket connected, Inherited inherited) {
    return VfioUserDevice.open(name, connected, limits, inherited);
  }

  private UnixSocket connect(DeviceName name) {
    Path path;
    try {
      path = Path.of(name.text());
    } catch (InvalidPathException e) {
      throw new IllegalArgumentException(name + ": that is no path: " + e.getReason(), e);
    }
    try {
      return UnixSocket.connect(path, limits.patience());
    } catch (LinuxException e) {
      String remedy =
          switch (e.errno()) {
            case ENOENT -> "serve one there: 'gatun export DEVICE --socket " + path + "'";
            case ECONNREFUSED -> "who served it there has ended: serve it again";
            case ETIMEDOUT -> "others wait for it: it is served to one client at a time";
            case EACCES -> "only some users may connect: see who owns the socket";
            default -> null;
          };
      throw new DeviceUnavailableException(name, String.valueOf(e.getMessage()), remedy, e);
    }
  }
}
