/// A cursor over the octets of one frame's payload.
///
/// Every read is checked against the end before it touches memory, and a read that fails leaves the cursor where it was.
/// All reads of received octets in the module go through ``take(_:_:)``. Knows nothing of methods or tables.
struct WireReader {
    private let octets: UnsafeRawBufferPointer
    private(set) var position = 0
    /// Where reading must stop: the payload's end, or that of the table being read.
    private(set) var end: Int
    /// Offset in the stream of the payload's first octet.
    private let origin: UInt64
    /// The field being read, for errors.
    var field: StaticString?
    /// The method or header being read, for errors.
    var context: StaticString?

    /// Reads `octets`, which must stay valid as long as the reader is used.
    init(_ octets: UnsafeRawBufferPointer, origin: UInt64) {
        self.octets = octets
        self.end = octets.count
        self.origin = origin
    }

    /// Octets before the end.
    var remaining: Int { end &- position }

    /// Where the cursor stands in the stream.
    var offset: UInt64 { origin &+ UInt64(truncatingIfNeeded: position) }

    /// An error at the cursor.
    func error(_ code: AMQPWireError.Code) -> AMQPWireError {
        let parts = [context, field].compactMap { $0.map { "\($0)" } }
        return AMQPWireError(code, offset: offset, field: parts.isEmpty ? nil : parts.joined(separator: " "))
    }

    /// The next `count` octets. Valid as long as the octets that the reader was given.
    @inline(__always)
    mutating func take(_ count: UInt32) throws(AMQPWireError) -> UnsafeRawBufferPointer {
        guard UInt64(count) <= UInt64(truncatingIfNeeded: remaining) else {
            throw error(.truncated(needed: UInt64(count), available: UInt64(truncatingIfNeeded: remaining)))
        }
        let length = Int(truncatingIfNeeded: count)
        let taken = UnsafeRawBufferPointer(rebasing: octets[position..<position &+ length])
        position &+= length
        return taken
    }

    /// An integer, most significant octet first.
    @inline(__always)
    mutating func integer<Integer: FixedWidthInteger>(_: Integer.Type = Integer.self) throws(AMQPWireError) -> Integer {
        let taken = try take(UInt32(MemoryLayout<Integer>.size))
        return Integer(bigEndian: taken.loadUnaligned(as: Integer.self))
    }

    /// A short string: an octet for the length, then as many octets.
    mutating func shortString() throws(AMQPWireError) -> AMQPText {
        AMQPText(octets: try counted(by: UInt8.self))
    }

    /// A long string: four octets for the length, then as many octets.
    mutating func longString() throws(AMQPWireError) -> UnsafeRawBufferPointer {
        try counted(by: UInt32.self)
    }

    private mutating func counted<Count: FixedWidthInteger & UnsignedInteger>(
        by _: Count.Type
    ) throws(AMQPWireError) -> UnsafeRawBufferPointer {
        let start = position
        let count: Count = try integer()
        do throws(AMQPWireError) {
            return try take(UInt32(truncatingIfNeeded: count))
        } catch {
            position = start
            throw error
        }
    }

    /// Confines reading to the next `count` octets and returns the end to give to ``leave(_:)`` afterwards.
    mutating func enter(_ count: UInt32) throws(AMQPWireError) -> Int {
        guard UInt64(count) <= UInt64(truncatingIfNeeded: remaining) else {
            throw error(.truncated(needed: UInt64(count), available: UInt64(truncatingIfNeeded: remaining)))
        }
        let outer = end
        end = position &+ Int(truncatingIfNeeded: count)
        return outer
    }

    /// Ends the confinement that ``enter(_:)`` began.
    mutating func leave(_ outer: Int) {
        end = outer
    }
}
