package org.gatun.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import org.gatun.broker.config.ConfigFileException;
import org.gatun.nativeaccess.LinuxException;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.pci.PciException;
import picocli.CommandLine;
import picocli.CommandLine.IExecutionExceptionHandler;
import picocli.CommandLine.IParameterExceptionHandler;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;

/**
 * Turns what went wrong into one line on standard error (one for each problem of a file), and an
 * exit status.
 */
final class Errors implements IExecutionExceptionHandler, IParameterExceptionHandler {
  @Override
  public int handleExecutionException(Exception e, CommandLine command, ParseResult parsed) {
    PrintWriter err = command.getErr();
    int status = status(e);
    if (e instanceof ConfigFileException file) {
      file.problems().forEach(problem -> err.println("gatun: " + problem));
    } else {
      err.println("gatun: " + line(e, status));
    }
    if (Gatun.of(command.getCommandSpec()).verbose) {
      e.printStackTrace(err);
    }
    err.flush();
    return status;
  }

  @Override
  public int handleParseException(ParameterException e, String[] args) {
    CommandLine command = e.getCommandLine();
    PrintWriter err = command.getErr();
    err.println(
        "gatun: "
            + oneLine(String.valueOf(e.getMessage()))
            + "; see "
            + command.getCommandSpec().qualifiedName()
            + " --help");
    err.flush();
    return ExitCode.USAGE;
  }

  static int status(Exception e) {
    return switch (e) {
      case DeviceUnavailableException _ -> ExitCode.UNAVAILABLE;
      case PciException _, LinuxException _, IOException _, UncheckedIOException _ ->
          ExitCode.FAILED;
      case IllegalArgumentException _ -> ExitCode.USAGE;
      default -> ExitCode.INTERNAL;
    };
  }

  private static String line(Exception e, int status) {
    String text =
        switch (e) {
          case UncheckedIOException u when u.getCause() instanceof FileSystemException f -> file(f);
          case FileSystemException f -> file(f);
          default -> e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
        };
    return oneLine(
        status == ExitCode.INTERNAL
            ? "a bug in gatun: " + e + "; run it again with --verbose, and report what it prints"
            : text);
  }

  private static String file(FileSystemException e) {
    String what =
        switch (e) {
          case NoSuchFileException _ -> "no such file";
          case AccessDeniedException _ -> "permission denied";
          case FileAlreadyExistsException _ -> "the file exists already";
          default -> e.getReason() == null ? "can't be used" : e.getReason();
        };
    return e.getFile() + ": " + what;
  }

  private static String oneLine(String text) {
    return text.lines().map(String::strip).reduce((a, b) -> a + " " + b).orElse("");
  }
}
