import CLinux
import Glibc

/// Asks a file system how full it is, through a path that is known to lead to it.
///
/// In order, for each mount of the device: its own path, and its path as the first process sees it, which leads below what a
/// sandbox covers and to what a container does not have, if this process may look there. The number of the device in the table
/// of mounts is compared with `st_dev`. File systems with subvolumes have others there, so then the mount that the path leads to
/// is looked up in the table of this process: its number is that of the file system.
///
/// Runs on a thread of its own: everything in here can block for ever.
struct MountProbe: Sendable {
    /// A path, and the root directory in which it is one.
    struct Place: Sendable {
        var root: HostRoot
        var path: [UInt8]

        /// The path in our own tree, with a 0 behind it.
        var cString: [CChar] { (Array(root.path.utf8) + path).map { CChar(bitPattern: $0) } + [0] }
    }

    /// Which file system a path leads to.
    struct Identity: Sendable {
        /// As `st_dev` says.
        var number: DeviceNumber
        /// As statx(2) says; nil where it does not.
        var mount: UInt64?
        var isFolder: Bool
    }

    typealias Usage = DiskSpaceCollector.Usage
    typealias Ask = @Sendable (Place) -> Result<Usage, DiskSpaceCollector.ErrorNumber>

    private let prefix: HostRoot
    private let firstProcess: HostRoot
    private let isOwn: Bool
    private let ask: Ask

    init(root: SystemRoot, ask: @escaping Ask) {
        prefix = HostRoot(path: root.mounts)
        firstProcess = HostRoot(path: root.proc + "/1/root")
        isOwn = root.proc == SystemRoot.running.proc && root.mounts.isEmpty
        self.ask = ask
    }

    /// Asks the first of the mounts, which are all of one device, that can be reached.
    func ask(_ mounts: [Mount]) -> Result<(Mount, Usage), CollectorError> {
        var failure: CollectorError?
        var file: (Mount, Usage)?
        for mount in mounts {
            switch ask(mount) {
            case .success(let usage):
                // A single file, `/etc/hosts` in a container, is worse than any folder.
                if mount.part != .part || usage.identity?.isFolder != false { return .success((mount, usage)) }
                file = file ?? (mount, usage)
            case .failure(let error):
                failure = failure ?? error
                // What refuses at one place may do so everywhere; what cannot be reached there may be elsewhere.
                if case .unreachable = error.reason { continue }
                return .failure(error)
            }
        }
        if let file { return .success(file) }
        return .failure(failure ?? CollectorError(source: "", reason: .notFound("no mount")))
    }

    private func ask(_ mount: Mount) -> Result<Usage, CollectorError> {
        // Without numbers nobody can tell, and the host's paths mean nothing here.
        guard isOwn || mount.number != nil || !prefix.path.isEmpty else {
            return .failure(unreachable(mount, by: nil))
        }
        let outcome = ask(Place(root: prefix, path: mount.octets))
        if case .success(let usage) = outcome, leads(usage.identity, to: mount) { return .success(usage) }
        let place = Place(root: firstProcess, path: mount.octets)
        if mount.number != nil, case .success(let usage) = ask(place), usage.identity != nil,
            leads(usage.identity, to: mount)
        {
            return .success(usage)
        }
        switch outcome {
        case .success(let usage): return .failure(unreachable(mount, by: usage.identity))
        case .failure(let error):
            if let found = obstacle(to: mount, after: error) { return .failure(unreachable(mount, by: found)) }
            let reason = CollectorError.Reason.system(call: "statvfs", errno: error.number)
            return .failure(CollectorError(source: mount.mountPoint, reason: reason))
        }
    }

    /// What lies where a path breaks off that should lead to a mount; nil if that is no other mount.
    private func obstacle(to mount: Mount, after error: DiskSpaceCollector.ErrorNumber) -> Identity? {
        guard let parent = mount.parent, [ENOENT, ENOTDIR, EACCES].contains(error.number) else { return nil }
        var path = mount.octets
        while let slash = path.lastIndex(of: UInt8(ascii: "/")), path.count > 1 {
            path = Array(path[..<max(slash, 1)])
            guard case .success(let usage) = ask(Place(root: prefix, path: path)), let found = usage.identity else {
                continue
            }
            if !isOwn { return error.number == EACCES ? nil : found }
            return found.mount == parent ? nil : found
        }
        return nil
    }

    private func leads(_ identity: Identity?, to mount: Mount) -> Bool {
        guard let identity, let number = mount.number else { return true }
        if identity.number == number { return true }
        guard let id = identity.mount else { return false }
        return id == mount.id || MountTable.own(id)?.number == number
    }

    /// Says what is in the way, and what to do.
    private func unreachable(_ mount: Mount, by found: Identity?) -> CollectorError {
        let cover = found?.mount.flatMap(MountTable.own)
        let text: String
        if isOwn {
            let what = cover.map { "\($0.type) is mounted over \($0.mountPoint)" } ?? "something is mounted over it"
            text =
                "cannot be reached: \(what). In a systemd unit, say ProtectHome=read-only instead of yes or tmpfs, and "
                + "ReadOnlyPaths= instead of InaccessiblePaths="
        } else if prefix.path.isEmpty {
            text =
                "is a mount of the host's, and where the host's root directory is here is not known: bind the host's / "
                + "(docker: -v /:/host:ro,rslave), and name its place by root in [system] or by HOST_ROOT"
        } else {
            text =
                "cannot be reached: \(prefix.path)\(mount.mountPoint) leads to another file system. Bind the host's / so that "
                + "later mounts get here (docker: -v /:\(prefix.path):ro,rslave; root in [system] and HOST_ROOT are its place)"
        }
        return CollectorError(source: mount.mountPoint, reason: .unreachable(text))
    }

    /// statvfs(3) and the identity of what was asked, in one: what is mounted or unmounted meanwhile cannot part them.
    static let usage: Ask = { place in
        let descriptor: Int32
        switch place.root.open(place.path, clinux_o_path) {
        case .success(let opened): descriptor = opened
        case .failure(let failure): return .failure(.init(number: failure.number))
        }
        defer { close(descriptor) }
        var found = clinux_place()
        guard clinux_place(descriptor, &found) == 0 else { return .failure(.init(number: errno)) }
        var answer = statvfs()
        while fstatvfs(descriptor, &answer) != 0 {
            guard errno == EINTR else { return .failure(.init(number: errno)) }
        }
        return .success(
            Usage(
                blockSize: UInt64(answer.f_frsize),
                blocks: UInt64(answer.f_blocks),
                freeBlocks: UInt64(answer.f_bfree),
                availableBlocks: UInt64(answer.f_bavail),
                inodes: UInt64(answer.f_files),
                freeInodes: UInt64(answer.f_ffree),
                identity: Identity(
                    number: DeviceNumber(found.major, found.minor),
                    mount: found.mount != 0 ? found.mount : mountNumber(of: descriptor),
                    // S_IFMT and S_IFDIR of stat(2).
                    isFolder: found.mode & 0o170000 == 0o040000
                )
            )
        )
    }

    /// The number of a descriptor's mount, as kernels before 5.8 say it.
    private static func mountNumber(of descriptor: Int32) -> UInt64? {
        do throws(CollectorError) {
            let info = SystemFile(path: "\(SystemRoot.running.proc)/self/fdinfo/\(descriptor)")
            return try info.read { (scanner) throws(CollectorError) in
                while var line = scanner.line() {
                    if line.skip("mnt_id:") { return line.unsigned() }
                }
                return nil
            }
        } catch {
            return nil
        }
    }
}
