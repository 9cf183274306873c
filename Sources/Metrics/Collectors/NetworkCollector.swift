/// What went over the network's interfaces between two readings.
public struct NetworkSample: Hashable, Sendable {
    /// In the order of the kernel. Only interfaces that were there at both readings, and none of whose counters fell between
    /// them.
    public var interfaces: [Interface]
    /// Which of the interfaces that were asked for are not there, as they were named.
    public var missing: [String] = []

    /// One interface.
    public struct Interface: Hashable, Sendable {
        /// The kernel's name: `eth0`.
        public var name: String
        /// What happened since the last reading, by the second.
        public var perSecond: Traffic<Double>
        /// What happened since the interface was there, as the kernel counts it.
        public var total: Traffic<UInt64>
    }

    /// What went in and out.
    public struct Traffic<Number: Hashable & Sendable>: Hashable, Sendable {
        /// What came in.
        public var received: Direction<Number>
        /// What went out.
        public var sent: Direction<Number>
    }

    /// What went one way.
    public struct Direction<Number: Hashable & Sendable>: Hashable, Sendable {
        /// Bytes, those of the link's own headers included.
        public var octets: Number
        /// Packets, good ones.
        public var packets: Number
        /// Packets that came in broken, or could not be sent.
        public var errors: Number
        /// Packets that were given up on the way: nobody wanted them, or there was no room.
        public var drops: Number
    }
}

/// Reads `/proc/net/dev`: what went over the network's interfaces since the last reading. The first reading has nothing to
/// compare with.
///
/// Reported are all interfaces but the loopback, `lo`; or those that are named. A counter that is lower than before was reset
/// (the driver was loaded anew) or has wrapped (kernels of 32 bits): nobody can tell which, so the interface is missing from
/// that sample, and is back in the next.
///
/// Interfaces can swap their names. One is the same only if the kernel's number of it is the same, too; of a host's interfaces that
/// is known where the host's `/sys` is. One that got another's name is missing from the next sample.
///
/// `/proc/net` shows the network of whoever reads it. In a container that has the host's `/proc` mounted elsewhere that would be
/// the container's, so there the network of the host's first process is read.
///
/// Source: proc_pid_net(5); dev_seq_printf_stats in net/core/net-procfs.c of the kernel.
public final class NetworkCollector: Collector {
    /// The name of the kind of statistics: `net`.
    public static let name = "net"

    private typealias Counters = NetworkSample.Traffic<UInt64>

    private var file: SystemFile
    /// To be tried if `file` cannot be read; nil once one of the two could.
    private var otherFile: SystemFile?
    private let choice: DeviceChoice
    private let includesLoopback: Bool
    private let numbers: InterfaceNumbers
    private var table = CounterTable<Counters>()

    /// - Parameters:
    ///   - root: the machine.
    ///   - interfaces: names of interfaces, or patterns (see ``Glob``): exactly these are reported, `lo` too. Empty: all.
    ///   - excludedInterfaces: names or patterns of interfaces that are not reported in any case.
    ///   - loopback: whether `lo` is reported, too, if `interfaces` is empty.
    public init(
        root: SystemRoot = .running,
        interfaces: [String] = [],
        excludedInterfaces: [String] = [],
        loopback: Bool = false
    ) {
        let own = SystemFile(path: root.proc + "/net/dev", limit: 16 << 20)
        if root.proc == SystemRoot.running.proc {
            file = own
        } else {
            file = SystemFile(path: root.proc + "/1/net/dev", limit: 16 << 20)
            otherFile = own
        }
        choice = DeviceChoice(named: interfaces, excluded: excludedInterfaces)
        numbers = InterfaceNumbers(root: root)
        includesLoopback = loopback
    }

    /// Makes the next reading the first again.
    public func discardBaseline() {
        table.removeAll()
    }

    /// Nil at the first reading, if there are no interfaces, and if no time has passed since the last reading, which then
    /// remains the one to compare with.
    public func read(at now: SuspendingClock.Instant) throws(CollectorError) -> NetworkSample? {
        let seconds = table.seconds(until: now)
        if let seconds, seconds <= 0 { return nil }
        try settleFile()
        let interfaces = try file.read { (scanner) throws(CollectorError) in
            try self.interfaces(&scanner, at: now, seconds: seconds)
        }
        let missing = seconds == nil ? [] : choice.missing(among: table.names)
        return interfaces.isEmpty && missing.isEmpty ? nil : NetworkSample(interfaces: interfaces, missing: missing)
    }

    /// Takes the other file if the first cannot be read; says what is wrong with the other one if neither can.
    private func settleFile() throws(CollectorError) {
        guard let other = otherFile else { return }
        do throws(CollectorError) {
            try file.read { (_) throws(CollectorError) in }
        } catch {
            try other.read { (_) throws(CollectorError) in }
            file = other
        }
        otherFile = nil
    }

    private func interfaces(
        _ scanner: inout ByteScanner,
        at now: SuspendingClock.Instant,
        seconds: Double?
    ) throws(CollectorError) -> [NetworkSample.Interface] {
        var interfaces: [NetworkSample.Interface] = []
        if seconds != nil { interfaces.reserveCapacity(table.count) }
        var readableLines = 0
        var otherLines = 0
        table.startReading(at: now)
        while var line = scanner.line() {
            // A line that cannot be read costs that interface alone. The two headings are such lines.
            // Names of aliases hold colons, and there need not be a blank behind the last one.
            guard let field = line.field(beforeLast: 0x3A), let counters = Self.counters(&line) else {
                otherLines += 1
                continue
            }
            readableLines += 1
            let name = field.trimmed.text
            guard choice.contains(name, isUsual: includesLoopback || name != "lo") else { continue }
            guard let before = table.record(name, number: numbers.number(of: name), counters), let seconds,
                let perSecond = Self.rates(from: before, to: counters, seconds: seconds)
            else { continue }
            interfaces.append(NetworkSample.Interface(name: name, perSecond: perSecond, total: counters))
        }
        // A network without any interface still has the headings.
        guard readableLines > 0 || otherLines == 2 else {
            throw file.error("has no line with an interface and its counters")
        }
        return interfaces
    }

    private static func counters(_ line: inout ByteScanner) -> Counters? {
        guard let received = direction(&line), let sent = direction(&line) else { return nil }
        return Counters(received: received, sent: sent)
    }

    /// Eight numbers, of which the first four are used.
    private static func direction(_ line: inout ByteScanner) -> NetworkSample.Direction<UInt64>? {
        guard let octets = line.unsigned(), let packets = line.unsigned(), let errors = line.unsigned(),
            let drops = line.unsigned()
        else { return nil }
        for _ in 5...8 where line.unsigned() == nil { return nil }
        return NetworkSample.Direction(octets: octets, packets: packets, errors: errors, drops: drops)
    }

    /// Nil if a counter fell.
    private static func rates(
        from before: Counters,
        to after: Counters,
        seconds: Double
    ) -> NetworkSample.Traffic<Double>? {
        guard let received = rates(from: before.received, to: after.received, seconds: seconds),
            let sent = rates(from: before.sent, to: after.sent, seconds: seconds)
        else { return nil }
        return NetworkSample.Traffic(received: received, sent: sent)
    }

    private static func rates(
        from before: NetworkSample.Direction<UInt64>,
        to after: NetworkSample.Direction<UInt64>,
        seconds: Double
    ) -> NetworkSample.Direction<Double>? {
        guard let octets = after.octets.rate(since: before.octets, seconds: seconds),
            let packets = after.packets.rate(since: before.packets, seconds: seconds),
            let errors = after.errors.rate(since: before.errors, seconds: seconds),
            let drops = after.drops.rate(since: before.drops, seconds: seconds)
        else { return nil }
        return NetworkSample.Direction(octets: octets, packets: packets, errors: errors, drops: drops)
    }
}
