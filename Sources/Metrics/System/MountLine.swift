/// A line of `/proc/PID/mountinfo` or `/proc/PID/mounts`. Refers to the text that it was read from.
struct MountLine {
    /// Which of the two files it is.
    enum Form {
        case mountinfo, mounts
    }

    private(set) var id: UInt64?
    private var parent: UInt64?
    private(set) var number: DeviceNumber?
    /// Which part of the file system is seen; nil where the line does not say.
    private var root: ByteScanner?
    private let escapedPoint: ByteScanner
    private let device: ByteScanner
    private let type: ByteScanner
    /// Those of the file system as a whole in `mountinfo`, mixed with those of the mount in `mounts`.
    private let options: ByteScanner
    private let form: Form

    /// Nil for a line that is no such.
    init?(_ line: ByteScanner, _ form: Form) {
        var line = line
        self.form = form
        if form == .mountinfo {
            guard let id = line.unsigned(), let parent = line.unsigned(), let major = line.unsigned(), line.skip(0x3A),
                let minor = line.unsigned(), line.skip(0x20), let root = line.field(before: 0x20),
                let point = line.field(before: 0x20), line.field(before: 0x20) != nil
            else { return nil }
            (self.id, self.parent) = (id, parent)
            number = DeviceNumber(UInt32(clamping: major), UInt32(clamping: minor))
            self.root = root
            escapedPoint = point
            // Any number of optional fields, and a hyphen.
            while let field = line.field(before: 0x20), !field.isExactly("-") {}
            guard let type = line.field(before: 0x20), let device = line.field(before: 0x20) else { return nil }
            (self.type, self.device) = (type, device)
        } else {
            // Exactly one blank between two fields: the device may be empty.
            guard let device = line.field(before: 0x20), let point = line.field(before: 0x20),
                let type = line.field(before: 0x20)
            else { return nil }
            (self.device, escapedPoint, self.type) = (device, point, type)
        }
        options = line
    }

    /// Where it is mounted.
    var point: [UInt8] { Self.unescaped(escapedPoint) }

    var typeText: String { String(decoding: Self.unescaped(type), as: UTF8.self) }

    /// - Parameter types: those that need a device; nil where nobody says which do.
    func isOnDevice(_ types: [[UInt8]]?) -> Bool {
        guard device.count > 0, !device.isExactly("none") else { return false }
        if type.isExactly("zfs") { return !device.remaining.contains(UInt8(ascii: "@")) }
        if let types {
            for name in types {
                var rest = type
                // A subtype may follow: `fuseblk.ntfs`.
                if rest.skip(name), rest.isAtEnd || rest.next == 0x2E { return true }
            }
            return false
        }
        if let number, number.major != 0 { return true }
        var type = type
        if type.skip("fuse"), type.isAtEnd || type.next == 0x2E { return false }
        var device = device
        return device.skip("/dev/")
    }

    /// - Parameter types: nil for all there are.
    func isIncluded(_ types: Set<String>?) -> Bool {
        guard let types else { return true }
        return !types.isEmpty && types.containsType(typeText)
    }

    func mount(at point: [UInt8]) -> Mount {
        let device = String(decoding: Self.unescaped(device), as: UTF8.self)
        var mount = Mount(device: device, octets: point, type: typeText)
        (mount.id, mount.parent, mount.number) = (id, parent, number)
        mount.part = part
        if form == .mountinfo { mount.isReadOnly = isReadOnly }
        return mount
    }

    private var isReadOnly: Bool {
        var options = options
        return options.skip("ro") && (options.isAtEnd || options.next == 0x2C)
    }

    private var part: Mount.Part? {
        let subvolume = type.isExactly("btrfs") ? option("subvol=") : nil
        if form == .mounts {
            guard let subvolume else { return nil }
            if subvolume == [0x2F] { return .whole }
            // Number 5 is the file system's root.
            return option("subvolid=") == [UInt8(ascii: "5")] ? .part : .subvolume
        }
        guard let root else { return nil }
        if root.isExactly("/") { return .whole }
        return subvolume.map { root.isExactly($0) } == true ? .subvolume : .part
    }

    private func option(_ name: StaticString) -> [UInt8]? {
        for option in options.remaining.split(separator: 0x2C) {
            let value = ByteScanner.scan(Array(option)) { $0.skip(name) ? $0.remaining : nil }
            // Blanks end the options in `mounts`.
            if let value { return Array(value.prefix { $0 != 0x20 && $0 != 0x0D }) }
        }
        return nil
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
