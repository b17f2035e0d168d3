package org.gatun.broker.config;

import java.util.List;

/**
 * A part of a YAML document, with its place. Scalars are text: what they mean is the schema's word,
 * not the guess of a YAML type system, for which {@code 0000:00:04.0} could be a number and {@code
 * no} a boolean.
 */
sealed interface Node {
  /** Where it starts. */
  Place place();

  /** What it is, for people. */
  String kind();

  /**
   * A place in the file.
   *
   * @param line from 1
   * @param column from 1
   */
  record Place(int line, int column) {}

  /** Text. */
  record Scalar(Place place, String text) implements Node {
    @Override
    public String kind() {
      return text.isEmpty() ? "nothing" : "'" + text + "'";
    }
  }

  /** A list. */
  record Sequence(Place place, List<Node> items) implements Node {
    @Override
    public String kind() {
      return "a list";
    }
  }

  /** Fields, in the order of the file. */
  record Mapping(Place place, List<Entry> entries) implements Node {
    @Override
    public String kind() {
      return "a group of fields";
    }
  }

  /** A field. */
  record Entry(Scalar key, Node value) {}
}
