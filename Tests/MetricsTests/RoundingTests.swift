import Glibc
import Testing

@testable import HostMetrics

@Suite struct RoundingTests {
    /// What printf writes, read back.
    private func printed(_ value: Double, _ format: String = "%.1f") -> Double {
        var text = [CChar](repeating: 0, count: 400)
        _ = withVaList([value]) { vsnprintf(&text, text.count, format, $0) }
        return strtod(text, nil)
    }

    @Test("halves and near halves round as printf rounds them") func halvesAndNearHalvesRoundAs() {
        for (value, expected) in [
            (0.25, 0.2), (0.35, 0.3), (0.75, 0.8), (0.45, 0.5), (-0.25, -0.2), (2.675, 2.7), (100, 100),
        ] {
            #expect(value.roundedToTenths == expected)
            #expect(printed(value) == expected)
        }
    }

    @Test("any number rounds as printf rounds it") func anyNumberRoundsAsPrintfRounds() {
        var random = SplitMix64(state: 1)
        for _ in 0..<200_000 {
            // All magnitudes, and numbers with a 5 behind the tenth.
            let exponent = Double.random(in: -8...13, using: &random)
            let value = Double.random(in: -1...1, using: &random) * pow(10, exponent)
            #expect(value.roundedToTenths == printed(value))
            let half = Double(Int.random(in: -100_000...100_000, using: &random)) / 20
            #expect(half.roundedToTenths == printed(half))
            #expect(value.roundedToThousandths == printed(value, "%.3f"))
            #expect((half / 100).roundedToThousandths == printed(half / 100, "%.3f"))
        }
        for value in [0, Double.infinity, .greatestFiniteMagnitude, .leastNonzeroMagnitude] {
            #expect(value.roundedToTenths == printed(value))
            #expect(value.roundedToThousandths == printed(value, "%.3f"))
        }
        #expect(Double.nan.roundedToTenths.isNaN)
    }
}
