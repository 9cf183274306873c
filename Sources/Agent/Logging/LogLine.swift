#if Agent
import Glibc

/// Writes whole lines to a stream without waiting for its reader.
///
/// A line that was begun and could not be ended is ended before the next one begins.
struct LogLine: Sendable {
    private let stream: LogStream
    /// Nil for UTF-8.
    private let encoding: LogEncoding?
    /// A part of a line stands at the end of what was written.
    private var isInsideLine = false

    init(_ stream: LogStream, encoding: LogEncoding? = nil) {
        self.stream = stream
        self.encoding = encoding
    }

    /// Writes a text and a line feed behind it.
    ///
    /// - Parameter mark: what has to stand before it.
    mutating func write(_ text: inout [UInt8], behind mark: [UInt8] = []) throws(SystemError) {
        if isInsideLine { text.insert(0x0A, at: 0) }
        text.append(0x0A)
        if let encoding { text = mark + encoding.encode(text) }
        let (written, code) = stream.write(text)
        if written > 0 { isInsideLine = encoding == nil ? text[written - 1] != 0x0A : written < text.count }
        if let code { throw SystemError(code: code, context: "write") }
    }
}

/// A descriptor that is written to without waiting for its reader. Does not close it.
///
/// The process has to ignore SIGPIPE, by which a pipe that nobody reads would end it.
final class LogStream: Sendable {
    private let descriptor: Int32
    /// Whether the descriptor was opened here.
    private let isOwned: Bool
    /// How many octets it takes without waiting when it says that it takes some.
    private let pieceSize: Int

    init(_ descriptor: Int32) {
        guard isatty(descriptor) == 1 else {
            // Pipes and sockets take PIPE_BUF octets then.
            (self.descriptor, isOwned, pieceSize) = (descriptor, false, 4_096)
            return
        }
        // A terminal may take a few octets and have the rest of a line wait for ever, unless it was opened not to wait; that is a
        // property of the opening, and this one is shared with the shell.
        var name = [CChar](repeating: 0, count: 256)
        if ttyname_r(descriptor, &name, name.count) == 0 {
            let opened = open(name, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
            if opened >= 0 {
                (self.descriptor, isOwned, pieceSize) = (opened, true, 4_096)
                return
            }
        }
        // Another user's terminal, as after su. One octet always finds room when there is any.
        (self.descriptor, isOwned, pieceSize) = (descriptor, false, 1)
    }

    deinit {
        if isOwned { close(descriptor) }
    }

    /// Writes octets, and says how many were taken and why not all of them.
    func write(_ octets: [UInt8]) -> (written: Int, code: Int32?) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return (0, errno) }
        return octets.withUnsafeBytes { memory in
            status.st_mode & S_IFMT == S_IFREG ? writeToFile(memory) : writeToReader(memory)
        }
    }

    private func writeToFile(_ memory: UnsafeRawBufferPointer) -> (Int, Int32?) {
        var written = 0
        while written < memory.count {
            let count = Glibc.write(descriptor, memory.baseAddress?.advanced(by: written), memory.count - written)
            if count > 0 {
                written += count
            } else if count == 0 || errno != EINTR {
                return (written, count == 0 ? ENOSPC : errno)
            }
        }
        return (written, nil)
    }

    /// For pipes, terminals and sockets.
    private func writeToReader(_ memory: UnsafeRawBufferPointer) -> (Int, Int32?) {
        var written = 0
        while written < memory.count {
            var polled = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            // Nobody waits for a reader to begin with, and for the rest of a line only so long.
            let ready = poll(&polled, 1, written == 0 ? 0 : 100)
            if ready == 0 { return (written, EAGAIN) }
            if ready < 0, errno != EINTR { return (written, errno) }
            guard ready > 0 else { continue }
            let piece = min(pieceSize, memory.count - written)
            let count = Glibc.write(descriptor, memory.baseAddress?.advanced(by: written), piece)
            if count > 0 {
                written += count
            } else if count == 0 || errno != EINTR {
                return (written, count == 0 ? EIO : errno)
            }
        }
        return (written, nil)
    }
}
#endif
