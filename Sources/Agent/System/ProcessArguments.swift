#if Agent
import Glibc

/// The command line of this process.
enum ProcessArguments {
    /// The arguments, without the program's own name.
    ///
    /// Swift finds them through /proc/self/maps. Without /proc they are read where the kernel put them.
    static var all: [String] {
        let known = CommandLine.arguments
        return Array((known.isEmpty ? onStack() : known).dropFirst())
    }

    /// At the start of a process the stack holds the number of arguments, the arguments, a null, the environment, and another
    /// null (System V ABI, "Process Initialization"). The environment can be found, and what stands before it with it.
    static func onStack() -> [String] {
        guard let environment = UnsafeRawPointer(environ) else { return [] }
        func word(before count: Int) -> UInt {
            environment.load(fromByteOffset: -count * MemoryLayout<UInt>.size, as: UInt.self)
        }
        // Somebody has moved the environment: what stands before it means nothing.
        guard word(before: 1) == 0 else { return [] }
        guard let count = (0..<mostArguments).first(where: { word(before: $0 + 2) == UInt($0) }) else { return [] }
        return (0..<count).reversed().compactMap { index in
            UnsafePointer<CChar>(bitPattern: word(before: index + 2)).map { String(cString: $0) }
        }
    }

    /// How far to look for their number.
    private static let mostArguments = 65_536
}
#endif
