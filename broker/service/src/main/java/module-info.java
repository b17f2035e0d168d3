import org.jspecify.annotations.NullMarked;

/** Guests outside of the broker's process: {@link org.gatun.broker.service.GrantDirectory}. */
@NullMarked
module org.gatun.broker.service {
  requires static transitive org.jspecify;
  requires transitive org.gatun.broker;
  requires org.gatun.vfiouser;
  requires com.fasterxml.jackson.databind;

  exports org.gatun.broker.service;
}
