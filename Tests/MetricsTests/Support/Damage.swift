@testable import HostMetrics

/// Hands a collector every kind of broken file, to see that it answers or throws, and lives.
enum Damage {
    /// - Parameters:
    ///   - host: the fixtures to begin with.
    ///   - files: the files to break, one after another.
    ///   - use: makes a collector for the tree and reads it. Whatever it returns or throws is right.
    static func everyKind(host: String, files: [String], use: (SystemRoot) -> Void) throws {
        let tree = try HostTree(copying: host)
        var random = SplitMix64(state: 4_711)
        for file in files {
            let whole = try Fixture.octets(at: "\(tree.path)/\(file)")
            for octets in variants(of: whole, &random) {
                tree.write(file, octets)
                use(tree.root)
            }
            tree.write(file, whole)
        }
    }

    /// Truncations, flipped octets, absurd numbers, no newline, NUL, and a line of 10 MiB.
    static func variants(of whole: [UInt8], _ random: inout SplitMix64) -> [[UInt8]] {
        var variants: [[UInt8]] = []
        // Every truncation of what is short, and of the beginning of what is long.
        for count in 0...min(whole.count, 1_500) { variants.append(Array(whole[..<count])) }
        for _ in 0..<500 where !whole.isEmpty {
            var copy = whole
            for _ in 0..<Int.random(in: 1...8, using: &random) {
                copy[Int.random(in: 0..<copy.count, using: &random)] = .random(in: 0...255, using: &random)
            }
            variants.append(copy)
        }
        variants.append(whole.flatMap { (0x30...0x39).contains($0) ? Array("99999999999999999999".utf8) : [$0] })
        variants.append(whole.flatMap { (0x30...0x39).contains($0) ? [0x2D, $0] : [$0] })
        variants.append(whole.map { (0x30...0x39).contains($0) ? 0x39 : $0 })
        variants.append(whole.filter { $0 != 0x0A })
        variants.append(whole.map { $0 == 0x20 || $0 == 0x09 ? 0 : $0 })
        variants.append([UInt8](repeating: 0, count: 4_096))
        variants.append([UInt8](repeating: 0x39, count: 10 << 20))
        variants.append(whole + [UInt8](repeating: 0x20, count: 10 << 20))
        return variants
    }
}

/// Random numbers that are the same in every run. Sebastiano Vigna's SplitMix64.
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
