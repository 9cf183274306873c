#if Agent
import Glibc

extension LogFormat {
    /// The text of the second rendered last: most records share it with the record before. Belongs to one format.
    struct DateCache: Sendable {
        fileprivate var second: Int?
        fileprivate var text: [UInt8] = []
    }

    /// Appends a record's text.
    func render(_ record: borrowing LogRecord, into text: inout [UInt8], dates: inout DateCache) {
        for piece in pieces {
            switch piece {
            case .text(let constant): text.append(contentsOf: constant.utf8)
            case .field(let field, let conversion):
                let start = text.count
                switch conversion.form {
                case .text:
                    appendText(of: field, of: record, to: &text, &dates)
                    conversion.finishText(from: start, in: &text)
                case .quoted, .ascii:
                    appendText(of: field, of: record, to: &text, &dates)
                    if field.kind == .text { Self.quote(from: start, in: &text, ascii: conversion.form == .ascii) }
                    conversion.finishText(from: start, in: &text)
                case .decimal, .octal, .hexadecimal:
                    conversion.appendInteger(integer(field, of: record), to: &text)
                case .real(let letter):
                    conversion.appendReal(real(field, of: record), letter, to: &text)
                }
            }
        }
    }

    private func appendText(
        of field: Field,
        of record: borrowing LogRecord,
        to text: inout [UInt8],
        _ dates: inout DateCache
    ) {
        switch field {
        case .name: text.append(contentsOf: record.name.utf8)
        case .levelname: text.append(contentsOf: record.level.name.utf8)
        case .pathname: text.append(contentsOf: record.path.utf8)
        case .filename: text.append(contentsOf: record.filename.utf8)
        case .module: text.append(contentsOf: record.module.utf8)
        case .funcName: text.append(contentsOf: record.function.utf8)
        case .message, .msg: text.append(contentsOf: record.message.utf8)
        case .asctime: appendDate(record.time, to: &text, &dates)
        case .threadName: text.append(contentsOf: LogRecord.currentThreadName().utf8)
        case .processName: text.append(contentsOf: "MainProcess".utf8)
        // As Python has them for a message without arguments, an exception and a task.
        case .args: text.append(contentsOf: "()".utf8)
        case .excInfo, .excText, .stackInfo, .taskName: text.append(contentsOf: "None".utf8)
        case .levelno, .lineno, .thread, .process: text.append(contentsOf: "\(integer(field, of: record))".utf8)
        case .created, .msecs, .relativeCreated: text.append(contentsOf: "\(real(field, of: record))".utf8)
        }
    }

    private func appendDate(_ time: LogTime, to text: inout [UInt8], _ dates: inout DateCache) {
        if dates.second != time.seconds {
            dates.second = time.seconds
            dates.text.removeAll(keepingCapacity: true)
            let parts = CalendarTime.parts(of: time.seconds, utc: false)
            CalendarTime.append(dateFormat ?? "%Y-%m-%d %H:%M:%S", of: parts, to: &dates.text)
        }
        text.append(contentsOf: dates.text)
        guard dateFormat == nil else { return }
        let thousandths = time.nanoseconds / 1_000_000
        text.append(UInt8(ascii: ","))
        for divisor in [100, 10, 1] {
            text.append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: thousandths / divisor % 10))
        }
    }

    private func integer(_ field: Field, of record: borrowing LogRecord) -> Int {
        switch field {
        case .levelno: record.level.number
        case .lineno: record.line
        case .thread: record.thread
        case .process: record.process
        case .created: record.time.seconds
        case .msecs, .relativeCreated: Int(exactly: real(field, of: record).rounded(.towardZero)) ?? 0
        case .name, .levelname, .pathname, .filename, .module, .funcName, .asctime, .threadName, .processName,
            .taskName, .message, .msg, .args, .excInfo, .excText, .stackInfo:
            0
        }
    }

    private func real(_ field: Field, of record: borrowing LogRecord) -> Double {
        switch field {
        case .created: record.time.real
        case .msecs: Double(record.time.nanoseconds / 1_000_000)
        case .relativeCreated: (record.time.real - record.start.real) * 1_000
        case .levelno, .lineno, .thread, .process: Double(integer(field, of: record))
        case .name, .levelname, .pathname, .filename, .module, .funcName, .asctime, .threadName, .processName,
            .taskName, .message, .msg, .args, .excInfo, .excText, .stackInfo:
            0
        }
    }

    /// Puts what was appended since `start` in quotes, as Python's `repr` or `ascii` writes a string.
    private static func quote(from start: Int, in text: inout [UInt8], ascii: Bool) {
        let plain = String(decoding: text[start...], as: UTF8.self)
        text.removeSubrange(start...)
        let quote: Unicode.Scalar = plain.contains("'") && !plain.contains("\"") ? "\"" : "'"
        var result = String(quote)
        for scalar in plain.unicodeScalars {
            let value = scalar.value
            switch scalar {
            case "\\", quote: result += "\\" + String(scalar)
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            default:
                if value < 0x20 || (0x7F..<0xA1).contains(value) || value == 0xAD
                    || (ascii && value < 0x100 && value > 0x7E)
                {
                    result += "\\x" + padded(value, 2)
                } else if ascii, value > 0xFFFF {
                    result += "\\U" + padded(value, 8)
                } else if ascii, value > 0xFF {
                    result += "\\u" + padded(value, 4)
                } else {
                    result.unicodeScalars.append(scalar)
                }
            }
        }
        text.append(contentsOf: result.utf8)
        text.append(contentsOf: String(quote).utf8)
    }

    private static func padded(_ value: UInt32, _ width: Int) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}

extension LogFormat.Conversion {
    /// Cuts what was appended since `start` to the precision, and fills it up to the width; both count characters.
    fileprivate func finishText(from start: Int, in text: inout [UInt8]) {
        guard width > 0 || precision != nil else { return }
        func isStart(_ octet: UInt8) -> Bool { octet & 0xC0 != 0x80 }
        if let precision {
            var seen = 0
            let end = text[start...].firstIndex {
                seen += isStart($0) ? 1 : 0
                return seen > precision
            }
            if let end { text.removeSubrange(end...) }
        }
        fill(from: start, count: text[start...].count(where: isStart), in: &text)
    }

    private func fill(from start: Int, count: Int, in text: inout [UInt8]) {
        guard count < width else { return }
        let blanks = repeatElement(UInt8(ascii: " "), count: width - count)
        text.insert(contentsOf: blanks, at: isLeft ? text.endIndex : start)
    }

    fileprivate func appendInteger(_ value: Int, to text: inout [UInt8]) {
        let start = text.count
        let (radix, prefix): (Int, String) =
            switch form {
            case .octal: (8, "0o")
            case .hexadecimal(let upper): (16, upper ? "0X" : "0x")
            case .decimal, .text, .quoted, .ascii, .real: (10, "")
            }
        let digits = String(value.magnitude, radix: radix, uppercase: form == .hexadecimal(upper: true))
        let sign = value < 0 ? "-" : hasPlus ? "+" : hasSpace ? " " : ""
        let head = sign + (isAlternate ? prefix : "")
        var zeros = max(0, (precision ?? 0) - digits.utf8.count)
        if hasZeros, !isLeft { zeros = max(zeros, width - head.utf8.count - digits.utf8.count) }
        text.append(contentsOf: head.utf8)
        text.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: zeros))
        text.append(contentsOf: digits.utf8)
        fill(from: start, count: text.count - start, in: &text)
    }

    fileprivate func appendReal(_ value: Double, _ letter: UInt8, to text: inout [UInt8]) {
        var format = "%"
        if isLeft { format += "-" }
        if hasZeros { format += "0" }
        if hasPlus { format += "+" }
        if hasSpace { format += " " }
        if isAlternate { format += "#" }
        if width > 0 { format += "\(width)" }
        format += ".\(precision ?? 6)\(Unicode.Scalar(letter))"
        // A number has at most 309 digits before its point, and the width and the precision have their limit.
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 2 * Self.limit) { buffer in
            guard let start = buffer.baseAddress else { return }
            let count = withVaList([value]) { vsnprintf(start, buffer.count, format, $0) }
            let written = max(0, min(Int(count), buffer.count - 1))
            text.append(contentsOf: UnsafeRawBufferPointer(start: start, count: written))
        }
    }
}
#endif
