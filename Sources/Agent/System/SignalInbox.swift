#if Agent
import CLinux
import Glibc

/// Signals of the process as something to poll, instead of interruptions. To be made before any other thread.
struct SignalInbox: ~Copyable {
    /// To be polled for reading.
    let descriptor: Int32
    private var before = sigset_t()

    /// Takes these signals over, except those that whoever started the program has it ignore.
    init(_ signals: [Int32]) throws(SystemError) {
        var taken = sigset_t()
        sigemptyset(&taken)
        for signal in signals where !Self.isIgnored(signal) { sigaddset(&taken, signal) }
        descriptor = signalfd(-1, &taken, Int32(SFD_CLOEXEC | SFD_NONBLOCK))
        guard descriptor >= 0 else { throw .last("signalfd") }
        pthread_sigmask(SIG_BLOCK, &taken, &before)
    }

    deinit {
        close(descriptor)
        var mask = before
        pthread_sigmask(SIG_SETMASK, &mask, nil)
    }

    /// The signals that have come.
    func take() -> [Int32] {
        var signals: [Int32] = []
        var information = signalfd_siginfo()
        let size = MemoryLayout<signalfd_siginfo>.size
        while true {
            let count = read(descriptor, &information, size)
            if count == size {
                signals.append(Int32(bitPattern: information.ssi_signo))
            } else if count >= 0 || errno != EINTR {
                return signals
            }
        }
    }

    /// Stops this process, as Ctrl-Z does by default, until it is continued. Does nothing where no shell could continue it.
    func stopProcess() {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGTSTP)
        kill(getpid(), SIGTSTP)
        // It comes here, and with the usual effect.
        pthread_sigmask(SIG_UNBLOCK, &signals, nil)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
    }

    private static func isIgnored(_ signal: Int32) -> Bool {
        var action = sigaction()
        guard sigaction(signal, nil, &action) == 0 else { return false }
        return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
            == unsafeBitCast(SIG_IGN, to: Int.self)
    }
}
#endif
