#if Agent
import Foundation
import Glibc
import Testing

@testable import PsistatsAgent

/// What a service manager is told, at a datagram socket as systemd has it.
@Suite("sd_notify")
struct AgentServiceTests {
    @Test(
        "READY once it collects, with or without a broker; RELOADING and READY again; STOPPING and time while it ends"
    )
    func life() async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            let inbox = try DatagramInbox(path: sandbox.folder + "/notify")
            sandbox.config["app"]?["pidfile_timeout"] = "2"
            let agent = try sandbox.startInForeground(environment: ["NOTIFY_SOCKET": sandbox.folder + "/notify"])
            try await eventually("READY") { inbox.assignments.contains("READY=1") }
            #expect(inbox.assignments.contains { $0.hasPrefix("STATUS=no broker; 0 messages confirmed, ") })
            #expect(!inbox.assignments.contains("WATCHDOG=1"))

            let before = ServiceNotification.monotonicMicroseconds()
            agent.send(SIGHUP)
            try await sandbox.awaitLog("the configuration was read again")
            try await eventually("READY again") { inbox.assignments.filter { $0 == "READY=1" }.count == 2 }
            let reloading = try #require(inbox.messages.first { $0.hasPrefix("RELOADING=1\nMONOTONIC_USEC=") })
            let moment = try #require(reloading.split(separator: "=").last.flatMap { Int64($0) })
            #expect(moment >= before && moment <= ServiceNotification.monotonicMicroseconds())
            let order = inbox.assignments
            let (last, reload) = (order.lastIndex(of: "READY=1"), order.firstIndex(of: "RELOADING=1"))
            #expect(try #require(last) > #require(reload))

            agent.send(SIGTERM)
            // It has messages that nobody takes, so it takes its time.
            try await eventually("STOPPING") { inbox.assignments.contains("STOPPING=1") }
            #expect(try await eventually("the end") { agent.ended() } == .status(0))
            let extensions = inbox.assignments.filter { $0.hasPrefix("EXTEND_TIMEOUT_USEC=") }.compactMap {
                Int64($0.dropFirst("EXTEND_TIMEOUT_USEC=".count))
            }
            #expect(!extensions.isEmpty)
            #expect(extensions.allSatisfy { $0 >= 1_000_000 && $0 <= 4_000_000 })
        }
    }

    @Test(
        "a configuration that is wrong is READY again as well, as it was",
        .enabled(if: Broker.isThere, Broker.absence)
    )
    func refusedReload() async throws {
        try await AgentSandbox.run { sandbox in
            let inbox = try DatagramInbox(path: sandbox.folder + "/notify")
            let agent = try sandbox.startInForeground(environment: ["NOTIFY_SOCKET": sandbox.folder + "/notify"])
            try await eventually("a broker in the status") {
                inbox.assignments.contains { $0.hasPrefix("STATUS=connected to 127.0.0.1:\(Broker.port) (RabbitMQ ") }
            }
            try sandbox.writeConfig("[queue]\nexclusive=perhaps\n[app]\npidfile=\(sandbox.pidfile)\n")
            agent.send(SIGHUP)
            try await sandbox.awaitLog("the configuration stays as it was")
            try await eventually("READY again") { inbox.assignments.filter { $0 == "READY=1" }.count == 2 }
            try sandbox.writeConfig()
        }
    }

    @Test("an agent with nothing to report is READY at once")
    func nothing() async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            for section in ["cpu", "mem", "uptime"] { sandbox.config[section] = ["enabled": "no"] }
            let inbox = try DatagramInbox(path: sandbox.folder + "/notify")
            _ = try sandbox.startInForeground(environment: ["NOTIFY_SOCKET": sandbox.folder + "/notify"])
            try await eventually("READY") { inbox.assignments.contains("READY=1") }
        }
    }

    // MARK: The watchdog

    /// Stops one thread of a process, and leaves the others running, until it is ended itself.
    private static let stopThread = """
        import ctypes, os, sys, time
        libc = ctypes.CDLL(None, use_errno=True)
        libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
        for request in (0x4206, 0x4207):  # PTRACE_SEIZE, PTRACE_INTERRUPT
            if libc.ptrace(request, int(sys.argv[1]), None, None) != 0:
                sys.exit(os.strerror(ctypes.get_errno()))
        os.waitpid(int(sys.argv[1]), 0x40000000)  # __WALL
        print("stopped", flush=True)
        time.sleep(600)
        """

    @Test(
        "the watchdog is fed while there is progress, without a broker too; a thread that is stuck lets it starve",
        .enabled(if: geteuid() == 0, "needs root to stop a thread"),
        arguments: ["psistats", "psistats-tasks"]
    )
    func watchdog(_ name: String) async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            let inbox = try DatagramInbox(path: sandbox.folder + "/notify")
            let agent = try sandbox.startInForeground(
                environment: ["NOTIFY_SOCKET": sandbox.folder + "/notify", "WATCHDOG_USEC": "400000"]
            )
            func feedings() -> Int { inbox.assignments.filter { $0 == "WATCHDOG=1" }.count }
            try await eventually("a watchdog that is fed") { feedings() >= 5 }
            let threads = DirectoryListing.names(in: "/proc/\(agent.pid)/task")
            let thread = try #require(
                threads.first { AgentFiles.text("/proc/\(agent.pid)/task/\($0)/comm") == name + "\n" }
            )
            let stopper = try sandbox.launch(["/usr/bin/python3", "-c", Self.stopThread, thread])
            try await eventually("a stopped thread") {
                guard stopper.ended() == nil else { throw Overdue(description: stopper.errors) }
                return stopper.output == "stopped\n"
            }
            // What was on its way; the agent notices half an interval later.
            let noticed = ContinuousClock.now.advanced(by: .milliseconds(500))
            try await eventually("the watchdog's patience is over") { ContinuousClock.now >= noticed }
            let fed = feedings()
            let over = ContinuousClock.now.advanced(by: .milliseconds(1_200))
            try await eventually("three intervals") { ContinuousClock.now >= over }
            #expect(feedings() == fed)
            // The thread goes on, and so does the feeding.
            stopper.send(SIGKILL)
            try await eventually("a watchdog that is fed again") { feedings() >= fed + 3 }
        }
    }

    @Test("a watchdog that is meant for another process is not fed")
    func othersWatchdog() async throws {
        let inbox = try DatagramInbox(path: "@psistats-test-\(Broker.uniqueName())")
        _ = inbox
        let meant = ServiceNotification(socket: "/x", watchdogMicroseconds: "2000000", watchdogProcess: "\(getpid())")
        #expect(meant?.watchdogInterval == .seconds(2))
        #expect(
            ServiceNotification(socket: "/x", watchdogMicroseconds: "2000000", watchdogProcess: "1")?.watchdogInterval
                == nil
        )
        for text in ["0", "-1", "x", "", "99999999999999999999"] {
            let service = ServiceNotification(socket: "/x", watchdogMicroseconds: text, watchdogProcess: nil)
            #expect(service != nil && service?.watchdogInterval == nil, "\(text)")
        }
        for path in ["", "relative", "vsock:2:1", "/" + String(repeating: "x", count: 200)] {
            #expect(ServiceNotification(socket: path, watchdogMicroseconds: nil, watchdogProcess: nil) == nil)
        }
    }

    @Test("a socket without a file is told as well; one that nobody has is no trouble")
    func abstractSocket() throws {
        let name = "@psistats-\(Broker.uniqueName())"
        let service = try #require(
            ServiceNotification(socket: name, watchdogMicroseconds: nil, watchdogProcess: nil)
        )
        #expect(!service.send(["READY=1"]))
        let inbox = try DatagramInbox(path: name)
        #expect(service.send(["READY=1", "STATUS=well"]))
        #expect(inbox.take() == ["READY=1\nSTATUS=well"])
        // One that is not read does not hold anybody up.
        while service.send(["STATUS=again"]) {}
        #expect(inbox.take().count > 1)
    }
}
#endif
