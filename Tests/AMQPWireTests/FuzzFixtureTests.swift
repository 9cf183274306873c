import FoundationEssentials
import Testing

@testable import AMQPWire

@Suite("Inputs that the fuzzer found or starts from")
struct FuzzFixtureTests {
    private static let root = #filePath.split(separator: "/").dropLast(3).map { "/\($0)" }.joined()

    @Test("every input in Fixtures/fuzz is survived, in pieces of the size it asks for too")
    func fixtures() throws {
        let inputs = try files("Fixtures/fuzz")
        #expect(inputs.count >= 3)
        for input in inputs {
            let size = try #require(input.octets.first, "\(input.name) is empty")
            let stream = Array(input.octets.dropFirst())
            let whole = verify(stream)
            let pieces = decode(stream, piecesOf: Int(size % 16) + 1)
            #expect(pieces.frames.count == whole.frames.count, "\(input.name)")
            #expect(pieces.error == whole.error, "\(input.name)")
        }
    }

    @Test("every seed of the fuzzer is a well-formed stream, and together they hold all methods")
    func seeds() throws {
        var ids: Set<AMQPMethodID> = []
        for seed in try files("Fuzz/seeds") {
            let decoding = verify(seed.octets)
            #expect(decoding.error == nil, "\(seed.name)")
            #expect(decoding.pending == 0, "\(seed.name)")
            for frame in decoding.frames {
                if case .method(let method) = frame.payload { ids.insert(method.id) }
            }
        }
        #expect(ids == Set(AMQPMethodID.allCases))
    }

    private func files(_ folder: String) throws -> [(name: String, octets: [UInt8])] {
        let path = "\(Self.root)/\(folder)"
        return try FileManager.default.contentsOfDirectory(atPath: path).sorted()
            .filter { !$0.hasSuffix(".md") }
            .map { ($0, Array(try #require(FileManager.default.contents(atPath: "\(path)/\($0)")))) }
    }
}
