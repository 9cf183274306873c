/// Lists the file systems that keep data on a device, and the one at `/` whatever it is; other types on demand.
///
/// Network file systems, those in memory and those laid over others are left out: their types are `nodev` in
/// `/proc/filesystems`. ZFS is, too, and is listed nevertheless, save for its snapshots. Where that file cannot be read (in a
/// systemd unit with `ProcSubset=pid`, in proot), what counts is whether the mount names a device. Knows nothing of how full file
/// systems are, nor of whether their paths lead to them.
///
/// Source: Documentation/filesystems/proc.rst of the kernel, section 3.5; proc_pid_mountinfo(5), proc_filesystems(5).
struct MountTable {
    private let types: SystemFile
    /// The first that can be read is the right one.
    private let tables: [Table]
    private let prefix: [UInt8]
    /// Whether the mounts are those that this process sees.
    let isOwn: Bool

    private struct Table {
        let file: SystemFile
        let form: MountLine.Form
        /// Whether it lists what this process sees, whatever the machine is.
        let isOfReader: Bool
    }

    init(root: SystemRoot) {
        types = SystemFile(path: root.proc + "/filesystems", form: .whole)
        prefix = Array(root.mounts.utf8)
        // Of another machine's tree, or of the host of a container, it is the first process that sees what the machine sees.
        isOwn = root.proc == SystemRoot.running.proc && root.mounts.isEmpty
        let folders = isOwn ? ["self/"] : ["1/", "self/", ""]
        tables = folders.flatMap { folder in
            [("mountinfo", MountLine.Form.mountinfo), ("mounts", .mounts)].map { name, form in
                let file = SystemFile(path: "\(root.proc)/\(folder)\(name)", limit: 16 << 20)
                return Table(file: file, form: form, isOfReader: folder != "1/")
            }
        }
    }

    /// The file systems, in the order in which the kernel lists them, which is that of their mounting.
    ///
    /// - Parameter included: types that are listed although they are on no device; nil for all there are.
    func mounts(including included: Set<String>? = []) throws(CollectorError) -> [Mount] {
        let types = onDeviceTypes()
        var failure: CollectorError?
        for table in tables {
            do throws(CollectorError) {
                let mounts = try table.file.read { (scanner) throws(CollectorError) in
                    Self.mounts(&scanner, table.form, types, including: included)
                }
                return table.isOfReader && !isOwn ? belowPrefix(mounts) : mounts
            } catch {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
        return []
    }

    /// The mount of that number that this process sees; nil where there is none, or nobody says.
    static func own(_ id: UInt64) -> Mount? {
        do throws(CollectorError) {
            let table = SystemFile(path: SystemRoot.running.proc + "/self/mountinfo", limit: 16 << 20)
            return try table.read { (scanner) throws(CollectorError) in
                while let text = scanner.line() {
                    if let line = MountLine(text, .mountinfo), line.id == id { return line.mount(at: line.point) }
                }
                return nil
            }
        } catch {
            return nil
        }
    }

    /// The types that need a device: the lines without `nodev`; nil where the file cannot be read.
    private func onDeviceTypes() -> [[UInt8]]? {
        do throws(CollectorError) {
            return try types.read { (scanner) throws(CollectorError) in
                var types = [Array("zfs".utf8)]
                while var line = scanner.line() {
                    guard line.skip(0x09), line.count > 0 else { continue }
                    types.append(line.remaining)
                }
                return types
            }
        } catch {
            return nil
        }
    }

    /// A reader that may not ask for the first process's mounts gets its own: those in the folder where the host's root is are
    /// the host's. Where there are none it is a made-up tree, which has no other.
    private func belowPrefix(_ mounts: [Mount]) -> [Mount] {
        guard !prefix.isEmpty else { return mounts }
        let below = mounts.compactMap { mount -> Mount? in
            guard mount.octets.starts(with: prefix) else { return nil }
            var inside = mount
            inside.octets = mount.octets.count == prefix.count ? [0x2F] : Array(mount.octets[prefix.count...])
            return inside.octets.first == 0x2F ? inside : nil
        }
        return below.isEmpty ? mounts : below
    }

    private static func mounts(
        _ scanner: inout ByteScanner,
        _ form: MountLine.Form,
        _ types: [[UInt8]]?,
        including included: Set<String>?
    ) -> [Mount] {
        var mounts: [Mount?] = []
        var indices: [[UInt8]: Int] = [:]
        while let text = scanner.line() {
            guard let line = MountLine(text, form) else { continue }
            let point = line.point
            guard point.first == 0x2F, !point.contains(0) else { continue }
            let isListed = line.isOnDevice(types) || point == [0x2F] || line.isIncluded(included)
            // What was mounted here before cannot be seen any more. Under another file system that is listed that is meant so; a
            // sandbox covers a place by what is not. Where mounts have no numbers, nobody can look beneath.
            if let hidden = indices.removeValue(forKey: point) {
                if isListed || form == .mounts { mounts[hidden] = nil }
            }
            guard isListed else { continue }
            indices[point] = mounts.count
            mounts.append(line.mount(at: point))
        }
        return mounts.compactMap { $0 }
    }
}
