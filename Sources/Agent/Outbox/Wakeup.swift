#if Agent
import Synchronization

/// Lets one task wait until another part of the program rings. A ring that nobody waits for is kept, once.
final class Wakeup: Sendable {
    private enum State {
        case silent
        case rung
        case awaited(CheckedContinuation<Void, Never>)
    }

    private let state = Mutex(State.silent)

    /// Ends the wait, or the next one if nobody waits.
    func ring() {
        let continuation = state.withLock { state -> CheckedContinuation<Void, Never>? in
            if case .awaited(let continuation) = state {
                state = .silent
                return continuation
            }
            state = .rung
            return nil
        }
        continuation?.resume()
    }

    /// Waits for a ring, or for the end of the task.
    func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isRung = state.withLock { state in
                    if case .rung = state {
                        state = .silent
                        return true
                    }
                    state = .awaited(continuation)
                    return false
                }
                if isRung { continuation.resume() }
            }
        } onCancel: {
            ring()
        }
    }

    /// Waits for a ring, at most so long, or for the end of the task.
    ///
    /// - Parameter timer: tells when the time is up; has to have been started.
    func wait(atMost time: Duration, timer: TaskThread) async {
        let alarm = timer.setAlarm(at: .now.advanced(by: time)) { self.ring() }
        await wait()
        timer.cancelAlarm(alarm)
    }
}
#endif
