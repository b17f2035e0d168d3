package org.gatun.cli;

import static com.tngtech.archunit.core.domain.JavaCall.Predicates.target;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.assignableTo;
import static com.tngtech.archunit.core.domain.properties.HasName.Predicates.nameMatching;
import static com.tngtech.archunit.core.domain.properties.HasOwner.Predicates.With.owner;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.module.ModuleDescriptor;
import java.net.URL;
import java.util.Collections;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** The dependency rules of the design: what module descriptors hold, and what they can't say. */
@AnalyzeClasses(packages = "org.gatun", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {
  /** Which modules of ours each may require; a module that is not named here fails the test. */
  private static final Map<String, Set<String>> ALLOWED =
      Map.ofEntries(
          Map.entry("org.gatun.pci", Set.of()),
          Map.entry("org.gatun.specs", Set.of()),
          Map.entry("org.gatun.nativeaccess", Set.of()),
          Map.entry("org.gatun.nativeaccess.jna", Set.of("org.gatun.nativeaccess")),
          Map.entry("org.gatun.vfio.common", Set.of("org.gatun.pci", "org.gatun.nativeaccess")),
          Map.entry(
              "org.gatun.vfio",
              Set.of("org.gatun.pci", "org.gatun.nativeaccess", "org.gatun.vfio.common")),
          Map.entry(
              "org.gatun.vfiouser",
              Set.of("org.gatun.pci", "org.gatun.nativeaccess", "org.gatun.vfio.common")),
          Map.entry("org.gatun.simulated", Set.of("org.gatun.pci", "org.gatun.specs")),
          Map.entry("org.gatun.broker", Set.of("org.gatun.pci")),
          Map.entry(
              "org.gatun.broker.launcher",
              Set.of("org.gatun.pci", "org.gatun.vfiouser", "org.gatun.nativeaccess")),
          Map.entry(
              "org.gatun.broker.service",
              Set.of(
                  "org.gatun.pci",
                  "org.gatun.broker",
                  "org.gatun.broker.launcher",
                  "org.gatun.vfiouser",
                  "org.gatun.nativeaccess")),
          Map.entry("org.gatun.driver.edu", Set.of("org.gatun.pci", "org.gatun.specs")),
          Map.entry("org.gatun.driver.nvme", Set.of("org.gatun.pci", "org.gatun.specs")),
          Map.entry("org.gatun.driver.serial", Set.of("org.gatun.pci", "org.gatun.specs")),
          Map.entry("org.gatun.driver.virtio", Set.of("org.gatun.pci", "org.gatun.specs")),
          Map.entry(
              "org.gatun.cli",
              Set.of(
                  "org.gatun.pci",
                  "org.gatun.specs",
                  "org.gatun.nativeaccess",
                  "org.gatun.vfio",
                  "org.gatun.vfiouser",
                  "org.gatun.simulated",
                  "org.gatun.broker",
                  "org.gatun.broker.service",
                  "org.gatun.driver.edu",
                  "org.gatun.driver.nvme")));

  @ArchTest
  static final ArchRule onlyNativeAccessCallsNativeCode =
      noClasses()
          .that()
          .resideOutsideOfPackage("org.gatun.nativeaccess..")
          .should()
          .dependOnClassesThat(assignableTo(Linker.class).or(assignableTo(SymbolLookup.class)))
          .orShould()
          .callMethodWhere(
              target(owner(assignableTo(MemorySegment.class)))
                  .and(target(nameMatching("reinterpret"))))
          .orShould()
          .callMethodWhere(
              target(owner(assignableTo(System.class)))
                  .and(target(nameMatching("load|loadLibrary"))));

  @ArchTest
  static final ArchRule driversAndModelsTakeTimeFromTheirCaller =
      noClasses()
          .that()
          .resideInAnyPackage("org.gatun.driver..", "org.gatun.simulated..")
          .and()
          .doNotHaveSimpleName("RealTime")
          .should()
          .callMethodWhere(
              target(owner(assignableTo(System.class)))
                  .and(target(nameMatching("nanoTime|currentTimeMillis"))))
          .orShould()
          .callMethodWhere(
              target(owner(assignableTo(Thread.class))).and(target(nameMatching("sleep"))))
          .because("they run unchanged on a bus with virtual time");

  @ArchTest
  static final ArchRule driversStartNoThreadsOfTheirOwn =
      noClasses()
          .that()
          .resideInAPackage("org.gatun.driver..")
          .should()
          .callConstructorWhere(target(owner(assignableTo(Thread.class))))
          .orShould()
          .callMethodWhere(
              target(owner(assignableTo(Thread.class)))
                  .and(target(nameMatching("ofPlatform|ofVirtual|startVirtualThread"))))
          .because("threads come from the caller");

  @ArchTest
  static final ArchRule driversReadSharedMemoryWithAcquireOnly =
      noClasses()
          .that()
          .resideInAPackage("org.gatun.driver..")
          .should()
          .callMethodWhere(
              target(owner(assignableTo(MemorySegment.class)))
                  .and(target(nameMatching("get|getAtIndex|getString"))))
          .because(
              "a plain read is hoisted out of a polling loop, and may be made twice: use"
                  + " DmaBuffer");

  @ArchTest
  static final ArchRule librariesDoNotPrint =
      noClasses()
          .that()
          .resideOutsideOfPackages("org.gatun.cli..", "org.gatun.broker.launcher..")
          .should()
          .accessField(System.class, "out")
          .orShould()
          .accessField(System.class, "err")
          .because("libraries log through System.Logger");

  @Test
  void modulesRequireOnlyWhatTheDesignAllows() throws IOException {
    Map<String, Set<String>> broken = new TreeMap<>();
    Set<String> seen = new TreeSet<>();
    for (URL url :
        Collections.list(
            ArchitectureTest.class.getClassLoader().getResources("module-info.class"))) {
      try (InputStream in = url.openStream()) {
        ModuleDescriptor module = ModuleDescriptor.read(in);
        if (module.name().startsWith("org.gatun.")) {
          seen.add(module.name());
          Set<String> required = new TreeSet<>();
          module.requires().stream()
              .map(ModuleDescriptor.Requires::name)
              .filter(name -> name.startsWith("org.gatun."))
              .forEach(required::add);
          required.removeAll(ALLOWED.getOrDefault(module.name(), Set.of()));
          if (!required.isEmpty() || !ALLOWED.containsKey(module.name())) {
            broken.put(module.name(), required);
          }
        }
      }
    }
    assertThat(broken).isEmpty();
    assertThat(seen).containsExactlyInAnyOrderElementsOf(ALLOWED.keySet());
  }
}
