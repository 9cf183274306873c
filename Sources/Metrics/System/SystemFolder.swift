import Glibc

/// Lists what is in a folder of the kernel's. Knows nothing of what the entries are.
enum SystemFolder {
    /// The names of the entries, in no order; `.` and `..` are left out.
    ///
    /// - Parameter limit: the number of entries that there may be, at most.
    static func entries(of path: String, limit: Int = 1 << 16) throws(CollectorError) -> [String] {
        try entries(of: SystemFile.Place(root: .own, path: path), limit: limit)
    }

    /// The same of a folder that may be another machine's.
    static func entries(of place: SystemFile.Place, limit: Int = 1 << 16) throws(CollectorError) -> [String] {
        var names: [String] = []
        try forEachEntry(of: place, limit: limit) { names.append(name(of: $0)) }
        return names
    }

    /// A number that changes when an entry comes, goes, or gives way to another one of its name; 0 if there is no such folder.
    static func fingerprint(of path: String) throws(CollectorError) -> UInt64 {
        var sum: UInt64 = 1
        do throws(CollectorError) {
            try forEachEntry(of: SystemFile.Place(root: .own, path: path), limit: 1 << 16) { entry in
                var hash = UInt64(entry.pointee.d_ino) &* 0x9E37_79B9_7F4A_7C15
                var octet = nameStart(of: entry)
                while octet.pointee != 0 {
                    hash = (hash ^ UInt64(UInt8(bitPattern: octet.pointee))) &* 0x100_0000_01B3
                    octet += 1
                }
                // A sum, so the order does not count.
                sum &+= hash ^ (hash >> 32)
            }
        } catch  where error.isAbsence {
            return 0
        }
        return sum
    }

    private static func forEachEntry(
        of place: SystemFile.Place,
        limit: Int,
        _ body: (UnsafeMutablePointer<dirent>) -> Void
    ) throws(CollectorError) {
        let path = place.root.path + place.path
        guard let folder = opened(place) else {
            throw CollectorError(source: path, reason: .system(call: "opendir", errno: errno))
        }
        defer { closedir(folder) }
        var count = 0
        while true {
            errno = 0
            guard let entry = readdir(folder) else {
                guard errno == 0 else {
                    throw CollectorError(source: path, reason: .system(call: "readdir", errno: errno))
                }
                return
            }
            let start = nameStart(of: entry)
            if start[0] == 0x2E, start[1] == 0 || (start[1] == 0x2E && start[2] == 0) { continue }
            guard count < limit else {
                throw CollectorError(source: path, reason: .malformed("more than \(limit) entries"))
            }
            count += 1
            body(entry)
        }
    }

    /// Nil, and `errno` says why, if it cannot be opened.
    private static func opened(_ place: SystemFile.Place) -> OpaquePointer? {
        if place.root == .own { return opendir(place.path) }
        switch place.root.open(Array(place.path.utf8), O_RDONLY | O_DIRECTORY | O_NONBLOCK) {
        case .failure(let failure):
            errno = failure.number
            return nil
        case .success(let descriptor):
            guard let folder = fdopendir(descriptor) else {
                let number = errno
                close(descriptor)
                errno = number
                return nil
            }
            return folder
        }
    }

    private static func name(of entry: UnsafeMutablePointer<dirent>) -> String {
        String(cString: nameStart(of: entry))
    }

    /// Where the name stands: an entry takes up only as much memory as its name needs, so the struct must not be copied.
    private static func nameStart(of entry: UnsafeMutablePointer<dirent>) -> UnsafePointer<CChar> {
        // Inode, offset, length and type come before it.
        let offset = MemoryLayout<dirent>.offset(of: \.d_name) ?? 19
        return (UnsafeRawPointer(entry) + offset).assumingMemoryBound(to: CChar.self)
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

    /// Where a symbolic link points, as it is written; nil for everything else.
    static func linkTarget(of path: String) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
            guard let start = buffer.baseAddress else { return nil }
            let count = readlink(path, start, buffer.count)
            return count > 0 ? String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self) : nil
        }
    }
}
