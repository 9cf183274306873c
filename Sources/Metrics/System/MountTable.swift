/// A file system that can be seen at a place in the tree.
struct Mount {
    /// What is mounted, `/dev/sda1` mostly; for ZFS the name of the data set.
    let device: String
    /// Where, as the kernel knows it.
    let octets: [UInt8]
    /// `ext4`, say.
    let type: String

    /// Where, as text; what is not UTF-8 became U+FFFD.
    let mountPoint: String

    var isRoot: Bool { octets == [0x2F] }
}

/// Lists the file systems that keep data on a device and can be seen, and the one at `/` whatever it is.
///
/// Network file systems, those in memory and those laid over others are left out: their types are `nodev` in
/// `/proc/filesystems`. ZFS is, too, and is listed nevertheless. Of several mounted at one place, one over the other, only the
/// last can be seen. Knows nothing of how full they are.
///
/// Source: Documentation/filesystems/proc.rst of the kernel; proc_mounts(5), proc_filesystems(5).
struct MountTable {
    private let types: SystemFile
    /// The first that can be read is the right one.
    private let tables: [SystemFile]

    init(root: SystemRoot) {
        types = SystemFile(path: root.proc + "/filesystems", form: .whole)
        // Of another machine's tree, or of the host of a container, it is the first process that sees what the machine sees.
        let isOwn = root.proc == SystemRoot.running.proc && root.mounts.isEmpty
        let names = isOwn ? ["self/mounts"] : ["1/mounts", "self/mounts", "mounts"]
        tables = names.map { SystemFile(path: "\(root.proc)/\($0)", limit: 16 << 20) }
    }

    /// The file systems, in the order in which the kernel lists them.
    func mounts() throws(CollectorError) -> [Mount] {
        let types = try types.read { (scanner) throws(CollectorError) in Self.types(&scanner) }
        var failure: CollectorError?
        for table in tables {
            do throws(CollectorError) {
                return try table.read { (scanner) throws(CollectorError) in Self.mounts(&scanner, types: types) }
            } catch {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
        return []
    }

    /// The types that need a device: the lines without `nodev`.
    private static func types(_ scanner: inout ByteScanner) -> [[UInt8]] {
        var types = [Array("zfs".utf8)]
        while var line = scanner.line() {
            guard line.skip(0x09), line.count > 0 else { continue }
            types.append(line.remaining)
        }
        return types
    }

    private static func mounts(_ scanner: inout ByteScanner, types: [[UInt8]]) -> [Mount] {
        var mounts: [Mount?] = []
        var indices: [[UInt8]: Int] = [:]
        while var line = scanner.line() {
            // Exactly one blank between two fields: the device may be empty.
            guard let device = line.field(before: 0x20), let escapedPoint = line.field(before: 0x20),
                let type = line.field(before: 0x20)
            else { continue }
            let point = unescaped(escapedPoint)
            guard point.first == 0x2F, !point.contains(0) else { continue }
            // What was mounted here before cannot be seen any more.
            if let hidden = indices.removeValue(forKey: point) { mounts[hidden] = nil }
            let isOnDevice = device.count > 0 && !device.isExactly("none") && types.contains { type.isExactly($0) }
            guard isOnDevice || point == [0x2F] else { continue }
            indices[point] = mounts.count
            mounts.append(
                Mount(
                    device: String(decoding: unescaped(device), as: UTF8.self),
                    octets: point,
                    type: String(decoding: unescaped(type), as: UTF8.self),
                    mountPoint: String(decoding: point, as: UTF8.self)
                )
            )
        }
        return mounts.compactMap { $0 }
    }

    /// The octets of a field, in which blanks, line ends, backslashes and `#` stand as a backslash and three octal digits.
    private static func unescaped(_ field: ByteScanner) -> [UInt8] {
        let octets = field.remaining
        guard octets.contains(0x5C) else { return octets }
        var plain: [UInt8] = []
        plain.reserveCapacity(octets.count)
        var rest = octets[...]
        while let octet = rest.first {
            let digits = rest.dropFirst().prefix(3)
            if octet == 0x5C, digits.count == 3, digits.allSatisfy({ (0x30...0x37).contains($0) }),
                let value = UInt8(exactly: digits.reduce(0) { $0 * 8 + Int($1 & 7) })
            {
                plain.append(value)
                rest.removeFirst(4)
            } else {
                plain.append(octet)
                rest.removeFirst()
            }
        }
        return plain
    }
}
