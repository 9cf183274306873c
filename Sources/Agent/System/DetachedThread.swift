import Glibc

/// A thread for one errand, for what blocks and cannot be interrupted, which nobody waits for. It takes no signals.
enum DetachedThread {
    private final class Errand {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    /// Returns 0, or the error number.
    static func start(_ body: @escaping @Sendable () -> Void) -> Int32 {
        var (blocked, previous) = (sigset_t(), sigset_t())
        sigfillset(&blocked)
        pthread_sigmask(SIG_SETMASK, &blocked, &previous)
        defer { pthread_sigmask(SIG_SETMASK, &previous, nil) }
        let errand = Unmanaged.passRetained(Errand(body))
        var thread = pthread_t()
        let code = pthread_create(
            &thread,
            nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Errand>.fromOpaque(argument).takeRetainedValue().body()
                return nil
            },
            errand.toOpaque()
        )
        if code == 0 { pthread_detach(thread) } else { errand.release() }
        return code
    }
}
