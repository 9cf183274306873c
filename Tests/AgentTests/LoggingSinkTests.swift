#if Agent
import Glibc
import Synchronization
import Testing

@testable import PsistatsAgent

@Suite("Log handlers that write or fail", .serialized)
struct LoggingSinkTests {
    typealias Configuration = LoggingConfiguration

    /// A socket that takes what a handler sends.
    final class Listener {
        let descriptor: Int32
        var port: UInt16 = 0

        init(path: String, stream: Bool = false) throws {
            descriptor = socket(
                AF_UNIX,
                Int32((stream ? SOCK_STREAM : SOCK_DGRAM).rawValue) | Int32(SOCK_CLOEXEC.rawValue),
                0
            )
            try #require(descriptor >= 0)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
            let result = withUnsafeBytes(of: &address) { memory in
                memory.assumingMemoryBound(to: sockaddr.self).baseAddress.map {
                    bind(descriptor, $0, socklen_t(memory.count))
                }
            }
            try #require(result == 0)
            if stream { try #require(listen(descriptor, 4) == 0) }
        }

        /// On the loopback, for datagrams.
        init() throws {
            descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            try #require(descriptor >= 0)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let result = withUnsafeMutableBytes(of: &address) { memory in
                memory.assumingMemoryBound(to: sockaddr.self).baseAddress.map {
                    bind(descriptor, $0, length) + getsockname(descriptor, $0, &length)
                }
            }
            try #require(result == 0)
            port = UInt16(bigEndian: address.sin_port)
        }

        /// The next message; waits for it as long as a busy machine may take.
        func receive() -> [UInt8]? {
            var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&polled, 1, 20_000) == 1 else { return nil }
            var buffer = [UInt8](repeating: 0, count: 1 << 18)
            let count = recv(descriptor, &buffer, buffer.count, 0)
            return count < 0 ? nil : Array(buffer.prefix(count))
        }

        func text() -> String? { receive().map { String(decoding: $0, as: UTF8.self) } }

        deinit { close(descriptor) }
    }

    @Test("syslog gets facility and severity, the text, and a NUL, as from Python")
    func syslog() throws {
        let directory = try LogDirectory()
        let listener = try Listener(path: directory["log"])
        var settings = Configuration.Syslog(address: .socket(path: directory["log"]), facility: 3)
        settings.identity = "psistats: "
        let outlet = try LoggingRotationTests.outlet(.syslog(settings), now: 0)
        for (level, priority) in [(LogLevel.debug, 31), (.info, 30), (.warning, 28), (.error, 27), (.critical, 26)] {
            outlet.write(.sample("two\nlines", level: level))
            #expect(listener.text() == "<\(priority)>psistats: two\nlines\0")
        }
        outlet.write(.sample("odd level", level: LogLevel(number: 35)))
        #expect(listener.text() == "<28>psistats: odd level\0")
    }

    @Test("syslog is connected to anew when it was away, and is a stream where it takes no datagrams")
    func syslogReturns() throws {
        let directory = try LogDirectory()
        let reports = Reports()
        let settings = Configuration.Syslog(address: .socket(path: directory["log"]))
        let outlet = try LoggingRotationTests.outlet(.syslog(settings), now: 0, reports)
        outlet.write(.sample("lost"))
        outlet.write(.sample("lost as well"))
        #expect(
            reports.lines == [
                "psistats: log handler 'h': \(directory["log"]): No such file or directory: "
                    + "messages are lost until this is put right"
            ]
        )
        do {
            let listener = try Listener(path: directory["log"])
            outlet.write(.sample("here"))
            #expect(listener.text() == "<14>here\0")
            #expect(
                listener.text()
                    == "<12>messages missing before the last one: 2: \(directory["log"]): "
                    + "No such file or directory\0"
            )
        }
        unlink(directory["log"])
        let listener = try Listener(path: directory["log"], stream: true)
        outlet.write(.sample("streamed"))
        let accepted = accept(listener.descriptor, nil, nil)
        try #require(accepted >= 0)
        defer { close(accepted) }
        var buffer = [UInt8](repeating: 0, count: 64)
        let count = recv(accepted, &buffer, buffer.count, 0)
        #expect(String(decoding: buffer.prefix(max(0, count)), as: UTF8.self) == "<14>streamed\0")
        #expect(outlet.lostCount == 2)
    }

    @Test("syslog on another host gets datagrams", arguments: ["127.0.0.1", "localhost"])
    func syslogHost(_ host: String) throws {
        let listener = try Listener()
        let settings = Configuration.Syslog(address: .host(host, port: listener.port), facility: 16)
        let outlet = try LoggingRotationTests.outlet(.syslog(settings), now: 0)
        outlet.write(.sample("one"))
        outlet.write(.sample("two"))
        #expect(listener.text() == "<134>one\0")
        #expect(listener.text() == "<134>two\0")
    }

    @Test("what is logged while a host is looked up is kept for it")
    func lookup() throws {
        let listener = try Listener()
        let port = listener.port
        let gate = Gate()
        let host = LogHost(host: "no number", port: port) { () throws(SystemError) in
            while !gate.isOpen { sched_yield() }
            return try LogSocket.resolving(host: "127.0.0.1", port: port, onlyNumbers: true)
        }
        try host.send(Array("one".utf8), now: 0)
        try host.send(Array("two".utf8), now: 0)
        gate.open()
        #expect(listener.text() == "one")
        #expect(listener.text() == "two")
    }

    @Test("a host that is not found costs messages, and is looked up again after a minute", .timeLimit(.minutes(1)))
    func missingHost() throws {
        let listener = try Listener()
        let port = listener.port
        let isKnown = Gate()
        let unknown = SystemError(code: EHOSTUNREACH, context: "no number")
        let host = LogHost(host: "no number", port: port) { () throws(SystemError) in
            guard isKnown.isOpen else { throw unknown }
            return try LogSocket.resolving(host: "127.0.0.1", port: port, onlyNumbers: true)
        }
        func failure(now: Int) -> SystemError? {
            do throws(SystemError) {
                try host.send(Array("text".utf8), now: now)
                return nil
            } catch {
                return error
            }
        }
        while failure(now: 100) != unknown { sched_yield() }
        isKnown.open()
        #expect(failure(now: 159) == unknown)
        #expect(failure(now: 160) == nil)
        #expect(listener.text() == "text")
    }

    /// Opened once, by one thread for another.
    final class Gate: Sendable {
        private let state = Mutex(false)
        var isOpen: Bool { state.withLock { $0 } }
        func open() { state.withLock { $0 = true } }
    }

    @Test("a message too long for a datagram is cut between two characters")
    func longDatagram() throws {
        let listener = try Listener()
        let settings = Configuration.Syslog(address: .host("127.0.0.1", port: listener.port))
        let outlet = try LoggingRotationTests.outlet(.syslog(settings), now: 0)
        outlet.write(.sample(String(repeating: "\u{20ac}", count: 40_000)))
        let octets = try #require(listener.receive())
        #expect(octets.count <= 8_193 && octets.count > 8_180)
        #expect(String(validating: octets, as: UTF8.self)?.hasPrefix("<14>\u{20ac}") == true)
    }

    @Test("the journal gets a field a line, and text of several lines with its length")
    func journal() throws {
        let directory = try LogDirectory()
        let listener = try Listener(path: directory["socket"])
        var sink = JournalSink(identifier: "psistats", path: directory["socket"])
        var text = Array("plain".utf8)
        try sink.write(.sample("", level: .error), &text)
        let rest =
            "PRIORITY=3\nLOGGER=psistats\nSYSLOG_IDENTIFIER=psistats\nCODE_FILE=PsistatsAgent/Scheduler.swift\n"
            + "CODE_LINE=42\nCODE_FUNC=run(_:)\n"
        #expect(listener.text() == "MESSAGE=plain\n" + rest)
        text = Array("a\nb".utf8)
        try sink.write(.sample("", level: .error), &text)
        #expect(listener.text() == "MESSAGE\n\u{3}\0\0\0\0\0\0\0a\nb\n" + rest)
        text = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20)
        try sink.write(.sample("", level: .error), &text)
        #expect(try #require(listener.receive()).count < 1 << 16)
    }

    @Test("a full disk costs lines and nothing else, is reported once, and is told of when there is room again")
    func fullDisk() throws {
        let directory = try LogDirectory()
        try #require(symlink("/dev/full", directory["a"]) == 0)
        let reports = Reports()
        let outlet = try LoggingRotationTests.outlet(
            .watchedFile(Configuration.File(path: directory["a"])),
            now: 0,
            reports
        )
        for number in 1...3 { outlet.write(.sample("lost \(number)")) }
        #expect(outlet.lostCount == 3)
        #expect(
            reports.lines == [
                "psistats: log handler 'h': \(directory["a"]): No space left on device: messages are lost until this is put right"
            ]
        )
        unlink(directory["a"])
        outlet.write(.sample("room"))
        outlet.write(.sample("more"))
        #expect(
            directory.text("a")
                == "room\nmessages missing before the last one: 3: \(directory["a"]): No space left on device\nmore\n"
        )
        #expect(outlet.lostCount == 3)
    }

    @Test("a directory that is gone costs lines until it is back")
    func goneDirectory() throws {
        let directory = try LogDirectory()
        let file = Configuration.File(path: directory["d"] + "/a", isDelayed: true)
        let outlet = try LoggingRotationTests.outlet(.file(file), now: 0)
        outlet.write(.sample("lost"))
        #expect(outlet.lostCount == 1)
        try #require(mkdir(directory["d"], 0o700) == 0)
        outlet.write(.sample("here"))
        #expect(directory.text("d/a")?.hasPrefix("here\nmessages missing before the last one: 1: ") == true)
        unlink(directory["d/a"])
    }

    @Test("a watched file is opened anew when it was renamed or removed")
    func watched() throws {
        let directory = try LogDirectory()
        let outlet = try LoggingRotationTests.outlet(
            .watchedFile(Configuration.File(path: directory["a"])),
            now: 0
        )
        outlet.write(.sample("one"))
        rename(directory["a"], directory["b"])
        outlet.write(.sample("two"))
        unlink(directory["a"])
        outlet.write(.sample("three"))
        #expect(directory.text("b") == "one\n")
        #expect(directory.text("a") == "three\n")
    }

    @Test("a delayed file appears with its first record")
    func delayed() throws {
        let directory = try LogDirectory()
        let outlet = try LoggingRotationTests.outlet(
            .file(Configuration.File(path: directory["a"], mode: .truncate, isDelayed: true)),
            now: 0
        )
        #expect(directory.names.isEmpty)
        outlet.write(.sample("one"))
        outlet.write(.sample("two"))
        #expect(directory.text("a") == "one\ntwo\n")
    }

    @Test("a reader that does not read costs lines, never time, and lines stay whole")
    func fullPipe() throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        defer { for end in ends { close(end) } }
        var line = LogLine(LogStream(ends[1]))
        var taken = 0
        while true {
            var text = Array("\(taken) ".utf8) + [UInt8](repeating: UInt8(ascii: "x"), count: 1_000)
            do {
                try line.write(&text)
                taken += 1
            } catch {
                #expect(error.code == EAGAIN)
                break
            }
        }
        #expect(taken > 10)
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        let before = read(ends[0], &buffer, buffer.count)
        #expect(buffer.prefix(before).count { $0 == 0x0A } == taken)
        var text = Array("new".utf8)
        try line.write(&text)
        let after = read(ends[0], &buffer, buffer.count)
        #expect(String(decoding: buffer.prefix(after), as: UTF8.self) == "new\n")
    }

    @Test("a terminal that stops reading costs lines, never time", .timeLimit(.minutes(1)))
    func fullTerminal() throws {
        var (main, side): (Int32, Int32) = (-1, -1)
        try #require(openpty(&main, &side, nil, nil, nil) == 0)
        defer { for end in [main, side] { close(end) } }
        var line = LogLine(LogStream(side))
        var taken = 0
        // Of several lengths, so that the last one meets less room than it needs.
        #expect(throws: SystemError(code: EAGAIN, context: "write")) {
            while true {
                var text = [UInt8](repeating: UInt8(ascii: "x"), count: 1_000 + taken % 7)
                try line.write(&text)
                taken += 1
            }
        }
        #expect(taken > 2)
        #expect(fcntl(side, F_GETFL) & O_NONBLOCK == 0)
    }

    /// Fails as it is told, and keeps what it takes.
    private struct FailingSink: LogSink {
        var failures: [Bool]
        let taken: Reports

        mutating func write(_ record: borrowing LogRecord, _ text: inout [UInt8]) throws(SystemError) {
            let fails = failures.isEmpty ? false : failures.removeFirst()
            if fails { throw SystemError(code: ENOSPC, context: "disk") }
            taken.add(String(decoding: text, as: UTF8.self))
        }
    }

    @Test("where the count of lost lines is lost itself, it is told later")
    func lostNotice() {
        let taken = Reports()
        let outlet = LogOutlet(
            LoggingConfiguration.Handler(name: "h", target: .nothing),
            sink: FailingSink(failures: [true, true, false, true], taken: taken)
        ) { _ in }
        for number in 1...4 { outlet.write(.sample("\(number)")) }
        #expect(
            taken.lines == [
                "3", "4", "messages missing before the last one: 2: disk: No space left on device",
            ]
        )
    }

    @Test("a line that was cut short is ended before the next one begins")
    func cutLine() throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        defer { for end in ends { close(end) } }
        var line = LogLine(LogStream(ends[1]))
        var long = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20)
        #expect(throws: SystemError.self) { try line.write(&long) }
        var buffer = [UInt8](repeating: 0, count: 1 << 21)
        _ = read(ends[0], &buffer, buffer.count)
        var text = Array("next".utf8)
        try line.write(&text)
        let count = read(ends[0], &buffer, buffer.count)
        #expect(String(decoding: buffer.prefix(count), as: UTF8.self) == "\nnext\n")
    }

    @Test("a reader that is gone does not end the process")
    func brokenPipe() throws {
        // As the program has it.
        signal(SIGPIPE, SIG_IGN)
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        close(ends[0])
        defer { close(ends[1]) }
        var line = LogLine(LogStream(ends[1]))
        var text = Array("nobody".utf8)
        #expect(throws: SystemError(code: EPIPE, context: "write")) { try line.write(&text) }
    }

    @Test("a pipe's name without a reader does not hold up the start")
    func namedPipe() throws {
        let directory = try LogDirectory()
        try #require(mkfifo(directory["a"], 0o600) == 0)
        let file = Configuration.File(path: directory["a"], isDelayed: true)
        let outlet = try LoggingRotationTests.outlet(.file(file), now: 0)
        outlet.write(.sample("nobody"))
        #expect(outlet.lostCount == 1)
    }
}
#endif
