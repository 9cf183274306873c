import Glibc

/// How system calls are made: interrupted ones again, "not now" as a value, failures as numbers.
enum SystemCall {
    /// What a call on a non-blocking descriptor came to.
    enum Outcome: Equatable {
        case done(Int)
        case wouldBlock
        case failed(Int32)
    }

    /// Makes a call that returns -1 and sets `errno` when it fails, and makes it again where a signal interrupted it.
    static func attempt(_ call: () -> Int) -> Outcome {
        while true {
            let result = call()
            guard result < 0 else { return .done(result) }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            case let number:
                precondition(number != EBADF && number != EFAULT, "a descriptor or buffer was used after its end")
                return .failed(number)
            }
        }
    }

    /// Receives what is there, up to the size of the buffer.
    static func receive(_ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer) -> Outcome {
        attempt { recv(descriptor, buffer.baseAddress, buffer.count, 0) }
    }

    /// Looks at the first byte that is there, and leaves it there.
    static func peek(_ descriptor: Int32, into byte: inout UInt8) -> Outcome {
        withUnsafeMutablePointer(to: &byte) { pointer in attempt { recv(descriptor, pointer, 1, Int32(MSG_PEEK)) } }
    }

    /// Sends what fits. A peer that has gone is an error number here, never a signal.
    static func send(_ descriptor: Int32, _ buffer: UnsafeRawBufferPointer) -> Outcome {
        attempt { Glibc.send(descriptor, buffer.baseAddress, buffer.count, Int32(MSG_NOSIGNAL)) }
    }

    /// Sets an option whose value is a C `int`; whether the kernel took it.
    @discardableResult
    static func setOption(_ descriptor: Int32, level: Int32, name: Int32, to value: Int32) -> Bool {
        var value = value
        return setsockopt(descriptor, level, name, &value, socklen_t(MemoryLayout<Int32>.size)) == 0
    }

    /// The error that a socket has waiting, 0 where there is none.
    static func pendingError(_ descriptor: Int32) -> Int32 {
        var value: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &value, &length) == 0 else { return errno }
        return value
    }
}
