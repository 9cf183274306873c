#if Agent
import Glibc

/// The address of a socket in the file system, or of one without a file.
struct UnixAddress {
    private var address = sockaddr_un()
    private let size: socklen_t

    /// - Parameter path: one that begins with `@` is the name of a socket without a file (unix(7), "abstract").
    /// - Returns: nil where the path is too long.
    init?(_ path: String) {
        address.sun_family = sa_family_t(AF_UNIX)
        var bytes = Array(path.utf8)
        let isAbstract = bytes.first == UInt8(ascii: "@")
        if isAbstract { bytes[0] = 0 }
        let fits = withUnsafeMutableBytes(of: &address.sun_path) { memory in
            // One byte ends it.
            guard bytes.count < memory.count else { return false }
            memory.copyBytes(from: bytes)
            return true
        }
        guard fits else { return nil }
        // Of a name without a file every byte counts.
        let all = MemoryLayout<sockaddr_un>.size
        size = socklen_t(isAbstract ? all - MemoryLayout.size(ofValue: address.sun_path) + bytes.count : all)
    }

    /// Calls `body` with what `connect` and its like take.
    mutating func use(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, size)
            }
        }
    }
}
#endif
