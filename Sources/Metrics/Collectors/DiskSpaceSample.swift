/// How full the file systems are.
public struct DiskSpaceSample: Hashable, Sendable {
    /// In the order in which the kernel lists them.
    public var fileSystems: [FileSystem]
    /// Why a file system is missing; the source is its mount point. And which of the included mount points are missing; the source
    /// is the pattern.
    public var failures: [CollectorError]

    /// One file system.
    public struct FileSystem: Hashable, Sendable {
        /// Where it is mounted. What is not UTF-8 became U+FFFD.
        public var mountPoint: String
        /// What is mounted: `/dev/sda1`, say; for ZFS the name of the data set.
        public var device: String
        /// `ext4`, say.
        public var type: String
        /// Percent in use of what users other than root can use, 0 to 100, with one decimal; nil where the file system does not
        /// say how large it is.
        public var percent: Double?
        /// All that it holds, in bytes.
        public var total: UInt64
        /// What is in use, in bytes.
        public var used: UInt64
        /// What users other than root can still use, in bytes. What is kept back for root is in neither this nor `used`.
        public var free: UInt64
        /// The files that it can hold; nil where it has no limit (btrfs, vfat).
        public var inodes: Inodes?
    }

    /// The files of a file system that has a limit for their number.
    public struct Inodes: Hashable, Sendable {
        /// Percent in use, 0 to 100, with one decimal.
        public var percent: Double
        /// How many there can be.
        public var total: UInt64
        /// How many there are.
        public var used: UInt64
        /// How many more there can be.
        public var free: UInt64
    }
}
