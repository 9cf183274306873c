#if Agent
import HostMetrics

/// What a reporter adds to a message, under one key of it.
struct ReportField: Sendable {
    var key: String
    var value: JSONValue
}

/// What one reading of a reporter came to.
struct Reading: Sendable {
    /// Empty where there is nothing to report.
    var fields: [ReportField] = []
    /// What people should know once: where a value comes from, why there is none.
    var notes: [String] = []
    /// What could not be read, all of it or single devices.
    var failures: [CollectorError] = []
}

/// What is measured at one moment and goes into one message.
struct Report: Sendable {
    /// What the message is of: `report`, or the name of the one reporter in it.
    var type: String
    /// The seconds since 1970 at which it was measured.
    var measuredAt: UInt64
    var fields: [ReportField]
}
#endif
