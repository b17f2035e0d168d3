package org.gatun.broker.service;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Optional;
import org.gatun.broker.service.file.DurableFile;

/**
 * A file of JSON in which a broker remembers something. It is the old one or the new one, whenever
 * the broker or the machine ends.
 */
final class StateFile {
  private static final ObjectMapper MAPPER = new ObjectMapper();

  private final Path file;

  StateFile(Path file) {
    this.file = file;
  }

  /**
   * Reads it.
   *
   * @return empty if it is not there
   * @throws IOException if it can't be read
   * @throws IllegalArgumentException if it is something else
   */
  <T> Optional<T> read(TypeReference<T> type) throws IOException {
    try {
      return Optional.of(MAPPER.readValue(Files.readAllBytes(file), type));
    } catch (NoSuchFileException _) {
      return Optional.empty();
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException(e.getMessage(), e);
    }
  }

  /** Writes it, and returns when it is on the disk. */
  void write(Object content) throws IOException {
    new DurableFile(file).write(MAPPER.writerWithDefaultPrettyPrinter().writeValueAsBytes(content));
  }

  /** An error about what is in it. */
  IOException wrong(String remedy, IllegalArgumentException cause) {
    return new IOException(
        "%s: this is not what a broker wrote (%s): %s".formatted(file, cause.getMessage(), remedy),
        cause);
  }
}
