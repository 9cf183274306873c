import CLinux
import Glibc

/// The configuration files of libsensors, joined to one text: `sensors3.conf` (else `sensors.conf`), and what is in `sensors.d`.
///
/// The library would find them by itself, but only below `/etc`; it does without any sensor when one of them cannot be parsed to
/// its end, and ends the process when one cannot be read to its end. So it gets a text that was read beforehand.
///
/// What differs: statements `bus` hold for all files, not just for their own.
///
/// Source: sensors.conf(5); lib/init.c of lm-sensors.
struct SensorsConfiguration {
    struct File: Hashable, Sendable {
        var path: String
        var octets: [UInt8]
    }

    /// The files that can be read, in the order in which they count.
    var files: [File] = []
    /// Which cannot, and why.
    var warnings: [String] = []

    /// - Parameter etc: the directory that is `/etc` on a usual machine.
    init(etc: String) {
        let root = SystemRoot(etc: etc)
        for place in root.places(inEtc: "sensors3.conf") + root.places(inEtc: "sensors.conf") where add(place) { break }
        for folder in root.places(inEtc: "sensors.d") { addFolder(folder) }
    }

    private mutating func addFolder(_ folder: SystemFile.Place) {
        do throws(CollectorError) {
            let names = try SystemFolder.entries(of: folder, limit: 1_000).filter { !$0.hasPrefix(".") }
            for name in names.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
                let place = SystemFile.Place(root: folder.root, path: "\(folder.path)/\(name)")
                if Self.isRegularFile(place) { _ = add(place) }
            }
        } catch {
            if !error.isAbsence { warnings.append(error.description) }
        }
    }

    private static func isRegularFile(_ place: SystemFile.Place) -> Bool {
        guard case .success(let descriptor) = place.root.open(Array(place.path.utf8), clinux_o_path) else {
            return false
        }
        defer { close(descriptor) }
        var status = stat()
        return fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }

    /// - Returns: whether there is such a file.
    private mutating func add(_ place: SystemFile.Place) -> Bool {
        let path = place.root.path + place.path
        do throws(CollectorError) {
            let octets = try SystemFile(place, limit: 1 << 18).read { $0.remaining }
            guard Self.longestStatement(octets) <= 4_096 else {
                throw CollectorError(source: path, reason: .malformed("has a statement of more than 4096 octets"))
            }
            files.append(File(path: path, octets: octets))
            return true
        } catch {
            if error.isAbsence { return false }
            warnings.append(error.description)
            return true
        }
    }

    /// Lines that end with a backslash go on, comments do not. The library works expressions out by recursion, and a long one
    /// would need more stack than there is.
    private static func longestStatement(_ octets: [UInt8]) -> Int {
        var longest = 0
        var count = 0
        var isContinued = false
        var isComment = false
        for octet in octets {
            switch octet {
            case 0x0A:
                if !isContinued { count = 0 }
                (isContinued, isComment) = (false, false)
            case 0x5C: isContinued = !isComment
            case 0x20, 0x09, 0x0B, 0x0C, 0x0D: break
            default:
                if octet == 0x23, count == 0 { isComment = true }
                isContinued = false
            }
            if !isComment, octet != 0x0A { count += 1 }
            longest = max(longest, count)
        }
        return longest
    }

    /// The files as one text, and where each one begins in it.
    struct Text {
        var octets: [UInt8]
        private var starts: [(line: Int, path: String)] = []

        init(_ files: [File]) {
            // Labels before the first chip would go to what an earlier configuration ended with, and be written to memory
            // that was freed (current_chip in lib/conf-parse.y). So there is a first chip, one that no machine has.
            octets = Array("chip \"psistats-*\"\n".utf8)
            var line = 2
            for file in files {
                starts.append((line, file.path))
                octets += file.octets
                // Two: the file may end within a line, and with a backslash.
                octets += [0x0A, 0x0A]
                line += file.octets.count { $0 == 0x0A } + 2
            }
        }

        /// `/etc/sensors3.conf, line 7: syntax error`.
        func describe(_ report: SensorsReports.Report) -> String {
            guard let start = starts.last(where: { $0.line <= report.line }) else { return report.message }
            return "\(start.path), line \(report.line - start.line + 1): \(report.message)"
        }
    }
}
