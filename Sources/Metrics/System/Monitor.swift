import Glibc

/// A value that several threads share: one of them at a time looks at it or changes it, and may wait for it to change, until a
/// deadline if need be.
///
/// `Synchronization.Mutex` cannot be waited on. This one holds the thread, so it is nothing for tasks.
// Unchecked: the compiler cannot see that `value` is touched only while `mutex` is held.
final class Monitor<Value>: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private var value: Value

    init(_ value: sending Value) {
        self.value = value
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        condition = .allocate(capacity: 1)
        condition.initialize(to: pthread_cond_t())
        var attributes = pthread_condattr_t()
        // None of these can fail in glibc for the arguments given.
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    func withLock<Result>(_ body: (inout Value) -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body(&value)
    }

    /// Calls `body` now and after every `wakeAll()` until it returns something; nil once the deadline has passed.
    ///
    /// - Parameter deadline: asked for anew before every wait; nil waits for ever.
    func wait<Result>(until deadline: (Value) -> Deadline?, for body: (inout Value) -> Result?) -> Result? {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while true {
            if let result = body(&value) { return result }
            guard let deadline = deadline(value) else {
                pthread_cond_wait(condition, mutex)
                continue
            }
            if deadline.hasPassed { return nil }
            var time = deadline.absoluteTime
            pthread_cond_timedwait(condition, mutex, &time)
        }
    }

    /// Has all who wait look again. To be called after a change, with or without the lock.
    func wakeAll() {
        pthread_cond_broadcast(condition)
    }
}
