#if Agent
import Glibc

/// A system call that failed.
struct SystemError: Error, Hashable {
    /// The system's number for the reason, `ENOENT`, say.
    var code: Int32
    /// The call, or what it was for.
    var context: String

    /// The failure that the system has just reported.
    static func last(_ context: @autoclosure () -> String) -> SystemError {
        // Before the text is put together, which may take system calls itself.
        let code = errno
        return SystemError(code: code, context: context())
    }

    /// The reason in the system's words.
    var reason: String { String(cString: strerror(code)) }
}

/// Calls `body` until something else than a signal ends it; -1 is an error.
func retryingInterrupts(_ context: String, _ body: () -> Int) throws(SystemError) -> Int {
    while true {
        let result = body()
        if result >= 0 { return result }
        guard errno == EINTR else { throw .last(context) }
    }
}
#endif
