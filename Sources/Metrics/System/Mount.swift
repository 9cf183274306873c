import Glibc

/// A file system at a place in the tree of directories.
struct Mount: Sendable {
    /// How much of a file system is seen at its place.
    enum Part: Int, Sendable {
        /// All of it, from its root on.
        case whole
        /// A subvolume of btrfs.
        case subvolume
        /// A folder or a file of it: a bind mount.
        case part
    }

    /// The kernel's number of the mount: another one in each namespace; nil where the table does not say.
    var id: UInt64?
    /// The number of the mount that it is mounted on.
    var parent: UInt64?
    /// The device that the file system is on, one of its own where it is on none; nil where the table does not say.
    var number: DeviceNumber?
    /// What is mounted, `/dev/sda1` mostly; for ZFS the name of the data set.
    let device: String
    /// Where, as the kernel knows it.
    var octets: [UInt8] {
        didSet { mountPoint = String(decoding: octets, as: UTF8.self) }
    }
    /// `ext4`, say.
    let type: String
    /// Where, as text; what is not UTF-8 became U+FFFD.
    private(set) var mountPoint: String
    /// Nil where the table does not say.
    var part: Part?
    /// Whether the file system as a whole, not just this mount of it, can only be read; nil where the table does not say.
    var isReadOnly: Bool?

    init(device: String, octets: [UInt8], type: String) {
        self.device = device
        self.octets = octets
        self.type = type
        mountPoint = String(decoding: octets, as: UTF8.self)
    }

    var isRoot: Bool { octets == [0x2F] }

    /// Types that nobody can write to: their file systems are always full.
    static let unwritableTypes: Set<String> = ["squashfs", "iso9660", "erofs", "cramfs", "romfs"]
}

/// The kernel's number of a device.
struct DeviceNumber: Hashable, Sendable {
    var major: UInt32
    var minor: UInt32

    init(_ major: UInt32, _ minor: UInt32) {
        (self.major, self.minor) = (major, minor)
    }
}

extension Set<String> {
    /// Whether a file system's type is among these, or the part of it before the first dot: `fuse` for `fuse.sshfs`.
    func containsType(_ type: String) -> Bool {
        if isEmpty { return false }
        return contains(type) || type.firstIndex(of: ".").map { contains(String(type[..<$0])) } ?? false
    }
}
