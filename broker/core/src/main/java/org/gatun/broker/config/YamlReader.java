package org.gatun.broker.config;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.gatun.broker.config.ConfigFileException.Problem;
import org.gatun.broker.config.Node.Entry;
import org.gatun.broker.config.Node.Place;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.events.AliasEvent;
import org.snakeyaml.engine.v2.events.Event;
import org.snakeyaml.engine.v2.events.MappingStartEvent;
import org.snakeyaml.engine.v2.events.NodeEvent;
import org.snakeyaml.engine.v2.events.ScalarEvent;
import org.snakeyaml.engine.v2.events.SequenceStartEvent;
import org.snakeyaml.engine.v2.exceptions.Mark;
import org.snakeyaml.engine.v2.exceptions.MarkedYamlEngineException;
import org.snakeyaml.engine.v2.exceptions.ReaderException;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;
import org.snakeyaml.engine.v2.parser.ParserImpl;
import org.snakeyaml.engine.v2.scanner.StreamReader;

/**
 * Makes nodes of YAML text, which nobody vouches for. Of YAML it takes what a policy needs: no
 * anchors and aliases (with which a small file grows without bound), no tags, one document, and no
 * deeper than {@link #DEPTH}.
 */
final class YamlReader {
  /** Three times what the schema has. */
  private static final int DEPTH = 20;

  private final String source;
  private final Iterator<Event> events;

  private YamlReader(String source, Iterator<Event> events) {
    this.source = source;
    this.events = events;
  }

  /**
   * Reads a document.
   *
   * @return empty if there is none
   * @throws ConfigFileException if it is not one, or not the YAML that is taken
   */
  static Optional<Node> read(String source, String text) {
    LoadSettings settings =
        LoadSettings.builder().setLabel(source).setCodePointLimit(BrokerConfig.LARGEST).build();
    try {
      Iterator<Event> events = new ParserImpl(settings, new StreamReader(settings, text));
      return new YamlReader(source, events).document();
    } catch (MarkedYamlEngineException e) {
      Place place = e.getProblemMark().map(YamlReader::place).orElse(new Place(1, 1));
      throw wrong(source, place, "this is no YAML: " + e.getProblem());
    } catch (ReaderException e) {
      throw wrong(
          source,
          place(text, e.getPosition()),
          "this is no YAML: the character U+%04X is not allowed".formatted(e.getCodePoint()));
    } catch (YamlEngineException e) {
      throw wrong(source, new Place(1, 1), "this is no YAML: " + e.getMessage());
    }
  }

  /** The only problem of a file that has no structure to go on with. */
  static ConfigFileException wrong(String source, Place place, String text) {
    return new ConfigFileException(
        List.of(new Problem(source, place.line(), place.column(), "", text)));
  }

  /** The place of a character. */
  static Place place(String text, int position) {
    String before = text.substring(0, Math.min(position, text.length()));
    int line = (int) before.chars().filter(c -> c == '\n').count() + 1;
    return new Place(line, before.length() - before.lastIndexOf('\n'));
  }

  private Optional<Node> document() {
    Node root = null;
    while (events.hasNext()) {
      Event event = events.next();
      switch (event.getEventId()) {
        case StreamStart, StreamEnd, DocumentStart, DocumentEnd, Comment -> {}
        default -> {
          if (root != null) {
            throw wrong(event, "a second document starts here: a policy is one");
          }
          root = node(event, 0);
        }
      }
    }
    return Optional.ofNullable(root);
  }

  private Node node(Event event, int depth) {
    if (depth > DEPTH) {
      throw wrong(event, "this is nested too deeply: " + DEPTH + " levels are more than enough");
    }
    if (event instanceof AliasEvent
        || (event instanceof NodeEvent anchored && anchored.getAnchor().isPresent())) {
      throw wrong(event, "anchors (&) and aliases (*) are not taken: write it out");
    }
    return switch (event) {
      case ScalarEvent scalar -> {
        checkNoTag(scalar, scalar.getTag().isPresent());
        yield new Node.Scalar(place(scalar), scalar.getValue());
      }
      case SequenceStartEvent start -> {
        checkNoTag(start, start.getTag().isPresent());
        yield sequence(start, depth);
      }
      case MappingStartEvent start -> {
        checkNoTag(start, start.getTag().isPresent());
        yield mapping(start, depth);
      }
      default -> throw wrong(event, "this is not expected here");
    };
  }

  private Node sequence(SequenceStartEvent start, int depth) {
    List<Node> items = new ArrayList<>();
    for (Event event = events.next(); !is(event, Event.ID.SequenceEnd); event = events.next()) {
      items.add(node(event, depth + 1));
    }
    return new Node.Sequence(place(start), List.copyOf(items));
  }

  private Node mapping(MappingStartEvent start, int depth) {
    List<Entry> entries = new ArrayList<>();
    Set<String> names = new HashSet<>();
    for (Event event = events.next(); !is(event, Event.ID.MappingEnd); event = events.next()) {
      if (!(node(event, depth + 1) instanceof Node.Scalar key)) {
        throw wrong(event, "a field has a name here, not a list or a group");
      }
      if (!names.add(key.text())) {
        throw wrong(event, "field '" + key.text() + "' is there twice");
      }
      entries.add(new Entry(key, node(events.next(), depth + 1)));
    }
    return new Node.Mapping(place(start), List.copyOf(entries));
  }

  private void checkNoTag(Event event, boolean tagged) {
    if (tagged) {
      throw wrong(event, "tags (!) are not taken");
    }
  }

  private ConfigFileException wrong(Event event, String text) {
    return wrong(source, place(event), text);
  }

  private static boolean is(Event event, Event.ID id) {
    return event.getEventId() == id;
  }

  private static Place place(Event event) {
    return event.getStartMark().map(YamlReader::place).orElse(new Place(1, 1));
  }

  private static Place place(Mark mark) {
    return new Place(mark.getLine() + 1, mark.getColumn() + 1);
  }
}
