#if Agent
/// Numbers as `watch` shows them. Takes any number: they come from messages.
enum WatchFormat {
    /// A number with one decimal; `?` for one that nobody would believe.
    static func decimal(_ value: Double) -> String {
        guard value.isFinite, abs(value) < 100_000 else { return "?" }
        let tenths = Int((value * 10).rounded())
        return (tenths < 0 ? "-" : "") + "\(tenths.magnitude / 10).\(tenths.magnitude % 10)"
    }

    /// `24.1%`
    static func percent(_ value: Double) -> String {
        decimal(value) + "%"
    }

    /// `72.4°C`, or `72.4C` in a terminal without Unicode.
    static func temperature(_ value: Double, usesUnicode: Bool) -> String {
        decimal(value) + (usesUnicode ? "°C" : "C")
    }

    /// How long a host has been up: `1d 12:16`, `12:16`, `0:02`.
    static func uptime(_ seconds: Double) -> String {
        guard seconds.isFinite, (0..<1e10).contains(seconds) else { return "?" }
        let minutes = Int(seconds) / 60
        let (days, hours, rest) = (minutes / 1_440, minutes / 60 % 24, minutes % 60)
        return (days > 0 ? "\(days)d " : "") + "\(hours):\(rest < 10 ? "0" : "")\(rest)"
    }

    /// How long ago something was, in at most four characters: `0s`, `59s`, `3m`, `2h`, `400d`.
    static func age(_ seconds: Double) -> String {
        guard seconds.isFinite, (0..<1e7).contains(seconds) else { return "?" }
        let whole = Int(seconds)
        return switch whole {
        case ..<100: "\(whole)s"
        case ..<6_000: "\(whole / 60)m"
        case ..<172_800: "\(whole / 3_600)h"
        default: "\(min(999, whole / 86_400))d"
        }
    }
}
#endif
