package org.gatun.containertests;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonFactory;
import com.github.dockerjava.api.model.AccessMode;
import com.github.dockerjava.api.model.Bind;
import com.github.dockerjava.api.model.Capability;
import com.github.dockerjava.api.model.HostConfig;
import com.github.dockerjava.api.model.Volume;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.gatun.driver.edu.EduDevice;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.nativeaccess.UnixSocket;
import org.gatun.pci.PciDevice;
import org.gatun.specs.edu.EduRegisters;
import org.gatun.vfio.common.Vfio;
import org.gatun.vfiouser.VfioUserBackend;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.containers.output.OutputFrame;

/** A container in which {@link GuestMain} runs. */
final class GuestContainer implements AutoCloseable {
  /** Where it has its grant directory. */
  static final String GRANTS = "/gatun";

  /** Where it has a JDK. */
  static final String JDK = "/jdk";

  /** One class of each jar that the program needs. */
  private static final List<Class<?>> JARS =
      List.of(
          GuestMain.class,
          VfioUserBackend.class,
          Vfio.class,
          UnixSocket.class,
          PciDevice.class,
          EduRegisters.class,
          EduDevice.class,
          NvmeController.class,
          JsonFactory.class);

  /** Where it has those jars. */
  static final List<String> CLASS_PATH =
      IntStream.range(0, JARS.size()).mapToObj(jar -> "/client/" + jar).toList();

  private static final String END = "(the end)";
  private static final int PATIENCE_SECONDS = 60;

  private final GenericContainer<?> container;
  private final BlockingQueue<String> output = new LinkedBlockingQueue<>();
  private final List<String> lines = new ArrayList<>();

  private GuestContainer(String image, Path grants, AccessMode access, List<String> arguments) {
    container =
        new GenericContainer<>(image)
            .withImagePullPolicy(_ -> false)
            .withLogConsumer(this::hear)
            .withCreateContainerCmdModifier(
                command -> {
                  List<Bind> binds = new ArrayList<>();
                  binds.add(new Bind(grants.toString(), new Volume(GRANTS), access));
                  binds.add(readOnly(System.getProperty("java.home"), JDK));
                  for (int i = 0; i < JARS.size(); i++) {
                    binds.add(readOnly(file(JARS.get(i)), CLASS_PATH.get(i)));
                  }
                  Objects.requireNonNull(command.getHostConfig()).withBinds(binds);
                  command.withCmd(command(arguments));
                });
  }

  /**
   * Starts one that has nothing but a grant directory, and a JDK and the program to run.
   *
   * @param user and group
   * @param arguments of the program, but for the first
   */
  static GuestContainer start(String image, Path grants, int user, Object... arguments) {
    GuestContainer guest = new GuestContainer(image, grants, AccessMode.ro, texts(arguments));
    guest.container.withCreateContainerCmdModifier(
        command -> {
          command.withUser(user + ":" + user);
          Objects.requireNonNull(command.getHostConfig())
              .withNetworkMode("none")
              .withIpcMode("none") // no /dev/shm
              .withCapDrop(Capability.ALL)
              .withReadonlyRootfs(true)
              .withSecurityOpts(List.of("no-new-privileges"));
        });
    guest.container.start();
    return guest;
  }

  /**
   * Starts one as it is if nobody thinks of confinement: as root, with a network, and with a folder
   * to write to.
   *
   * @param vfio what it has as {@code /dev/vfio}
   */
  static GuestContainer startOpen(String image, Path folder, Path vfio, Object... arguments) {
    GuestContainer guest = new GuestContainer(image, folder, AccessMode.rw, texts(arguments));
    guest.container.withCreateContainerCmdModifier(
        command -> {
          HostConfig config = Objects.requireNonNull(command.getHostConfig());
          List<Bind> binds = new ArrayList<>(List.of(config.getBinds()));
          binds.add(readOnly(vfio.toString(), "/dev/vfio"));
          config.withBinds(binds);
        });
    guest.container.start();
    return guest;
  }

  /**
   * Waits until the program says something.
   *
   * @return all that it has said
   */
  List<String> await(String wanted) throws InterruptedException {
    return await(1, wanted);
  }

  /** As {@link #await(String)}, for the nth time. */
  List<String> await(int times, String wanted) throws InterruptedException {
    while (Collections.frequency(lines, wanted) < times) {
      String line = output.poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
      assertThat(line).as("'%s' after %s", wanted, lines).isNotNull();
      lines.add(line);
      assertThat(line).as("'%s' in %s", wanted, lines).isNotEqualTo(END);
    }
    return lines;
  }

  /** Waits for the end of the program. */
  int awaitExit() {
    return container
        .getDockerClient()
        .waitContainerCmd(container.getContainerId())
        .start()
        .awaitStatusCode(PATIENCE_SECONDS, TimeUnit.SECONDS);
  }

  @Override
  public void close() {
    container.close();
  }

  private void hear(OutputFrame frame) {
    if (frame.getType() == OutputFrame.OutputType.END) {
      output.add(END);
    } else {
      frame.getUtf8StringWithoutLineEnding().lines().forEach(output::add);
    }
  }

  private static String[] command(List<String> arguments) {
    List<String> command = new ArrayList<>();
    command.addAll(List.of(JDK + "/bin/java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"));
    command.addAll(List.of("--enable-native-access=ALL-UNNAMED", "-cp"));
    command.add(String.join(":", CLASS_PATH));
    command.addAll(List.of(GuestMain.class.getName(), GRANTS));
    command.addAll(arguments);
    return command.toArray(String[]::new);
  }

  private static List<String> texts(Object... values) {
    return List.of(values).stream().map(Object::toString).collect(Collectors.toList());
  }

  private static Bind readOnly(String file, String path) {
    return new Bind(file, new Volume(path), AccessMode.ro);
  }

  private static String file(Class<?> of) {
    try {
      return Path.of(of.getProtectionDomain().getCodeSource().getLocation().toURI()).toString();
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }
}
