#if Agent
import Glibc

/// Seconds to dates and back, in the machine's time zone or in UTC. The only place that calls libc for it.
enum CalendarTime {
    /// The date and time of day of a moment.
    static func parts(of seconds: Int, utc: Bool) -> tm {
        var (moment, parts) = (time_t(seconds), tm())
        // A year that does not fit leaves everything 0, which is no date but harms nobody.
        if utc { gmtime_r(&moment, &parts) } else { localtime_r(&moment, &parts) }
        return parts
    }

    /// The moment of a local date and time of day, whose fields may lie out of their ranges; nil if there is none.
    static func moment(ofLocal parts: tm) -> Int? {
        var parts = parts
        parts.tm_isdst = -1
        let result = mktime(&parts)
        return result == -1 ? nil : result
    }

    /// Appends what `strftime` makes of a format; nothing if that is longer than 4096 octets.
    static func append(_ format: String, of parts: tm, to text: inout [UInt8]) {
        var parts = parts
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 4_096) { buffer in
            guard let start = buffer.baseAddress else { return }
            let count = strftime(start, buffer.count, format, &parts)
            text.append(contentsOf: UnsafeRawBufferPointer(start: start, count: count))
        }
    }
}
#endif
