import Glibc

/// Why a reading, or a part of one, could not be taken.
public struct CollectorError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was read: a file's path, mostly; a mount point, or `tcp://host:port`.
    public var source: String
    /// What went wrong, for programs to decide by.
    public var reason: Reason

    /// What can go wrong with a reading.
    public enum Reason: Hashable, Sendable {
        /// A system call failed, with its name and the error number.
        case system(call: String, errno: Int32)
        /// The source says something that this collector cannot read.
        case malformed(String)
        /// The source holds more than the stated number of octets.
        case tooLarge(limit: Int)
        /// The name of a host has no address; the text says why.
        case unresolved(String)
        /// No answer came within the time allowed for it.
        case late(after: Duration)
        /// An earlier question is still without an answer, so this one was not asked.
        case stillWaiting
        /// A library that was needed is missing or failed; the text says what to do.
        case library(String)
        /// What is asked for is somewhere else than its path leads to, so that any figures would be another's; the text says what
        /// to do.
        case unreachable(String)
        /// What was asked for by its name is not there; the text says what is.
        case notFound(String)
    }

    /// An error about `source`.
    public init(source: String, reason: Reason) {
        self.source = source
        self.reason = reason
    }

    /// For people: the source, a colon, and the reason.
    public var description: String { "\(source): \(reason)" }

    /// Whether the source is just not there.
    public var isAbsence: Bool {
        guard case .system(_, let number) = reason else { return false }
        return number == ENOENT || number == ENODEV || number == ENXIO || number == ENOTDIR
    }
}

extension CollectorError.Reason: CustomStringConvertible {
    /// For people, in one line: `open: Permission denied`.
    public var description: String {
        switch self {
        case .system(let call, let number): "\(call): \(String(cString: strerror(number)))"
        case .malformed(let what): what
        case .tooLarge(let limit): "more than \(limit) octets"
        case .unresolved(let why): why
        case .late(let time): "no answer within \(time)"
        case .stillWaiting: "an earlier reading has not come back yet"
        case .library(let what): what
        case .unreachable(let what): what
        case .notFound(let what): what
        }
    }
}
