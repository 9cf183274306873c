import Glibc

/// Lists what is in a folder of the kernel's. Knows nothing of what the entries are.
enum SystemFolder {
    /// The names of the entries, in no order; `.` and `..` are left out.
    ///
    /// - Parameter limit: the number of entries that there may be, at most.
    static func entries(of path: String, limit: Int = 1 << 16) throws(CollectorError) -> [String] {
        guard let folder = opendir(path) else {
            throw CollectorError(source: path, reason: .system(call: "opendir", errno: errno))
        }
        defer { closedir(folder) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(folder) else {
                guard errno == 0 else {
                    throw CollectorError(source: path, reason: .system(call: "readdir", errno: errno))
                }
                return names
            }
            let name = Self.name(of: entry)
            guard name != ".", name != ".." else { continue }
            guard names.count < limit else {
                throw CollectorError(source: path, reason: .malformed("more than \(limit) entries"))
            }
            names.append(name)
        }
    }

    /// Read where it stands: an entry takes up only as much memory as its name needs, so the struct must not be copied.
    private static func name(of entry: UnsafeMutablePointer<dirent>) -> String {
        guard let offset = MemoryLayout<dirent>.offset(of: \.d_name) else { return "." }
        return String(cString: (UnsafeRawPointer(entry) + offset).assumingMemoryBound(to: CChar.self))
    }

    /// The number behind `prefix` if the name is made up of just the two: 3 for `hwmon3`.
    static func number(in name: String, after prefix: StaticString) -> Int? {
        number(in: name, between: prefix, and: "")
    }

    /// The number between `prefix` and `suffix` if the name is made up of just the three: 12 for `temp12_input`.
    static func number(in name: String, between prefix: StaticString, and suffix: StaticString) -> Int? {
        ByteScanner.scan(Array(name.utf8)) { scanner in
            guard scanner.skip(prefix), let digit = scanner.next, digit >= 0x30, digit <= 0x39,
                let number = scanner.unsigned(), scanner.isExactly(suffix)
            else { return nil }
            return Int(exactly: number)
        }
    }

    /// The path without symbolic links; nil if it leads nowhere.
    static func resolved(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }
}
