#if Agent
import AMQPWire

/// With what status the command ends. The numbers are those of `sysexits.h`, which service managers and scripts know.
enum ExitStatus: Int32 {
    /// Done.
    case success = 0
    /// The daemon does not run: what init scripts return of `status` (LSB, "Init Script Actions").
    case notRunning = 3
    /// The command line is wrong (`EX_USAGE`).
    case usage = 64
    /// What was read makes no sense (`EX_DATAERR`).
    case dataError = 65
    /// A file to be read is missing or unreadable (`EX_NOINPUT`).
    case noInput = 66
    /// Something that is needed is not there (`EX_UNAVAILABLE`).
    case unavailable = 69
    /// A fault of the program's own (`EX_SOFTWARE`).
    case software = 70
    /// Something of the system's failed (`EX_OSERR`).
    case osError = 71
    /// A file cannot be made (`EX_CANTCREAT`).
    case cannotCreate = 73
    /// Reading or writing failed (`EX_IOERR`).
    case ioError = 74
    /// It may work later (`EX_TEMPFAIL`).
    case temporaryFailure = 75
    /// Not allowed (`EX_NOPERM`).
    case noPermission = 77
    /// The configuration is wrong (`EX_CONFIG`).
    case configuration = 78
    /// Nobody reads the output any more: what a shell reports of a command that SIGPIPE ended.
    case outputClosed = 141
}

extension AMQPError {
    /// With what status a command ends that fails with it.
    var exitStatus: ExitStatus {
        switch code {
        case .invalidArgument: return .configuration
        case .loginRefused, .virtualHostRefused: return .noPermission
        default: break
        }
        switch reply?.kind {
        case .accessRefused, .loginRefused, .exclusiveConsumer: return .noPermission
        case .argumentMismatch, .invalidArgument, .reservedName, .resourceLocked, .notFound, .unknownExchangeType,
            .featureNotPermitted:
            return .configuration
        default:
            // Versions of brokers differ in their words, the codes for a declaration that is refused do not.
            return scope == .channel && replyCode == 406 ? .configuration : .unavailable
        }
    }
}

/// Why a command ends early, in words for the operator.
struct CommandFailure: Error {
    /// With what status.
    var status: ExitStatus
    /// All that is printed: what is wrong and what to do about it; nil where there is nothing to say.
    var message: String?
}

extension CommandFailure {
    /// A failure that concerns no line of a file: its message follows the program's name.
    init(_ status: ExitStatus, _ message: String) {
        self.init(status: status, message: "psistats: \(message)")
    }
}
#endif
