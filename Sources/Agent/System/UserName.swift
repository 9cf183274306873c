#if Agent
import Glibc

/// Users as people know them.
enum UserName {
    /// `user 'bob'`, or `user 1000` where that has no name.
    static func of(_ user: uid_t) -> String {
        guard let entry = getpwuid(user), let name = entry.pointee.pw_name else { return "user \(user)" }
        return "user '\(String(cString: name).printable)'"
    }

    /// Whose process it is; nil where that cannot be known.
    static func owner(of process: pid_t) -> uid_t? {
        var status = stat()
        return stat("/proc/\(process)", &status) == 0 ? status.st_uid : nil
    }
}
#endif
