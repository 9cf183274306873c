/// Where the kernel's file systems and the machine's settings are found.
///
/// The running machine, a container with the host's directories mounted elsewhere, and a tree of fixtures differ in this alone.
public struct SystemRoot: Hashable, Sendable {
    /// The directory that is `/proc` on a usual machine.
    public var proc: String
    /// The directory that is `/sys`.
    public var sys: String
    /// The directory that is `/etc`.
    public var etc: String
    /// What stands before every mount point: empty on a usual machine.
    public var mounts: String

    /// The running machine, except for what is given.
    public init(proc: String = "/proc", sys: String = "/sys", etc: String = "/etc", mounts: String = "") {
        self.proc = Self.withoutSlash(proc)
        self.sys = Self.withoutSlash(sys)
        self.etc = Self.withoutSlash(etc)
        self.mounts = Self.withoutSlash(mounts)
    }

    /// The running machine.
    public static let running = SystemRoot()

    /// A whole tree under one directory: a host's `/` mounted in a container, or fixtures.
    public init(prefix: String) {
        let prefix = Self.withoutSlash(prefix)
        self.init(proc: prefix + "/proc", sys: prefix + "/sys", etc: prefix + "/etc", mounts: prefix)
    }

    /// What `HOST_PROC`, `HOST_SYS`, `HOST_ETC` and `HOST_ROOT` say; a name that is missing or empty means the running machine.
    public init(environment: [String: String]) {
        func value(_ name: String, else usual: String) -> String {
            guard let value = environment[name], !value.isEmpty else { return usual }
            return value
        }
        self.init(
            proc: value("HOST_PROC", else: "/proc"),
            sys: value("HOST_SYS", else: "/sys"),
            etc: value("HOST_ETC", else: "/etc"),
            mounts: value("HOST_ROOT", else: "")
        )
    }

    private static func withoutSlash(_ path: String) -> String {
        var path = path[...]
        while path.hasSuffix("/") { path.removeLast() }
        return String(path)
    }
}
