#if Agent
extension String {
    /// The path from the root directory on, where a relative one counts from `directory`, itself absolute.
    func absolute(from directory: String) -> String {
        if utf8.first == UInt8(ascii: "/") { return self }
        let relative = utf8.starts(with: "./".utf8) ? String(dropFirst(2)) : self
        return directory.utf8.last == UInt8(ascii: "/") ? directory + relative : directory + "/" + relative
    }

    /// The directory that an absolute path leads to a name in.
    var parentDirectory: String {
        guard let slash = utf8.lastIndex(of: UInt8(ascii: "/")), slash > startIndex else { return "/" }
        return String(self[..<slash])
    }
}
#endif
