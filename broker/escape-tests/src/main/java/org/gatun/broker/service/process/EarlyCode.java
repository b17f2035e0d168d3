package org.gatun.broker.service.process;

import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.stream.Stream;
import org.gatun.hostile.Sources;

/**
 * A guest with code in all places that are run without anybody calling it, where a host is
 * careless. Each says, when it runs, which locks are closed.
 *
 * @param modulePath its jar, and some that claim to be modules of the launcher's
 */
record EarlyCode(List<Path> modulePath) {
  /** The module that provides the guest. */
  static final String MODULE = "early";

  /** What a line begins with that such code says; its name follows. */
  static final String SIGN = "early ";

  /** Modules of ours that others claim to be. */
  private static final List<String> FAKES = List.of("org.gatun.pci", "org.gatun.nativeaccess");

  /** Services of the JDK, and what a provider has to have. */
  private static final Map<String, String> SERVICES = services();

  private static Map<String, String> services() {
    Map<String, String> bodies = new LinkedHashMap<>();
    bodies.put(
        "System.LoggerFinder",
        "public System.Logger getLogger(String name, Module module) { return null; }");
    bodies.put(
        "java.net.spi.URLStreamHandlerProvider",
        "public java.net.URLStreamHandler createURLStreamHandler(String protocol) { return null;"
            + " }");
    bodies.put(
        "java.nio.charset.spi.CharsetProvider",
        """
        public java.util.Iterator<java.nio.charset.Charset> charsets() {
          return java.util.Collections.emptyIterator();
        }
        public java.nio.charset.Charset charsetForName(String name) { return null; }
        """);
    bodies.put(
        "java.net.spi.InetAddressResolverProvider",
        """
        public java.net.spi.InetAddressResolver get(Configuration configuration) { return null; }
        public String name() { return "early"; }
        """);
    bodies.put(
        "java.time.zone.ZoneRulesProvider",
        """
        protected java.util.Set<String> provideZoneIds() { return java.util.Set.of(); }
        protected java.time.zone.ZoneRules provideRules(String id, boolean caching) { return null; }
        protected java.util.NavigableMap<String, java.time.zone.ZoneRules> provideVersions(
            String id) {
          return new java.util.TreeMap<>();
        }
        """);
    return bodies;
  }

  /** Makes the jars. */
  static EarlyCode compile(Path folder) throws IOException {
    Map<String, String> files = new LinkedHashMap<>();
    StringBuilder provides = new StringBuilder();
    SERVICES.forEach(
        (service, body) -> {
          String name = service.substring(service.lastIndexOf('.') + 1);
          provides.append("provides %s with early.%s;%n".formatted(service(service), name));
          files.put(
              "early/" + name + ".java",
              """
              package early;
              public class %1$s extends %2$s {
                static { Status.say("spi-%1$s"); }
                public %1$s() {}
                %3$s
              }
              """
                  .formatted(name, service, body));
        });
    files.put(
        "module-info.java",
        """
        module early {
          requires org.gatun.pci;
          provides org.gatun.pci.spi.PciGuest with early.Guest;
          provides java.util.spi.ToolProvider with early.Tool;
          provides java.security.Provider with early.Security;
          %s
        }
        """
            .formatted(provides));
    files.put(
        "early/Status.java",
        """
        package early;
        public class Status {
          public static synchronized void say(String what) {
            try {
              String status = java.nio.file.Files.readString(java.nio.file.Path.of("/proc/self/status"));
              System.out.println("early %s NoNewPrivs %s, Seccomp %s, Uid %s".formatted(
                  what, field(status, "NoNewPrivs"), field(status, "Seccomp"), field(status, "Uid")));
            } catch (java.io.IOException e) {
              System.out.println("early " + what + " " + e);
            }
          }
          private static String field(String status, String name) {
            return status.lines().filter(l -> l.startsWith(name + ":")).findFirst().get()
                .substring(name.length() + 1).strip();
          }
        }
        """);
    files.put(
        "early/Tool.java",
        """
        package early;
        public class Tool implements java.util.spi.ToolProvider {
          static { Status.say("spi-Tool"); }
          public String name() { return "early"; }
          public int run(java.io.PrintWriter out, java.io.PrintWriter err, String... args) { return 0; }
        }
        """);
    files.put(
        "early/Security.java",
        """
        package early;
        public class Security extends java.security.Provider {
          static { Status.say("spi-Security"); }
          public Security() { super("early", "1", "early"); }
        }
        """);
    files.put(
        "early/Agent.java",
        """
        package early;
        public class Agent {
          public static void agentmain(String arguments) { Status.say("agent"); }
          public static void premain(String arguments) { Status.say("agent"); }
        }
        """);
    files.put(
        "org/gatun/broker/launcher/Stage2.java",
        """
        package org.gatun.broker.launcher;
        public class Stage2 {
          static { early.Status.say("split"); }
          public static boolean isTrusted() { return Stage2.class.getModule().isNativeAccessEnabled(); }
        }
        """);
    files.put("early/Version.java", version("base"));
    files.put("early/Guest.java", GUEST);
    Path classes = Sources.compile(folder.resolve("guest"), files);
    Path versioned =
        Sources.compile(
            folder.resolve("versioned"),
            Map.of("early/Version.java", version("versioned")),
            classes.toString());
    Path guest = folder.resolve("early.jar");
    jar(guest, classes, versioned);
    List<Path> jars = new ArrayList<>();
    for (String module : FAKES) {
      jars.add(fake(folder, module));
    }
    jars.add(guest);
    return new EarlyCode(List.copyOf(jars));
  }

  /** A jar that claims to be a module of ours. */
  private static Path fake(Path folder, String module) throws IOException {
    Path jar = folder.resolve(module + ".jar");
    Map<String, String> files =
        Map.of(
            "module-info.java",
            "module %1$s { exports %1$s.fake; }".formatted(module),
            module.replace('.', '/') + "/fake/Fake.java",
            "package %s.fake; public class Fake {}".formatted(module));
    jar(jar, Sources.compile(folder.resolve(module), files), folder.resolve("none"));
    return jar;
  }

  private static final String GUEST =
      """
      package early;
      import java.util.List;
      import org.gatun.pci.PciDevice;
      import org.gatun.pci.spi.*;
      public class Guest implements PciGuest {
        static { Status.say("clinit"); }
        { Status.say("instance"); }
        public static Guest provider() {
          Status.say("provider-method");
          return new Guest();
        }
        public List<DeviceMatch> matches() {
          Status.say("matches");
          return List.of(new DeviceMatch.ById(0x1234, 0x11e8));
        }
        public Attachment attach(PciDevice device, GuestContext context) {
          Status.say("attach");
          Runtime.getRuntime().addShutdownHook(new Thread(() -> Status.say("hook")));
          context.threads().newThread(Guest::work).start();
          return deadline -> {};
        }
        private static void work() {
          new Finalizable();
          java.lang.ref.Cleaner.create().register(new Object(), () -> Status.say("cleaner"));
          Version.say();
          for (String module : List.of("org.gatun.pci", "org.gatun.nativeaccess")) {
            try {
              Class.forName(module + ".fake.Fake");
              Status.say("fake");
            } catch (ClassNotFoundException e) {
              System.out.println("no fake of " + module);
            }
          }
          java.security.Security.getProviders();
          System.out.println("trusted " + org.gatun.broker.launcher.Stage2.isTrusted());
          java.util.spi.ToolProvider.findFirst("early");
          System.getLogger("early");
          for (int i = 0; i < 5; i++) {
            System.gc();
            try { Thread.sleep(100); } catch (InterruptedException e) { return; }
          }
        }
        private static final class Finalizable {
          protected void finalize() { Status.say("finalizer"); }
        }
      }
      """;

  private static String service(String name) {
    return name.startsWith("java.") ? name : "java.lang." + name;
  }

  private static String version(String name) {
    return """
    package early;
    public class Version {
      public static void say() { Status.say("%s"); }
    }
    """
        .formatted(name);
  }

  /** With all that a manifest can ask for, and services as in the days before modules. */
  private static void jar(Path jar, Path classes, Path versioned) throws IOException {
    Manifest manifest = new Manifest();
    Attributes main = manifest.getMainAttributes();
    main.put(Attributes.Name.MANIFEST_VERSION, "1.0");
    main.put(Attributes.Name.MULTI_RELEASE, "true");
    main.putValue("Launcher-Agent-Class", "early.Agent");
    main.putValue("Agent-Class", "early.Agent");
    main.putValue("Premain-Class", "early.Agent");
    main.putValue("Enable-Native-Access", "ALL-UNNAMED");
    main.putValue("Add-Opens", "java.base/jdk.internal.misc");
    try (OutputStream file = Files.newOutputStream(jar);
        JarOutputStream out = new JarOutputStream(file, manifest)) {
      addAll(out, "", classes);
      if (Files.exists(versioned)) {
        addAll(out, "META-INF/versions/25/", versioned);
      }
      for (String service : SERVICES.keySet()) {
        String provider = "early." + service.substring(service.lastIndexOf('.') + 1);
        add(
            out,
            "META-INF/services/" + service(service).replace("System.", "System$"),
            provider.getBytes(StandardCharsets.UTF_8));
      }
    }
  }

  private static void addAll(JarOutputStream out, String prefix, Path folder) throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      files
          .filter(Files::isRegularFile)
          .forEach(
              file -> {
                try {
                  add(out, prefix + folder.relativize(file), Files.readAllBytes(file));
                } catch (IOException e) {
                  throw new UncheckedIOException(e);
                }
              });
    }
  }

  private static void add(JarOutputStream out, String name, byte[] content) throws IOException {
    out.putNextEntry(new JarEntry(name));
    out.write(content);
    out.closeEntry();
  }
}
