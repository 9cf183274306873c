#if Agent
import Glibc

/// The files of a journal: segments in a folder, each with a number in its name that is higher than those of the ones before.
///
///     segment = "PSISTATS" version:u32 records
enum JournalFiles {
    static let version: UInt32 = 1
    private static let magic = Array("PSISTATS".utf8)
    static let headerSize = 12

    /// What a new segment begins with.
    static var header: [UInt8] {
        var bytes = magic
        bytes.append(littleEndian: version)
        return bytes
    }

    /// A segment of a number.
    static func path(_ number: UInt64, in folder: String) -> String {
        let digits = String(number, radix: 16)
        return folder + "/" + String(repeating: "0", count: 16 - digits.count) + digits + ".log"
    }

    /// The numbers of the segments, ascending. Other files are passed over.
    static func numbers(in folder: String) -> [UInt64] {
        DirectoryListing.names(in: folder).compactMap { name -> UInt64? in
            guard name.utf8.count == 20, name.hasSuffix(".log") else { return nil }
            return UInt64(name.dropLast(4), radix: 16)
        }.sorted()
    }

    /// What a segment holds.
    enum Content {
        /// - Parameter damages: parts that are no records.
        case records([JournalRecord], damages: Int)
        /// Written by a later version of this program.
        case newer(version: UInt32)
        /// No segment of ours.
        case foreign
    }

    static func content(_ number: UInt64, in folder: String) throws(SystemError) -> Content {
        let bytes = try bytes(of: path(number, in: folder))
        // One whose beginning was not written whole holds nothing.
        guard bytes.count >= headerSize else {
            return bytes.elementsEqual(header.prefix(bytes.count))
                ? .records([], damages: bytes.isEmpty ? 0 : 1) : .foreign
        }
        guard bytes.prefix(magic.count).elementsEqual(magic) else { return .foreign }
        let version = bytes[magic.count..<headerSize].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        guard version <= Self.version else { return .newer(version: version) }
        let (records, damages, _) = JournalRecord.read(bytes[headerSize...])
        return .records(records, damages: damages)
    }

    /// Segments are smaller; what is longer is read so far.
    private static let mostBytes = 256 << 20

    private static func bytes(of path: String) throws(SystemError) -> [UInt8] {
        let descriptor = Int32(
            truncatingIfNeeded: try retryingInterrupts(path) { Int(open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) }
        )
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 65_536)
        while bytes.count < mostBytes {
            let count = try retryingInterrupts(path) { read(descriptor, &piece, piece.count) }
            if count == 0 { break }
            bytes += piece.prefix(count)
        }
        return bytes
    }
}

/// What a journal holds, read without changing anything.
struct JournalReading {
    /// What waits, in the order in which it was measured.
    private(set) var waiting: [(key: JournalRecord.Key, segment: UInt64, report: OutgoingReport)] = []
    /// The segments that were read, ascending.
    private(set) var segments: [UInt64] = []
    /// How many parts were no records.
    private(set) var damages = 0
    /// Segments that were left alone, and why.
    private(set) var leftAlone: [String] = []

    /// Reads a folder; what cannot be read is among ``leftAlone``.
    init(folder: String) {
        var done: Set<JournalRecord.Key> = []
        var seen: Set<String> = []
        var messages: [(key: JournalRecord.Key, segment: UInt64, report: OutgoingReport)] = []
        for number in JournalFiles.numbers(in: folder) {
            let path = JournalFiles.path(number, in: folder)
            do throws(SystemError) {
                switch try JournalFiles.content(number, in: folder) {
                case .records(let records, let damages):
                    self.damages += damages
                    segments.append(number)
                    for record in records {
                        switch record {
                        case .message(let key, let report):
                            if seen.insert(report.id).inserted { messages.append((key, number, report)) }
                        case .done(let key): done.insert(key)
                        }
                    }
                case .newer(let version):
                    leftAlone.append("\(path) was written by a later psistats (format \(version))")
                case .foreign: leftAlone.append("\(path) is no file of psistats's")
                }
            } catch {
                leftAlone.append("\(error.context): \(error.reason)")
            }
        }
        waiting = messages.filter { !done.contains($0.key) }
    }
}
#endif
