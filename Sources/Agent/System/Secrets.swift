#if Agent
import Synchronization

/// The passwords that this process knows, and what keeps them out of everything it prints, logs and answers.
///
/// Every text for people passes ``hidden(_:)``. It hides what it was told and what looks like the user part of a URL, so
/// that a password in the wrong place, a key that takes a host for instance, is not shown either.
final class Secrets: Sendable {
    /// Those of this process.
    static let shared = Secrets()

    /// What stands for a secret.
    static let mask = "***"

    private let known = Mutex<[[UInt8]]>([])
    /// Shorter ones are hidden in URLs alone: they are part of too many words.
    private static let shortest = 4

    /// Hides this text from now on.
    ///
    /// - Parameter public: texts that are shown. What is part of one of them is no secret, and hiding it would garble them.
    func learn(_ secret: String, public: [String] = []) {
        let secret = Array(secret.utf8)
        guard secret.count >= Self.shortest, secret != Array("guest".utf8), secret != Array(Self.mask.utf8) else {
            return
        }
        guard !`public`.contains(where: { Self.position(of: secret, in: Array($0.utf8)[...]) != nil }) else { return }
        known.withLock { known in
            guard !known.contains(secret) else { return }
            known.append(secret)
            // What is part of another has to come behind it.
            known.sort { $0.count > $1.count }
        }
    }

    /// Hides the passwords of all URLs in a text.
    func learnURLs(in text: String, public: [String] = []) {
        var rest = Array(text.utf8)[...]
        while let userPart = URLText.userPart(in: rest) {
            if let colon = rest[userPart].firstIndex(of: UInt8(ascii: ":")) {
                let password = rest[(colon + 1)..<userPart.upperBound]
                learn(String(decoding: password, as: UTF8.self), public: `public`)
                learn(String(decoding: URLText.decoded(password), as: UTF8.self), public: `public`)
            }
            rest = rest[userPart.upperBound...]
        }
    }

    /// The text without secrets.
    func hidden(_ text: String) -> String {
        let known = known.withLock { $0 }
        var bytes = Array(text.utf8)
        guard !known.isEmpty || bytes.contains(UInt8(ascii: "@")) || URLText.hasScheme(bytes[...]) else { return text }
        var isChanged = false
        for secret in known {
            var start = bytes.startIndex
            while let position = Self.position(of: secret, in: bytes[start...]) {
                bytes.replaceSubrange(position..<(position + secret.count), with: Self.mask.utf8)
                start = position + Self.mask.utf8.count
                isChanged = true
            }
        }
        var start = bytes.startIndex
        while let userPart = URLText.userPart(in: bytes[start...]) {
            let isMasked =
                bytes[userPart].elementsEqual(Self.mask.utf8) || bytes[userPart].suffix(4) == Array(":***".utf8)[...]
            start = userPart.upperBound
            guard !isMasked else { continue }
            bytes.replaceSubrange(userPart, with: Self.mask.utf8)
            start = userPart.lowerBound + Self.mask.utf8.count
            isChanged = true
        }
        return isChanged ? String(decoding: bytes, as: UTF8.self) : text
    }

    private static func position(of secret: [UInt8], in bytes: ArraySlice<UInt8>) -> Int? {
        guard let first = secret.first, bytes.count >= secret.count else { return nil }
        var start = bytes.startIndex
        while let next = bytes[start...].firstIndex(of: first), bytes.endIndex - next >= secret.count {
            if bytes[next...].starts(with: secret) { return next }
            start = next + 1
        }
        return nil
    }
}

/// Finds what looks like a URL with a user part in a text that was not written as one.
private enum URLText {
    private static let slash = UInt8(ascii: "/")
    private static let colon = UInt8(ascii: ":")
    private static let at = UInt8(ascii: "@")

    static func hasScheme(_ bytes: ArraySlice<UInt8>) -> Bool { endOfScheme(in: bytes) != nil }

    /// Where the first user part stands that begins in these bytes, without its `@`.
    ///
    /// Behind `://` it goes on to the last `@` of the line before the next URL: a password may hold anything. Where there is no
    /// `@`, what follows a colon and is no port may be a password. Without a scheme, `user:password@` in one word is one.
    static func userPart(in bytes: ArraySlice<UInt8>) -> Range<Int>? {
        let word = wordWithUserPart(in: bytes)
        guard let start = endOfScheme(in: bytes) else { return word }
        if let word, word.upperBound < start { return word }
        let rest = bytes[start...].prefix { $0 != 0x0A && $0 != 0x0D }
        let next = endOfScheme(in: rest).map { beginOfScheme(endingAt: $0, in: rest) } ?? rest.endIndex
        let own = rest[..<next]
        if let last = own.lastIndex(of: at) {
            // What is masked already ends at its own '@', and what follows is no part of it.
            let first = own.firstIndex(of: at) ?? last
            return start..<(own[..<first].suffix(3).elementsEqual("***".utf8) ? first : last)
        }
        if let port = own.firstIndex(where: { $0 == colon || $0 == slash }), own[port] == colon,
            own[..<port].first != UInt8(ascii: "[")
        {
            let text = own[(port + 1)...].prefix { $0 > 0x20 && $0 != slash && $0 != UInt8(ascii: ",") }
            let digits = text.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            if let end = text.dropFirst(digits.count).first, isWord(end), text != Array("***".utf8)[...] {
                return start..<text.endIndex
            }
        }
        return userPart(in: bytes[own.endIndex...])
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        byte >= 0x80 || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
            || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    /// `user:password@` within one word.
    private static func wordWithUserPart(in bytes: ArraySlice<UInt8>) -> Range<Int>? {
        var rest = bytes
        while let position = rest.firstIndex(of: at) {
            let before = bytes[..<position]
            let edge = before.lastIndex { $0 <= 0x20 || $0 == UInt8(ascii: "'") || $0 == UInt8(ascii: "\"") }
            let word = before[(edge.map { $0 + 1 } ?? before.startIndex)...]
            if let separator = word.firstIndex(of: colon), separator > word.startIndex, separator + 1 < word.endIndex {
                return word.startIndex..<position
            }
            rest = rest[(position + 1)...]
        }
        return nil
    }

    /// Behind the first `://` that a letter stands before.
    private static func endOfScheme(in bytes: ArraySlice<UInt8>) -> Int? {
        var rest = bytes
        while let position = rest.firstIndex(of: colon) {
            if position > bytes.startIndex, isWord(bytes[position - 1]),
                bytes[(position + 1)...].starts(with: [slash, slash])
            {
                return position + 3
            }
            rest = rest[(position + 1)...]
        }
        return nil
    }

    private static func beginOfScheme(endingAt end: Int, in bytes: ArraySlice<UInt8>) -> Int {
        let edge = bytes[..<(end - 3)].lastIndex { !isWord($0) }
        return edge.map { $0 + 1 } ?? bytes.startIndex
    }

    /// With `%40` and its like as the bytes that they mean.
    static func decoded(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        var rest = bytes
        while let first = rest.popFirst() {
            let digits = rest.prefix(2)
            if first == UInt8(ascii: "%"), digits.count == 2,
                let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
            {
                result.append(value)
                rest = rest.dropFirst(2)
            } else {
                result.append(first)
            }
        }
        return result
    }
}

extension StringProtocol {
    /// The text as it may be shown: on one line, without what could steer a terminal, and without secrets.
    var shown: String { Secrets.shared.hidden(printable) }
}
#endif
