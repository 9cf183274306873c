import Glibc
import Synchronization
import Testing

@testable import HostMetrics

@Suite(.timeLimit(.minutes(3))) struct HDDTempCollectorTests {
    /// A tree without drives: no fallback.
    private let empty: HostTree

    init() throws {
        empty = try HostTree()
    }

    private func collector(_ daemon: PlayedDaemon, within deadline: Duration = .seconds(60)) -> HDDTempCollector {
        HDDTempCollector(root: empty.root, host: "127.0.0.1", port: daemon.port, deadline: deadline)
    }

    private func place(_ daemon: PlayedDaemon) -> String { "tcp://127.0.0.1:\(daemon.port)" }

    private static let record = Array("|/dev/sda|ST3000|34|C|".utf8)
    private static let drive = HDDTempSample.Drive(name: "/dev/sda", model: "ST3000", celsius: 34, state: .ok)

    @Test("every reply is read the same, wherever it is split") func everyReplyIsReadTheSame() throws {
        let parts = Mutex<[[UInt8]]>([])
        let daemon = try PlayedDaemon { connection in
            var option: Int32 = 1
            setsockopt(connection, Int32(IPPROTO_TCP), TCP_NODELAY, &option, socklen_t(MemoryLayout<Int32>.size))
            for part in parts.withLock({ $0 }) { PlayedDaemon.send(part, to: connection) }
        }
        let collector = collector(daemon)
        for name in try Fixture.hddtempReplies() {
            let whole = try Fixture.hddtempReply(name)
            let expected = HDDTempReply(whole).drives
            for split in 0...whole.count {
                parts.withLock { $0 = [Array(whole[..<split]), Array(whole[split...])] }
                #expect(try collector.read()?.drives == expected, "\(name) at \(split)")
            }
            parts.withLock { $0 = whole.map { [$0] } }
            #expect(try collector.read()?.drives == expected, "\(name), octet by octet")
        }
    }

    @Test("a reply that is all records has no failures; one with junk says so") func aReplyThatIsAllRecords() throws {
        let good = try PlayedDaemon { PlayedDaemon.send(Self.record, to: $0) }
        #expect(try collector(good).read() == HDDTempSample(drives: [Self.drive], source: .daemon, failures: []))
        let truncated = try Fixture.hddtempReply("truncated-last")
        let bad = try PlayedDaemon { PlayedDaemon.send(truncated, to: $0) }
        let sample = try #require(try collector(bad).read())
        #expect(sample.drives == [Self.drive])
        #expect(sample.failures.map(\.source) == [place(bad)])
    }

    @Test("a daemon that says nothing is given up at the deadline") func aDaemonThatSaysNothing() throws {
        let daemon = try PlayedDaemon { PlayedDaemon.waitForEnd(of: $0) }
        let error = #expect(throws: CollectorError.self) { try collector(daemon, within: .milliseconds(50)).read() }
        #expect(error == CollectorError(source: place(daemon), reason: .late(after: .milliseconds(50))))
    }

    @Test("a daemon that hangs in the middle costs what did not come") func aDaemonThatHangsInThe() throws {
        let daemon = try PlayedDaemon { connection in
            PlayedDaemon.send(Self.record + Self.record.dropLast(3), to: connection)
            PlayedDaemon.waitForEnd(of: connection)
        }
        let sample = try #require(try collector(daemon, within: .seconds(1)).read())
        #expect(sample.drives == [Self.drive])
        #expect(sample.failures.first?.reason == .late(after: .seconds(1)))
    }

    @Test("dripping does not put the deadline off") func drippingDoesNotPutTheDeadline() throws {
        let daemon = try PlayedDaemon { connection in
            // An octet at a time, and never silent for as long as the deadline.
            while PlayedDaemon.send([0x7C], to: connection) == 1 {}
        }
        let error = #expect(throws: CollectorError.self) { try collector(daemon, within: .milliseconds(50)).read() }
        #expect(error?.reason == .late(after: .milliseconds(50)))
    }

    @Test("a daemon that resets the connection costs what did not come") func aDaemonThatResetsTheConnection() throws {
        let silent = try PlayedDaemon { PlayedDaemon.resetAtClose($0) }
        let error = #expect(throws: CollectorError.self) { try collector(silent).read() }
        #expect(error?.source == place(silent))
        let talking = try PlayedDaemon { connection in
            PlayedDaemon.resetAtClose(connection)
            PlayedDaemon.send(Self.record, to: connection)
        }
        let sample = try #require(try collector(talking).read())
        #expect(sample.drives == [Self.drive])
        #expect(
            sample.failures == [
                CollectorError(source: place(talking), reason: .system(call: "recv", errno: ECONNRESET))
            ]
        )
    }

    @Test("a daemon that hangs up without a word is an error, and so is one that is something else")
    func aDaemonThatHangsUpWithout() throws {
        for reply in ["", "|", "SSH-2.0-OpenSSH_9.2p1\r\n", "\0\0\0\0"] {
            let daemon = try PlayedDaemon { PlayedDaemon.send(Array(reply.utf8), to: $0) }
            let error = #expect(throws: CollectorError.self) { try collector(daemon).read() }
            guard case .malformed = error?.reason else {
                Issue.record("\(reply): \(String(describing: error))")
                continue
            }
        }
    }

    @Test("a daemon that sends a gibibyte is cut off after a mebibyte") func aDaemonThatSendsAGibibyte() throws {
        for piece in [Self.record, [0x78], [0x7C], [0]] {
            let sent = Mutex(0)
            let done = try Gate()
            let daemon = try PlayedDaemon { connection in
                let chunk = Array(repeatElement(piece, count: 65_536 / piece.count).joined())
                var total = 0
                while total < 1 << 30 {
                    let count = PlayedDaemon.send(chunk, to: connection)
                    total += count
                    if count < chunk.count { break }
                }
                sent.withLock { [total] in $0 = total }
                done.open()
            }
            let collector = collector(daemon)
            if piece == Self.record {
                let sample = try #require(try collector.read())
                #expect(sample.drives.count == (1 << 20) / piece.count)
                #expect(sample.failures.first?.reason == .tooLarge(limit: 1 << 20))
            } else {
                let error = #expect(throws: CollectorError.self) { try collector.read() }
                #expect(error == CollectorError(source: place(daemon), reason: .tooLarge(limit: 1 << 20)))
            }
            // The rest is what the two kernels hold in between.
            #expect(done.isOpenedInTime())
            #expect(sent.withLock { $0 } < 64 << 20)
        }
    }

    @Test("where nobody listens and the driver has no drives, the refusal is the error") func whereNobodyListensAndThe()
        throws
    {
        let daemon = try PlayedDaemon(listens: false)
        let error = #expect(throws: CollectorError.self) { try collector(daemon).read() }
        #expect(
            error == CollectorError(source: place(daemon), reason: .system(call: "connect", errno: ECONNREFUSED))
        )
    }

    @Test("where nobody listens the kernel's driver is asked, and the daemon again at the next reading")
    func whereNobodyListensTheKernels() throws {
        let nobody = try PlayedDaemon(listens: false)
        let root = Fixture.root("storage")
        let collector = HDDTempCollector(root: root, host: "127.0.0.1", port: nobody.port, deadline: .seconds(60))
        let sample = try #require(try collector.read())
        #expect(sample.source == .drivetemp)
        #expect(
            sample.drives.map(HDDTempReplyTests.text) == [
                "/dev/sda [WDC WD40EFRX-68N] 31.0 ok", "/dev/sdb [ST8000DM004-2CX1] - error",
                "\(root.sys)/class/hwmon/hwmon4 [-] - unknown",
            ]
        )
        #expect(sample.failures.map(\.source) == [root.sys + "/class/hwmon/hwmon3/temp1_input"])
        let daemon = try PlayedDaemon { PlayedDaemon.send(Self.record, to: $0) }
        let other = HDDTempCollector(root: root, host: "localhost", port: daemon.port, deadline: .seconds(60))
        #expect(try other.read()?.source == .daemon)
        #expect(try other.read()?.drives == [Self.drive])
    }

    @Test("where the daemon's host is not found the driver is asked, and what is wrong is told")
    func whereTheDaemonsHostIs() throws {
        let collector = HDDTempCollector(root: Fixture.root("storage"), host: "", deadline: .seconds(60))
        let sample = try #require(try collector.read())
        #expect(sample.source == .drivetemp)
        #expect(sample.drives.count == 3)
        #expect(sample.failures.first?.source == "tcp://:7634")
        #expect(sample.failures.count == 2)
    }

    @Test("a host is found by its address, as localhost, and by its name") func aHostIsFoundByIts() throws {
        let daemon = try PlayedDaemon { PlayedDaemon.send(Self.record, to: $0) }
        // The last is looked up, in /etc/hosts.
        for host in ["127.0.0.1", "localhost", "LOCALHOST"] {
            let collector = HDDTempCollector(root: empty.root, host: host, port: daemon.port, deadline: .seconds(60))
            #expect(try collector.read()?.drives == [Self.drive], "\(host)")
        }
    }

    @Test("a host without an address is an error that says why") func aHostWithoutAnAddressIs() throws {
        // Nobody outside is asked for the last: it is too long to be.
        for host in ["", "a\0b", String(repeating: "a", count: 300)] {
            let collector = HDDTempCollector(root: empty.root, host: host, deadline: .seconds(60))
            let error = #expect(throws: CollectorError.self) { try collector.read() }
            #expect(error?.source == "tcp://\(host):7634")
            guard case .unresolved(let why) = error?.reason else {
                Issue.record("\(host): \(String(describing: error))")
                continue
            }
            #expect(!why.isEmpty)
        }
    }

    @Test("no damage to the driver's files ends the process") func noDamageToTheDriversFiles() throws {
        let nobody = try PlayedDaemon(listens: false)
        let files = ["name", "temp1_input", "device/model"].map { "sys/class/hwmon/hwmon2/" + $0 }
        try Damage.everyKind(host: "storage", files: files) { root in
            let collector = HDDTempCollector(root: root, host: "127.0.0.1", port: nobody.port, deadline: .seconds(60))
            let drives = (try? collector.read())?.drives ?? []
            #expect(drives.allSatisfy { ($0.celsius == nil) == ($0.state != .ok) })
        }
    }
}
