import CLinux
import Glibc

/// The root directory of a machine: this one's, or a folder that holds another one's tree, a host's in a container.
///
/// Paths are opened as that machine would open them: an absolute symbolic link in its tree stays in its tree, and `..` does not
/// lead out of it. Knows nothing of what the files are.
struct HostRoot: Hashable, Sendable {
    /// The folder; empty for this machine's own root.
    let path: String

    /// This machine's own.
    static let own = HostRoot(path: "")

    /// The root that belongs to a folder that is a machine's `/etc`: the folder above it.
    init(ofEtc etc: String) {
        if etc == SystemRoot.running.etc {
            path = ""
        } else if let slash = etc.lastIndex(of: "/") {
            path = slash == etc.startIndex ? "" : String(etc[..<slash])
        } else {
            path = "."
        }
    }

    init(path: String) {
        self.path = path
    }

    /// Why something cannot be opened.
    struct Failure: Error {
        let number: Int32
    }

    /// Opens a file of that machine, by its absolute path there. The descriptor is closed on exec.
    func open(_ file: [UInt8], _ flags: Int32) -> Result<Int32, Failure> {
        guard !file.contains(0) else { return .failure(Failure(number: ENOENT)) }
        let name = Self.cString(file)
        if path.isEmpty { return Self.repeated { Glibc.open(name, flags | O_CLOEXEC) } }
        let root = Self.repeated { Glibc.open(path, clinux_o_path | O_DIRECTORY | O_CLOEXEC) }
        guard case .success(let folder) = root else { return root }
        defer { close(folder) }
        for _ in 0..<Self.mostAttempts {
            let opened = Self.repeated { clinux_open_in_root(folder, name, flags | O_CLOEXEC) }
            guard case .failure(let failure) = opened else { return opened }
            switch failure.number {
            case EAGAIN: continue
            case ENOSYS, EPERM, EINVAL: return openByHand(file, flags)
            default: return opened
            }
        }
        return openByHand(file, flags)
    }

    /// The same without openat2(2), which old kernels lack and sandboxes refuse. What is renamed meanwhile may mislead it.
    func openByHand(_ file: [UInt8], _ flags: Int32) -> Result<Int32, Failure> {
        var rest = Self.components(file[...])
        var walked: [[UInt8]] = []
        var links = 0
        while let component = rest.popLast() {
            if component == Array("..".utf8) {
                _ = walked.popLast()
                continue
            }
            walked.append(component)
            guard let target = Self.target(of: full(walked)) else { continue }
            links += 1
            guard links <= Self.mostLinks else { return .failure(Failure(number: ELOOP)) }
            walked.removeLast()
            if target.first == Self.slash { walked.removeAll() }
            rest += Self.components(target[...])
        }
        // The last component is no link any more, unless one was made just now: that would be followed in our own tree.
        return Self.repeated { Glibc.open(Self.cString(full(walked)), flags | O_NOFOLLOW | O_CLOEXEC) }
    }

    private func full(_ components: [[UInt8]]) -> [UInt8] {
        components.reduce(into: Array(path.utf8)) { path, component in
            path.append(Self.slash)
            path += component
        }
    }

    private static let slash = UInt8(ascii: "/")
    /// As many as the kernel follows in one path.
    private static let mostLinks = 40
    private static let mostAttempts = 8

    /// The parts of a path without empty ones and `.`, the last first.
    private static func components(_ path: ArraySlice<UInt8>) -> [[UInt8]] {
        path.split(separator: slash).reversed().map(Array.init).filter { $0 != [UInt8(ascii: ".")] }
    }

    /// Where a symbolic link leads; nil for everything else.
    private static func target(of path: [UInt8]) -> [UInt8]? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
            guard let start = buffer.baseAddress else { return nil }
            let count = readlink(cString(path), start, buffer.count)
            return count > 0 ? buffer.prefix(count).map { UInt8(bitPattern: $0) } : nil
        }
    }

    private static func repeated(_ call: () -> Int32) -> Result<Int32, Failure> {
        while true {
            let descriptor = call()
            if descriptor >= 0 { return .success(descriptor) }
            guard errno == EINTR else { return .failure(Failure(number: errno)) }
        }
    }

    private static func cString(_ path: [UInt8]) -> [CChar] {
        var name: [CChar] = []
        name.reserveCapacity(path.count + 1)
        for octet in path { name.append(CChar(bitPattern: octet)) }
        name.append(0)
        return name
    }
}

extension SystemRoot {
    /// The root directory of the machine that is described.
    var host: HostRoot { mounts.isEmpty ? HostRoot(ofEtc: etc) : HostRoot(path: mounts) }

    /// Where a file of the machine's `/etc` may be, the best place first: in the folder that is `/etc`, and where the machine's
    /// root is known and somewhere else, there.
    func places(inEtc name: String) -> [SystemFile.Place] {
        if !mounts.isEmpty, etc.hasPrefix(mounts + "/") {
            return [SystemFile.Place(root: host, path: "\(etc.dropFirst(mounts.count))/\(name)")]
        }
        let folder = etc.split(separator: "/").last ?? "etc"
        var places = [SystemFile.Place(root: HostRoot(ofEtc: etc), path: "/\(folder)/\(name)")]
        if !mounts.isEmpty { places.append(SystemFile.Place(root: host, path: "/etc/\(name)")) }
        return places
    }
}
