#if Agent
import Glibc
import Synchronization

/// Runs asynchronous work from a thread that may wait for it, such as that of a command.
///
/// - Throws: what the work throws, or a ``CommandFailure`` where there is no thread or no descriptor for it.
func blocking<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) throws -> Value {
    let box = ResultBox<Value>()
    let done = try orFail { () throws(SystemError) in try EventDescriptor() }
    try TaskThread.startShared()
    Task(executorPreference: TaskThread.shared) {
        let result: Result<Value, any Error>
        do {
            result = .success(try await body())
        } catch {
            result = .failure(error)
        }
        box.result.withLock { $0 = result }
        done.ring()
    }
    while true {
        var polled = pollfd(fd: done.number, events: Int16(POLLIN), revents: 0)
        _ = poll(&polled, 1, -1)
        if let result = box.result.withLock({ $0 }) { return try result.get() }
    }
}

private final class ResultBox<Value: Sendable>: Sendable {
    let result = Mutex<Result<Value, any Error>?>(nil)
}
#endif
