package org.gatun.cli;

import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.function.Function;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.gatun.broker.config.GuestProgram;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciAddress;
import org.gatun.pci.spi.EraseMethod;
import picocli.AutoComplete.GenerateCompletion;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.RunLast;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** The {@code gatun} command: drives PCI devices from the shell. */
@Command(
    name = "gatun",
    version = "gatun 0.1.0",
    mixinStandardHelpOptions = true,
    description = "Drives PCI devices from user space.",
    synopsisSubcommandLabel = "COMMAND",
    footerHeading = "%nA device is named like%n",
    footer = {
      "  vfio:0000:00:04.0                      a device that is bound to vfio-pci",
      "  simulated:edu                          a simulated edu device",
      "  simulated:nvme,file=disk.img,size=1G   a simulated NVMe disk",
      "  vfio-user:/run/disk.sock               a device that another process serves"
    },
    exitCodeListHeading = "%nExit status:%n",
    exitCodeList = {
      "0:done",
      "1:the device, a file or the system failed, or data did not compare equal",
      "2:the command line makes no sense, or --yes is missing; nothing was touched",
      "3:the device can't be opened: missing, not bound, busy, no permission",
      "4:the disk warns of its health",
      "70:a bug in gatun",
      "130, 143:interrupted by SIGINT, SIGTERM; disks were shut down, grants revoked first"
    },
    subcommands = {
      ListCommand.class,
      ShowCommand.class,
      BindCommand.class,
      UnbindCommand.class,
      EduCommand.class,
      NvmeCommand.class,
      PolicyCommand.class,
      BrokerCommand.class,
      GuestCommand.class,
      GuestsCommand.class,
      DevicesCommand.class,
      GrantCommand.class,
      RevokeCommand.class,
      EraseCommand.class,
      EventsCommand.class,
      ExportCommand.class,
      DemoCommand.class,
      GenerateCompletion.class
    })
public final class Gatun implements Runnable {
  @Option(
      names = "--verbose",
      scope = ScopeType.INHERIT,
      description = "Print the stack trace of an error too, and what drivers log.")
  boolean verbose;

  /**
   * The drivers' and the broker's log. Held here: java.util.logging forgets a level when nobody
   * holds its logger.
   */
  private static final Logger DRIVERS = Logger.getLogger("org.gatun.driver");

  private static final Logger BROKER = Logger.getLogger("org.gatun.broker");

  final Interruption interruption = new Interruption();

  @Spec private CommandSpec spec;

  private Gatun() {}

  /** The command of which that is a subcommand. */
  static Gatun of(CommandSpec subcommand) {
    return (Gatun) subcommand.root().userObject();
  }

  /** Runs the command and exits with its status. */
  public static void main(String[] args) {
    PrintWriter out = new PrintWriter(System.out, true, StandardCharsets.UTF_8);
    PrintWriter err = new PrintWriter(System.err, true, StandardCharsets.UTF_8);
    System.exit(run(out, err, args));
  }

  /** Runs the command with its output going there, and gives its exit status. */
  static int run(PrintWriter out, PrintWriter err, String... args) {
    Gatun gatun = new Gatun();
    Errors errors = new Errors();
    CommandLine command =
        new CommandLine(gatun)
            .setOut(out)
            .setErr(err)
            .setExecutionStrategy(gatun::execute)
            .setExecutionExceptionHandler(errors)
            .setParameterExceptionHandler(errors)
            .setCaseInsensitiveEnumValuesAllowed(true)
            .registerConverter(DeviceName.class, checked(DeviceName::parse))
            .registerConverter(PciAddress.class, checked(PciAddress::parse))
            .registerConverter(ByteSize.class, checked(ByteSize::parse))
            .registerConverter(Dword.class, checked(Dword::parse))
            .registerConverter(NamespaceId.class, checked(NamespaceId::parse))
            .registerConverter(CopyPlace.class, checked(CopyPlace::parse))
            .registerConverter(GuestProgram.Lock.class, checked(GuestProgram.Lock::parse))
            .registerConverter(EraseMethod.class, checked(EraseMethod::parse));
    try (Interruption _ = gatun.interruption) {
      int status = command.execute(args);
      out.flush();
      err.flush();
      return status;
    }
  }

  /** What goes wrong in a driver is the one line of the error; its log says how it came to that. */
  private int execute(ParseResult parsed) {
    DRIVERS.setLevel(verbose ? null : Level.OFF);
    // Its steps are what the command prints; what goes wrong in one is not.
    BROKER.setLevel(verbose ? null : Level.WARNING);
    return new RunLast().execute(parsed);
  }

  /** A converter whose error is what the parser says, without the exception around it. */
  private static <T> ITypeConverter<T> checked(Function<String, T> parser) {
    return text -> {
      try {
        return parser.apply(text);
      } catch (IllegalArgumentException e) {
        throw new TypeConversionException(e.getMessage());
      }
    };
  }

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "a command is missing");
  }
}
