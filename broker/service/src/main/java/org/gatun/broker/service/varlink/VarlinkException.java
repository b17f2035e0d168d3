package org.gatun.broker.service.varlink;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Map;

/** A call was answered by an error: one of the interface's, or of {@code org.varlink.service}. */
public final class VarlinkException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private static final String SERVICE = VarlinkInterface.SERVICE + ".";

  /** The error that tells who may not call. */
  public static final String PERMISSION_DENIED = SERVICE + "PermissionDenied";

  private final String error;
  private final transient ObjectNode parameters;

  /**
   * @param error its name, with that of the interface before it
   * @param parameters as the interface declares them
   */
  public VarlinkException(String error, ObjectNode parameters) {
    super(parameters.isEmpty() ? error : error + " " + parameters);
    this.error = error;
    this.parameters = parameters;
  }

  /** An error with parameters that are text. */
  public static VarlinkException of(String error, Map<String, String> parameters) {
    ObjectNode node = JsonNodeFactory.instance.objectNode();
    parameters.forEach(node::put);
    return new VarlinkException(error, node);
  }

  static VarlinkException interfaceNotFound(String name) {
    return of(SERVICE + "InterfaceNotFound", Map.of("interface", name));
  }

  static VarlinkException methodNotFound(String name) {
    return of(SERVICE + "MethodNotFound", Map.of("method", name));
  }

  /** A parameter is missing, or makes no sense. */
  public static VarlinkException invalidParameter(String name) {
    return of(SERVICE + "InvalidParameter", Map.of("parameter", name));
  }

  static VarlinkException permissionDenied() {
    return of(PERMISSION_DENIED, Map.of());
  }

  /** A method that replies more than once was called for one reply. */
  static VarlinkException expectedMore() {
    return of(SERVICE + "ExpectedMore", Map.of());
  }

  /** Its name, with that of the interface before it. */
  public String error() {
    return error;
  }

  /** What it says besides. */
  public ObjectNode parameters() {
    return parameters.deepCopy();
  }
}
