import Glibc
import Synchronization

/// What libsensors complains about, through its handlers, instead of printing it or ending the process.
enum SensorsReports {
    struct Report: Sendable {
        var message: String
        /// The line of the configuration, counted from 1; 0 if it is about no line.
        var line: Int
    }

    typealias Parse = @convention(c) (UnsafePointer<CChar>?, Int32) -> Void
    typealias ParseWithFile = @convention(c) (UnsafePointer<CChar>?, UnsafePointer<CChar>?, Int32) -> Void
    typealias Fatal = @convention(c) (UnsafePointer<CChar>?, UnsafePointer<CChar>?) -> Void

    private static let reports = Mutex<[Report]>([])
    /// Set when the library gave up. It is never used again by this process.
    private static let failure = Mutex<String?>(nil)

    /// Why the library can no longer be used; nil while it can.
    static var fatalFailure: String? { failure.withLock { $0 } }

    /// The reports since the last call, at most 100.
    static func take() -> [Report] {
        reports.withLock { reports in
            let taken = reports
            reports = []
            return taken
        }
    }

    private static func add(_ message: UnsafePointer<CChar>?, line: Int32) {
        let report = Report(message: message.map { String(cString: $0) } ?? "unknown", line: Int(line))
        reports.withLock { reports in
            if reports.count < 100 { reports.append(report) }
        }
    }

    /// Writes the handlers into the library's variables for them.
    ///
    /// The handler of fatal errors must not return, and the library calls it for one thing, that it ran out of memory, in the
    /// middle of its work: its state is broken from then on. Ending the process is what is to be avoided, and ending the thread
    /// would leave locks behind. So the thread is kept waiting for ever, and who comes after it is told; readings are to be taken
    /// on a thread that may get stuck anyway, because a sensor's driver can do that, too.
    static func install(
        parse: UnsafeMutableRawPointer,
        parseWithFile: UnsafeMutableRawPointer,
        fatal: UnsafeMutableRawPointer
    ) {
        let onParse: Parse = { SensorsReports.add($0, line: $1) }
        // The file is always the one stream that the library was given.
        let onParseWithFile: ParseWithFile = { message, _, line in SensorsReports.add(message, line: line) }
        let onFatal: Fatal = { place, message in
            let texts = [place, message].map { $0.map { String(cString: $0) } ?? "unknown" }
            SensorsReports.failure.withLock { $0 = "gave up in \(texts[0]): \(texts[1])" }
            while true { pause() }
        }
        parse.storeBytes(of: onParse, as: Parse.self)
        parseWithFile.storeBytes(of: onParseWithFile, as: ParseWithFile.self)
        fatal.storeBytes(of: onFatal, as: Fatal.self)
    }
}
