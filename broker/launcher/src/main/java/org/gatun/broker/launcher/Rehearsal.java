package org.gatun.broker.launcher;

import java.io.IOException;
import java.lang.module.ModuleReader;
import java.lang.module.ModuleReference;
import java.lang.module.ResolvedModule;
import java.util.List;
import java.util.stream.Stream;
import org.gatun.nativeaccess.Access;
import org.gatun.nativeaccess.EventFd;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.Mapping;
import org.gatun.nativeaccess.Memfd;
import org.gatun.nativeaccess.UnixSocket;

/**
 * What the two stages do, without a guest. At its end the JVM writes down which classes it has
 * loaded, for those of guests to find them read and verified (JEP 350), which takes a sixth off the
 * time of their start.
 */
public final class Rehearsal {
  private static final String CLASS = ".class";

  private Rehearsal() {}

  /**
   * Loads the classes of all modules that are not the JDK's, and some of the JDK's by using them.
   */
  public static void main(String[] arguments) throws IOException {
    for (ResolvedModule resolved : ModuleLayer.boot().configuration().modules()) {
      if (isFile(resolved.reference())) {
        load(ModuleLayer.boot().findModule(resolved.name()).orElseThrow(), resolved.reference());
      }
    }
    send();
  }

  private static boolean isFile(ModuleReference reference) {
    return reference.location().filter(uri -> uri.getScheme().equals("file")).isPresent();
  }

  private static void load(Module module, ModuleReference reference) throws IOException {
    try (ModuleReader reader = reference.open();
        Stream<String> names = reader.list()) {
      names
          .filter(name -> name.endsWith(CLASS) && !name.contains("-"))
          .map(name -> name.substring(0, name.length() - CLASS.length()).replace('/', '.'))
          .forEach(name -> load(module, name));
    }
  }

  private static void load(Module module, String name) {
    try {
      Class.forName(module, name);
    } catch (LinkageError e) {
      // It is for those who have a module besides that is optional.
      System.err.println("without " + name + ": " + e);
    }
  }

  /** As stage 2 is sent what it gets. */
  private static void send() throws IOException {
    UnixSocket.Pair pair = UnixSocket.pair();
    try (Control here = new Control(pair.first());
        Control there = new Control(pair.second());
        EventFd event = EventFd.create("rehearsal");
        Memfd memory = Memfd.create("rehearsal")) {
      memory.resize(Mapping.pageSize());
      here.send(new byte[] {1}, List.of(event.fd(), memory.fd()));
      Control.Received received = there.receive(2);
      try (Fd _ = received.descriptors().getFirst();
          Fd file = received.descriptors().getLast()) {
        Mapping.map(file, 0, Mapping.pageSize(), Access.READ_WRITE).close();
      }
      there.send(Step.READY);
      here.await(Step.READY);
    }
  }
}
