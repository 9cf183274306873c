import Glibc
import Testing

@testable import HostMetrics

@Suite struct GlobTests {
    @Test("the whole text has to match, and a star crosses slashes") func theWholeTextHasToMatch() {
        for (pattern, text, expected) in [
            ("", "", true), ("", "a", false), ("*", "", true), ("**", "/a/b", true), ("?", "", false),
            ("/mnt/*", "/mnt/a/b", true), ("/mnt/*", "/mnt", false), ("/mnt*", "/mnt", true),
            ("/mnt?a", "/mnt/a", true),
            ("nvme?n1", "nvme0n1", true), ("nvme?n1", "nvme10n1", false), ("*.d", "a.d.d", true),
            ("*.d", "a.d.e", false),
            ("sd[a-c]", "sdb", true), ("sd[a-c]", "sdd", false), ("sd[!a-c]", "sdd", true), ("sd[^a-c]", "sda", false),
            ("[]]", "]", true), ("[!]]", "]", false), ("[a-]", "-", true), ("[z-a]", "m", false), ("[\\]]", "]", true),
            ("\\*", "*", true), ("\\*", "a", false), ("[abc", "[abc", true), ("a\\", "a\\", true),
            ("[a\\", "[a\\", true),
            ("?", "\u{E9}", true), ("[à-ü]", "é", true), ("ETH0", "eth0", false),
        ] {
            #expect(Glob(pattern).matches(text) == expected, "\(pattern) \(text)")
        }
    }

    @Test("any pattern means what it means to fnmatch") func anyPatternMeansWhatItMeans() {
        var random = SplitMix64(state: 3)
        var matching = 0
        for _ in 0..<50_000 {
            let pattern = (0..<Int.random(in: 0...8, using: &random)).map { _ in Self.pick("ab-/*?[]!\\", &random) }
            // What fnmatch makes of a backslash at the end has changed between versions of glibc.
            guard pattern.last != "\\" else { continue }
            let text = String((0..<Int.random(in: 0...5, using: &random)).map { _ in Self.pick("ab-/]", &random) })
            let glob = Glob(String(pattern))
            #expect(glob.matches(text) == (fnmatch(glob.pattern, text, 0) == 0), "\(glob) \(text)")
            if glob.matches(text) { matching += 1 }
        }
        #expect(matching > 500)
    }

    private static func pick(_ characters: String, _ random: inout SplitMix64) -> Character {
        characters.randomElement(using: &random) ?? "a"
    }

    @Test("a pattern of many stars is not slow", .timeLimit(.minutes(1))) func aPatternOfManyStarsIs() {
        let glob = Glob(String(repeating: "a*", count: 500) + "b")
        #expect(!glob.matches(String(repeating: "a", count: 5_000)))
    }
}
