#if Agent
/// A message as one line of text, for where there is no terminal to draw in.
enum WatchLine {
    /// `12:34:56 my-computer cpu 24.1% mem 34.1% temp 72.4°C uptime 1d 12:16 ip 192.168.1.101`
    static func text(_ message: WatchMessage, time: String) -> String {
        let name = DisplayText(message.hostname).string
        var parts = [time, name.isEmpty ? "?" : name]
        if let mean = message.cpuMean {
            parts.append("cpu " + WatchFormat.percent(mean))
            if message.cpu.count > 1 {
                parts.append("(" + message.cpu.map(WatchFormat.decimal).joined(separator: " ") + ")")
            }
        }
        if let mem = message.mem { parts.append("mem " + WatchFormat.percent(mem)) }
        if let temperature = message.temperature {
            parts.append("temp " + WatchFormat.temperature(temperature, usesUnicode: true))
        }
        if let uptime = message.uptime { parts.append("uptime " + WatchFormat.uptime(uptime)) }
        if let addresses = message.addresses, !addresses.isEmpty {
            parts.append("ip " + addresses.map { DisplayText($0, limit: 64).string }.joined(separator: " "))
        }
        if !message.others.isEmpty {
            parts.append("and " + message.others.map { DisplayText($0, limit: 64).string }.joined(separator: ", "))
        }
        return parts.joined(separator: " ")
    }

    /// A JSON text that was read successfully, as one line with the same meaning: line ends, which can only stand between
    /// values, become blanks, and what a terminal might obey is escaped.
    static func raw(_ body: [UInt8]) -> [UInt8] {
        var line: [UInt8] = []
        line.reserveCapacity(body.count + 1)
        var index = body.startIndex
        while index < body.endIndex {
            let octet = body[index]
            index += 1
            switch octet {
            case ..<0x20: line.append(UInt8(ascii: " "))
            case 0x7F: line += Array("\\u007f".utf8)
            case 0xC2 where index < body.endIndex && (0x80..<0xA0).contains(body[index]):
                // U+0080 to U+009F, of which some introduce sequences as ESC does.
                line += Array("\\u00".utf8) + Array(String(body[index], radix: 16).utf8)
                index += 1
            default: line.append(octet)
            }
        }
        return line
    }

    /// The time of day in this machine's time zone, `12:34:56`.
    static func timeOfDay() -> String {
        var text: [UInt8] = []
        CalendarTime.append("%H:%M:%S", of: CalendarTime.parts(of: LogTime.now().seconds, utc: false), to: &text)
        return String(decoding: text, as: UTF8.self)
    }
}
#endif
