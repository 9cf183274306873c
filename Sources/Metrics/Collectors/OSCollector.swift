import Glibc

/// Which system the machine runs.
public struct OSSample: Hashable, Sendable {
    /// The distribution: "Debian GNU/Linux". Nil where it does not say.
    public var name: String?
    /// Its version, "12", or where that has no number the version in words. Nil for one that is never finished: Debian's sid.
    public var version: String?
    /// Name and version as the distribution writes them: "Debian GNU/Linux 12 (bookworm)". Nil where it does not say.
    public var prettyName: String?
    /// The kernel's release: "6.1.0-18-amd64". A container has its host's.
    public var kernel: String
    /// What the processor is: "x86_64", "aarch64".
    public var architecture: String

    /// All in one: "Debian GNU/Linux 12 (bookworm), Linux 6.1.0-18-amd64, x86_64".
    public var description: String {
        let named = [name, version].compactMap { $0 }.joined(separator: " ")
        let system = prettyName ?? (named.isEmpty ? nil : named)
        return [system, "Linux \(kernel)", architecture].compactMap { $0 }.joined(separator: ", ")
    }
}

/// Reads `/etc/os-release`, or where that is missing `/usr/lib/os-release`, and asks the kernel: which system this is.
///
/// A system without either file has a kernel all the same. Of another machine's tree, symbolic links are followed in that tree:
/// `/etc/os-release` is a link mostly, on NixOS one to an absolute path.
///
/// Source: os-release(5), uname(2).
public final class OSCollector: Collector {
    /// The name of the kind of statistics: `os`.
    public static let name = "os"

    private let files: [SystemFile]

    /// - Parameter root: the machine. The kernel is always the one that runs.
    public init(root: SystemRoot = .running) {
        let vendors = SystemFile.Place(root: root.host, path: "/usr/lib/os-release")
        files = (root.places(inEtc: "os-release") + [vendors]).map { SystemFile($0, form: .whole, keepsOpen: false) }
    }

    /// Never nil.
    ///
    /// - Throws: when a file is there and cannot be read.
    public func read(at now: SuspendingClock.Instant) throws(CollectorError) -> OSSample? {
        let names = try names()
        var system = utsname()
        guard uname(&system) == 0 else {
            throw CollectorError(source: "uname", reason: .system(call: "uname", errno: errno))
        }
        return OSSample(
            name: names.name,
            version: names.versionID ?? names.version,
            prettyName: names.pretty,
            kernel: withUnsafeBytes(of: &system.release, Self.text),
            architecture: withUnsafeBytes(of: &system.machine, Self.text)
        )
    }

    /// What is used of the file.
    private struct Names {
        var name: String?
        var version: String?
        var versionID: String?
        var pretty: String?
    }

    private func names() throws(CollectorError) -> Names {
        for file in files {
            do throws(CollectorError) {
                return try file.read { (scanner) throws(CollectorError) in Self.names(&scanner) }
            } catch  where error.isAbsence {
                continue
            }
        }
        return Names()
    }

    private static func names(_ scanner: inout ByteScanner) -> Names {
        var names = Names()
        // What some editors put before the first line.
        _ = scanner.skip("\u{FEFF}")
        while var line = scanner.line() {
            line = line.trimmed
            guard line.next != 0x23, let name = line.field(before: 0x3D) else { continue }
            if name.isExactly("NAME") {
                names.name = value(line)
            } else if name.isExactly("VERSION") {
                names.version = value(line)
            } else if name.isExactly("VERSION_ID") {
                names.versionID = value(line)
            } else if name.isExactly("PRETTY_NAME") {
                names.pretty = value(line)
            }
        }
        return names
    }

    /// What a shell would make of the rest of an assignment, save that it expands nothing and goes on at blanks; nil if that is
    /// nothing.
    private static func value(_ rest: ByteScanner) -> String? {
        var octets: [UInt8] = []
        octets.reserveCapacity(rest.count)
        var quote: UInt8?
        var isEscaped = false
        for octet in rest.remaining {
            if isEscaped {
                // Between double quotes a backslash is one, save before these: " $ ` and the backslash.
                let isSpecial = [0x22, 0x24, 0x60, 0x5C].contains(octet)
                if quote != nil, !isSpecial { octets.append(0x5C) }
                octets.append(octet)
                isEscaped = false
            } else if octet == 0x5C, quote != 0x27 {
                isEscaped = true
            } else if octet == quote {
                quote = nil
            } else if quote == nil, octet == 0x22 || octet == 0x27 {
                quote = octet
            } else {
                octets.append(octet)
            }
        }
        return octets.isEmpty ? nil : String(decoding: octets, as: UTF8.self)
    }

    private static func text(_ octets: UnsafeRawBufferPointer) -> String {
        String(decoding: octets.prefix { $0 != 0 }, as: UTF8.self)
    }
}
