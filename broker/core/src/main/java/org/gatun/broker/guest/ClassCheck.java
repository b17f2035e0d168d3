package org.gatun.broker.guest;

import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.lang.classfile.constantpool.ClassEntry;
import java.lang.classfile.constantpool.ConstantPool;
import java.lang.classfile.constantpool.MemberRefEntry;
import java.lang.classfile.constantpool.MethodTypeEntry;
import java.lang.classfile.constantpool.NameAndTypeEntry;
import java.lang.classfile.constantpool.PoolEntry;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.MethodTypeDesc;
import java.lang.reflect.AccessFlag;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;

/**
 * Looks through a class file, before it is loaded, for names of what a guest may not use. All that
 * code can name is in its constant pool (JVMS 4.4), so nothing else is read.
 */
final class ClassCheck {
  private final AllowedApi api;
  private final Predicate<String> ours;

  /**
   * @param ours whether a class is of a module that the guest may use as a whole, or its own
   */
  ClassCheck(AllowedApi api, Predicate<String> ours) {
    this.api = api;
    this.ours = ours;
  }

  /**
   * What is wrong with a class, in words; empty if nothing is.
   *
   * @param file for messages
   */
  List<String> check(String file, byte[] bytes) {
    Set<String> reasons = new LinkedHashSet<>();
    try {
      ClassModel model = ClassFile.of().parse(bytes);
      checkDeclaration(model, reasons);
      checkPool(model.constantPool(), reasons);
    } catch (IllegalArgumentException e) {
      // What the parser says of a file that is none: JVMS 4.8.
      reasons.add("it is no class file: " + e.getMessage());
    }
    return reasons.stream().map(reason -> file + ": " + reason).toList();
  }

  private void checkDeclaration(ClassModel model, Set<String> reasons) {
    model.superclass().ifPresent(type -> checkExtended(type, reasons));
    model.interfaces().forEach(type -> checkExtended(type, reasons));
    model.methods().stream()
        .filter(method -> method.flags().has(AccessFlag.NATIVE))
        .forEach(method -> reasons.add(method.methodName() + " is native"));
    for (var field : model.fields()) {
      checkType(field.fieldTypeSymbol(), reasons);
    }
    for (var method : model.methods()) {
      checkTypes(method.methodTypeSymbol(), reasons);
    }
  }

  private void checkExtended(ClassEntry type, Set<String> reasons) {
    String name = binaryName(type.asSymbol());
    // Of these the compiler extends by itself, and what is refused of them is not inherited.
    boolean byCompiler = name.equals("java.lang.Enum") || name.equals("java.lang.Record");
    if (!ours.test(name) && !byCompiler && !api.allowsExtending(name)) {
      reasons.add("it may not extend " + name);
    }
  }

  private void checkPool(ConstantPool pool, Set<String> reasons) {
    for (PoolEntry entry : pool) {
      switch (entry) {
        case ClassEntry type -> checkType(type.asSymbol(), reasons);
        case MemberRefEntry member -> checkMember(member, reasons);
        case MethodTypeEntry type -> checkTypes(type.asSymbol(), reasons);
        case NameAndTypeEntry named -> checkDescriptor(named.type().stringValue(), reasons);
        default -> {
          // Text, numbers, and what refers to the others.
        }
      }
    }
  }

  private void checkMember(MemberRefEntry member, Set<String> reasons) {
    ClassDesc owner = member.owner().asSymbol();
    String name = binaryName(owner);
    String memberName = member.name().stringValue();
    boolean allowed = owner.isArray() || ours.test(name) || api.allows(name, memberName);
    if (!allowed && api.allows(name)) {
      reasons.add("it may not use %s.%s".formatted(name, memberName));
    }
  }

  private void checkDescriptor(String descriptor, Set<String> reasons) {
    if (descriptor.startsWith("(")) {
      checkTypes(MethodTypeDesc.ofDescriptor(descriptor), reasons);
    } else {
      checkType(ClassDesc.ofDescriptor(descriptor), reasons);
    }
  }

  private void checkTypes(MethodTypeDesc type, Set<String> reasons) {
    type.parameterList().forEach(parameter -> checkType(parameter, reasons));
    checkType(type.returnType(), reasons);
  }

  private void checkType(ClassDesc type, Set<String> reasons) {
    ClassDesc element = type;
    while (element.isArray()) {
      element = element.componentType();
    }
    if (element.isPrimitive() || element.equals(ConstantDescs.CD_Object)) {
      return;
    }
    String name = binaryName(element);
    if (!ours.test(name) && !api.allows(name)) {
      reasons.add("it may not use " + name);
    }
  }

  private static String binaryName(ClassDesc type) {
    ClassDesc element = type;
    while (element.isArray()) {
      element = element.componentType();
    }
    if (element.isPrimitive()) {
      return element.displayName();
    }
    String descriptor = element.descriptorString();
    return descriptor.substring(1, descriptor.length() - 1).replace('/', '.');
  }
}
