/// A queue of octets in one block of memory: written at its end, read and dropped at its front.
///
/// Owns its memory and reuses it; it grows when it must and shrinks when it is told to, so steady traffic allocates nothing. It
/// is the only place in `Wire/` that handles memory by address, apart from ``WireReader``, which only reads.
/// Knows nothing of frames.
public struct AMQPWireBuffer: ~Copyable, @unchecked Sendable {
    // Unchecked: the memory belongs to this one value, and a noncopyable value is in one place at a time.
    private var memory: UnsafeMutableRawPointer
    private var head = 0
    private var tail = 0
    /// Octets that fit without growing, were the buffer empty.
    public private(set) var capacity: Int

    /// An empty buffer with room for `capacity` octets.
    public init(capacity: Int = 0) {
        self.capacity = max(0, capacity)
        memory = .allocate(byteCount: self.capacity, alignment: 16)
    }

    deinit {
        memory.deallocate()
    }

    /// Octets held.
    public var count: Int { tail &- head }

    /// Whether nothing is held.
    public var isEmpty: Bool { head == tail }

    /// The octets held. Valid only inside `body`.
    public func withUnsafeBytes<Result: ~Copyable, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(UnsafeRawBufferPointer(start: memory + head, count: count))
    }

    /// A copy of the octets held.
    public func copy() -> [UInt8] {
        withUnsafeBytes { Array($0) }
    }

    /// Drops octets at the front. `count` is at most the number held.
    public mutating func removeFirst(_ count: Int) {
        precondition(count >= 0 && count <= self.count, "more octets dropped than held")
        head &+= count
        if head == tail {
            head = 0
            tail = 0
        }
    }

    /// Drops octets at the end, so that `count` are left. `count` is at most the number held.
    public mutating func truncate(to count: Int) {
        precondition(count >= 0 && count <= self.count, "a buffer cannot be truncated to more than it holds")
        tail = head &+ count
    }

    /// Drops everything and keeps the memory.
    public mutating func removeAll() {
        head = 0
        tail = 0
    }

    /// Gives the memory of an empty buffer back, where it is more than `limit` bytes.
    public mutating func giveBack(above limit: Int) {
        guard isEmpty, capacity > max(0, limit) else { return }
        memory.deallocate()
        memory = .allocate(byteCount: 0, alignment: 16)
        capacity = 0
    }

    /// Makes room for `count` more octets at the end.
    @inline(__always)
    public mutating func reserve(_ count: Int) {
        if capacity &- tail < count { makeRoom(count) }
    }

    @inline(never)
    private mutating func makeRoom(_ extra: Int) {
        precondition(extra >= 0)
        let held = count
        if held + extra <= capacity, head >= held {
            memory.copyMemory(from: memory + head, byteCount: held)
        } else {
            capacity = max(held + extra, capacity * 2, 256)
            let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
            larger.copyMemory(from: memory + head, byteCount: held)
            memory.deallocate()
            memory = larger
        }
        head = 0
        tail = held
    }

    /// Appends octets.
    @inline(__always)
    public mutating func append(_ octets: UnsafeRawBufferPointer) {
        guard let start = octets.baseAddress, octets.count > 0 else { return }
        reserve(octets.count)
        (memory + tail).copyMemory(from: start, byteCount: octets.count)
        tail &+= octets.count
    }

    /// Appends octets.
    public mutating func append(_ octets: some Sequence<UInt8>) {
        let copied: Void? = octets.withContiguousStorageIfAvailable { append(UnsafeRawBufferPointer($0)) }
        if copied == nil {
            for octet in octets { append(integer: octet) }
        }
    }

    /// Appends an integer, most significant octet first.
    @inline(__always)
    public mutating func append<Integer: FixedWidthInteger>(integer: Integer) {
        let size = MemoryLayout<Integer>.size
        reserve(size)
        (memory + tail).storeBytes(of: integer.bigEndian, as: Integer.self)
        tail &+= size
    }

    /// Replaces the octets from `position`, counted from the first held, by an integer's. They must be held already.
    @inline(__always)
    public mutating func overwrite<Integer: FixedWidthInteger>(at position: Int, with integer: Integer) {
        precondition(position >= 0 && position <= count &- MemoryLayout<Integer>.size, "overwrites octets not held")
        (memory + head + position).storeBytes(of: integer.bigEndian, as: Integer.self)
    }

    /// Sets a bit of the last octet held.
    @inline(__always)
    mutating func setBitOfLastOctet(_ bit: UInt8) {
        precondition(tail > head, "an empty buffer has no last octet")
        let last = memory + tail - 1
        last.storeBytes(of: last.load(as: UInt8.self) | (1 &<< bit), as: UInt8.self)
    }

    /// Lets `body` write up to `count` octets at the end and say how many it wrote; for `read(2)` and its like.
    public mutating func appendFilled<Failure: Error>(
        upTo count: Int,
        _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
    ) throws(Failure) -> Int {
        reserve(count)
        let written = try body(UnsafeMutableRawBufferPointer(start: memory + tail, count: count))
        precondition(written >= 0 && written <= count, "more octets written than there was room for")
        tail &+= written
        return written
    }
}
