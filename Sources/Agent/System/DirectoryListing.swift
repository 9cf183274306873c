#if Agent
import Glibc

/// The names in a folder.
enum DirectoryListing {
    /// Without `.` and `..`, in no order; none where the folder cannot be read.
    static func names(in folder: String) -> [String] {
        guard let stream = opendir(folder) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { memory in
                String(validating: memory.prefix { $0 != 0 }, as: UTF8.self)
            }
            if let name, name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}

/// What symbolic links point to.
enum LinkTarget {
    /// Nil where there is no such link, or this user may not read it.
    static func of(_ path: String) -> String? {
        var target = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = target.withUnsafeMutableBytes { memory -> Int in
            guard let base = memory.baseAddress else { return 0 }
            return readlink(path, base.assumingMemoryBound(to: CChar.self), memory.count)
        }
        return count > 0 ? String(decoding: target.prefix(count), as: UTF8.self) : nil
    }
}
#endif
