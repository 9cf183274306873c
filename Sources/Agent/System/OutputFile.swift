#if Agent
import Glibc

/// An open descriptor that is written in large pieces. Does not close it.
///
/// What was appended is written when 64 KiB have gathered and by ``flush()``; what was not is lost with the value.
struct OutputFile: ~Copyable {
    private let descriptor: Int32
    private var held: [UInt8] = []
    private static let pieceSize = 65_536

    init(descriptor: Int32) {
        self.descriptor = descriptor
        held.reserveCapacity(Self.pieceSize + 4_096)
    }

    static var standardOutput: OutputFile { OutputFile(descriptor: STDOUT_FILENO) }

    /// Appends text.
    mutating func append(_ text: String) throws(SystemError) {
        held.append(contentsOf: text.utf8)
        if held.count >= Self.pieceSize { try flush() }
    }

    /// Appends a line of text.
    mutating func append(line: String) throws(SystemError) {
        held.append(contentsOf: line.utf8)
        try append("\n")
    }

    /// Appends octets.
    mutating func append(_ octets: UnsafeRawBufferPointer) throws(SystemError) {
        held.append(contentsOf: octets)
        if held.count >= Self.pieceSize { try flush() }
    }

    /// Writes all that was appended.
    mutating func flush() throws(SystemError) {
        var written = 0
        defer { held.removeAll(keepingCapacity: held.capacity <= 4 * Self.pieceSize) }
        while written < held.count {
            written += try held.withUnsafeBufferPointer { (octets) throws(SystemError) in
                let rest = UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: octets[written...]))
                return try retryingInterrupts("write") { write(descriptor, rest.baseAddress, rest.count) }
            }
        }
    }
}
#endif
