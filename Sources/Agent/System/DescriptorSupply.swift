#if Agent
import CLinux
import Glibc

/// How many files the process may have open.
enum DescriptorSupply {
    /// Raises the limit as far as the process itself may.
    static func raiseLimit() {
        clinux_raise_descriptor_limit()
    }

    /// Makes sure that so many more descriptors can be had.
    ///
    /// - Throws: EMFILE where not even these are left.
    static func require(_ count: Int) throws(SystemError) {
        var taken: [Int32] = []
        defer { for descriptor in taken { close(descriptor) } }
        while taken.count < count {
            let descriptor = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
            guard descriptor >= 0 else {
                throw .last("the agent needs \(count) free descriptors and gets \(taken.count)")
            }
            taken.append(descriptor)
        }
    }
}
#endif
