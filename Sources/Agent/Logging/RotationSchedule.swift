#if Agent
import Glibc

/// When a new file begins and what the old one is called: the arithmetic of Python's `TimedRotatingFileHandler`.
///
/// Touches no file. `midnight` and weekdays are counted on the calendar, so that a day of 23 or 25 hours ends at its
/// end; of Python's versions 3.13 and later do so too, those before are an hour off in such weeks. Like Python's, a
/// weekday ends the file at the end of that day where no time of day is given.
struct RotationSchedule: Sendable {
    private let schedule: LoggingConfiguration.Schedule
    private static let day = 86_400

    init(_ schedule: LoggingConfiguration.Schedule) {
        self.schedule = schedule
    }

    /// The seconds from one file to the next, on a day of 24 hours.
    private var interval: Int {
        let unit =
            switch schedule.unit {
            case .seconds: 1
            case .minutes: 60
            case .hours: 3_600
            case .days, .midnight: Self.day
            case .weekday: 7 * Self.day
            }
        return unit * schedule.interval
    }

    /// When the file that is written to at `seconds` ends.
    func rollover(after seconds: Int) -> Int {
        switch schedule.unit {
        case .seconds, .minutes, .hours, .days: return seconds + interval
        case .midnight: return moment(after: seconds, days: schedule.interval - 1)
        case .weekday(let day):
            // Monday is 0 to Python, Sunday to libc.
            let today = (Int(CalendarTime.parts(of: seconds, utc: schedule.isUTC).tm_wday) + 6) % 7
            let start = isPast(seconds) ? today + 1 : today
            let days = (day - start + 7) % 7
            return moment(after: seconds, days: days + 7 * (schedule.interval - 1))
        }
    }

    private func isPast(_ seconds: Int) -> Bool {
        (schedule.secondOfDay ?? Self.day) <= secondOfDay(of: CalendarTime.parts(of: seconds, utc: schedule.isUTC))
    }

    private func secondOfDay(of parts: tm) -> Int {
        Int(parts.tm_hour) * 3_600 + Int(parts.tm_min) * 60 + Int(parts.tm_sec)
    }

    /// The next time of day at which files end, and so many days later.
    private func moment(after seconds: Int, days: Int) -> Int {
        let target = schedule.secondOfDay ?? Self.day
        var parts = CalendarTime.parts(of: seconds, utc: schedule.isUTC)
        let distance = target - secondOfDay(of: parts) + (isPast(seconds) ? Self.day : 0) + days * Self.day
        guard !schedule.isUTC else { return seconds + distance }
        let days = days + (isPast(seconds) ? 1 : 0)
        parts.tm_mday += Int32(truncatingIfNeeded: days)
        parts.tm_hour = Int32(truncatingIfNeeded: target / 3_600)
        parts.tm_min = Int32(truncatingIfNeeded: target / 60 % 60)
        parts.tm_sec = Int32(truncatingIfNeeded: target % 60)
        // A time of day that a change of the clock left out may lie before the present one.
        guard let moment = CalendarTime.moment(ofLocal: parts), moment > seconds else { return seconds + distance }
        return moment
    }

    /// What the file that ends at `rolloverAt` is called behind its name and a dot: the date when it began.
    func suffix(rolloverAt: Int, now: Int) -> String {
        var text: [UInt8] = []
        CalendarTime.append(dateFormat, of: beginning(rolloverAt: rolloverAt, now: now), to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    private func beginning(rolloverAt: Int, now: Int) -> tm {
        let start = rolloverAt - interval
        let parts = CalendarTime.parts(of: start, utc: schedule.isUTC)
        guard !schedule.isUTC else { return parts }
        switch schedule.unit {
        case .midnight, .weekday:
            var day = CalendarTime.parts(of: rolloverAt, utc: false)
            day.tm_mday -= Int32(truncatingIfNeeded: interval / Self.day)
            return CalendarTime.moment(ofLocal: day).map { CalendarTime.parts(of: $0, utc: false) } ?? parts
        case .seconds, .minutes, .hours, .days:
            let isSummer = CalendarTime.parts(of: now, utc: false).tm_isdst
            guard isSummer != parts.tm_isdst else { return parts }
            return CalendarTime.parts(of: start + (isSummer != 0 ? 3_600 : -3_600), utc: false)
        }
    }

    private var dateFormat: String {
        switch schedule.unit {
        case .seconds: "%Y-%m-%d_%H-%M-%S"
        case .minutes: "%Y-%m-%d_%H-%M"
        case .hours: "%Y-%m-%d_%H"
        case .days, .midnight, .weekday: "%Y-%m-%d"
        }
    }

    /// Whether a file was named by this schedule, with or without a further extension such as `.gz`.
    func isSuffix(_ text: String) -> Bool {
        let shape =
            switch schedule.unit {
            case .seconds: "0000-00-00_00-00-00"
            case .minutes: "0000-00-00_00-00"
            case .hours: "0000-00-00_00"
            case .days, .midnight, .weekday: "0000-00-00"
            }
        func isDigit(_ octet: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(octet) }
        guard text.utf8.count >= shape.utf8.count,
            zip(text.utf8, shape.utf8).allSatisfy({ isDigit($1) ? isDigit($0) : $0 == $1 })
        else { return false }
        let rest = text.utf8.dropFirst(shape.utf8.count)
        guard let dot = rest.first else { return true }
        let extent = rest.dropFirst()
        func isWord(_ octet: UInt8) -> Bool {
            isDigit(octet) || octet == UInt8(ascii: "_")
                || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(octet | 0x20)
        }
        return dot == UInt8(ascii: ".") && !extent.isEmpty && extent.allSatisfy(isWord)
    }
}
#endif
