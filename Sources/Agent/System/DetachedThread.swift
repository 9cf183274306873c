#if Agent
import CLinux
import Glibc

/// A thread for what blocks and cannot be interrupted, which nobody waits for. It takes no signals, apart from those that a
/// crash raises.
enum DetachedThread {
    private final class Errand {
        let name: String
        let body: @Sendable () -> Void

        init(_ name: String, _ body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    /// Runs `body` on a new thread of that name, of which the first 15 bytes show. Returns 0, or the error number.
    static func start(name: String = "psistats-errand", _ body: @escaping @Sendable () -> Void) -> Int32 {
        var (blocked, previous) = (sigset_t(), sigset_t())
        sigfillset(&blocked)
        for signal in [SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGABRT, SIGSYS, SIGQUIT, SIGPROF] {
            sigdelset(&blocked, signal)
        }
        pthread_sigmask(SIG_SETMASK, &blocked, &previous)
        defer { pthread_sigmask(SIG_SETMASK, &previous, nil) }
        let errand = Unmanaged.passRetained(Errand(name, body))
        var thread = pthread_t()
        let code = pthread_create(
            &thread,
            nil,
            { argument in
                guard let argument else { return nil }
                let errand = Unmanaged<Errand>.fromOpaque(argument).takeRetainedValue()
                clinux_name_thread(errand.name)
                errand.body()
                return nil
            },
            errand.toOpaque()
        )
        if code == 0 { pthread_detach(thread) } else { errand.release() }
        return code
    }
}
#endif
