#if Agent
import Glibc

/// A file that is read from its start to its end, or standard input. Closes what it opened.
struct InputFile: ~Copyable {
    private let descriptor: Int32
    private let isOwned: Bool

    /// The file at a path; `-` is standard input.
    init(path: String) throws(SystemError) {
        if path == "-" {
            descriptor = STDIN_FILENO
            isOwned = false
        } else {
            descriptor = Int32(
                truncatingIfNeeded: try retryingInterrupts("open") { Int(open(path, O_RDONLY | O_CLOEXEC)) }
            )
            isOwned = true
        }
    }

    deinit {
        if isOwned { close(descriptor) }
    }

    /// Reads into `memory` what there is, at least an octet, and says how many octets; 0 at the end.
    func read(into memory: UnsafeMutableRawBufferPointer) throws(SystemError) -> Int {
        try retryingInterrupts("read") { Glibc.read(descriptor, memory.baseAddress, memory.count) }
    }
}
#endif
