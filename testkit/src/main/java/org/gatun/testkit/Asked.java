package org.gatun.testkit;

import java.lang.annotation.Annotation;
import java.lang.reflect.Executable;
import java.lang.reflect.Parameter;
import java.util.List;
import java.util.stream.Stream;
import org.gatun.simulated.SimulatedBus;
import org.gatun.simulated.fault.Faults;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.platform.commons.support.AnnotationSupport;
import org.junit.platform.commons.support.HierarchyTraversalMode;
import org.junit.platform.commons.support.ReflectionSupport;

/**
 * What a test, or each test of a class, asks for.
 *
 * @param parameters of all that is run for it
 */
record Asked(List<Parameter> parameters) {
  private static final List<Class<? extends Annotation>> LIFE_CYCLE =
      List.of(BeforeAll.class, BeforeEach.class, AfterEach.class, AfterAll.class);

  /** By a test, and what is run for it; without a test, by what is run for all of the class. */
  static Asked by(ExtensionContext context) {
    return of(
        Stream.concat(
            classes(context).flatMap(Asked::forEachTest), context.getTestMethod().stream()));
  }

  /** By any of those that share what belongs to the test, or else to the class. */
  static Asked byThoseThatShare(ExtensionContext context) {
    return context.getTestMethod().isPresent()
        ? by(context)
        : of(
            Stream.concat(
                classes(context).flatMap(Asked::forEachTest),
                allMethods(context.getRequiredTestClass())));
  }

  private static Asked of(Stream<Executable> run) {
    return new Asked(run.flatMap(each -> Stream.of(each.getParameters())).toList());
  }

  private static Stream<Class<?>> classes(ExtensionContext context) {
    return Stream.concat(
        context.getEnclosingTestClasses().stream(), context.getTestClass().stream());
  }

  private static Stream<Executable> forEachTest(Class<?> testClass) {
    return Stream.concat(
        Stream.of(testClass.getDeclaredConstructors()),
        LIFE_CYCLE.stream()
            .flatMap(
                annotation ->
                    AnnotationSupport.findAnnotatedMethods(
                        testClass, annotation, HierarchyTraversalMode.TOP_DOWN)
                        .stream()));
  }

  /** Of nested classes, too. */
  private static Stream<Executable> allMethods(Class<?> testClass) {
    return Stream.concat(
        Stream.concat(
            Stream.of(testClass.getDeclaredConstructors()),
            ReflectionSupport.findMethods(testClass, _ -> true, HierarchyTraversalMode.TOP_DOWN)
                .stream()),
        ReflectionSupport.findNestedClasses(
                testClass, nested -> AnnotationSupport.isAnnotated(nested, Nested.class))
            .stream()
            .flatMap(Asked::allMethods));
  }

  /** Whether one of its devices is hardware. */
  boolean isOnHardware() {
    return parameters.stream().anyMatch(Asked::isOfHardware);
  }

  /** Whether it wants of hardware what only a simulated device has. */
  boolean needsSimulated() {
    return isOnHardware()
        && parameters.stream()
            .anyMatch(
                each ->
                    each.getType() == SimulatedBus.class
                        || (each.getType() == Faults.class && isOfHardware(each)));
  }

  private static boolean isOfHardware(Parameter parameter) {
    return AnnotationSupport.findAnnotation(parameter, Device.class)
        .map(Device::value)
        .filter(Hardware::isNamed)
        .isPresent();
  }
}
