#if Agent
import Foundation
import Glibc
import Testing

@testable import PsistatsAgent

@Suite("what the agent says of the machine that it reports")
struct HostReportTests {
    private static let hosts = Repository.root + "/Fixtures/hosts/"

    /// A configuration in which the named sections alone report.
    private func config(_ sections: [String: String]) -> String {
        let usual = ["cpu", "mem", "cpu_temp", "uptime", "ipaddr"].filter { sections[$0] == nil }
        return usual.map { "[\($0)]\nenabled=no\n" }.joined()
            + sections.map { "[\($0.key)]\nenabled=yes\n\($0.value)\n" }.joined()
    }

    private func run(_ arguments: [String], _ sections: [String: String], _ environment: String...) throws
        -> Program.Result
    {
        let directory = try TemporaryDirectory()
        _ = try directory.write("psistats.conf", config(sections))
        return try Program.run(
            arguments + ["--config", "psistats.conf"],
            environment: environment,
            directory: directory.path
        )
    }

    @Test("which sensor is the processor's is logged once, or what there is and why none was taken")
    func chosenSensor() throws {
        let taken = try run(["report", "--once"], ["cpu_temp": ""], "HOST_SYS=\(Self.hosts)raspberry-pi/sys")
        #expect(taken.text.contains(#""cpu_temp":48.312"#))
        let words = "the processor's temperature is read from cpu-thermal-zone.temp (cpu-thermal)"
        #expect(taken.errors.components(separatedBy: words).count == 2)
        let none = try run(
            ["report", "--once"],
            ["cpu_temp": "", "os": ""],
            "HOST_SYS=\(Self.hosts)container/sys"
        )
        #expect(none.errors.contains("no temperature of the processor: there is no sensor of a temperature below"))
        let named = try run(
            ["report", "--once"],
            ["cpu_temp": "sensor=coretemp-virtual-0.Core 1"],
            "HOST_SYS=\(Self.hosts)server/sys"
        )
        #expect(named.text.contains(#""cpu_temp":49"#))
        let missing = try run(
            ["report", "--once"],
            ["cpu_temp": "sensor=k10temp-pci-00c3.temp1", "os": ""],
            "HOST_SYS=\(Self.hosts)server/sys"
        )
        #expect(missing.errors.contains("k10temp-pci-00c3.temp1: there is no such sensor; there are coretemp-"))
    }

    @Test("sensors lists thermal zones and marks the one that is the processor's")
    func sensorsCommand() throws {
        let result = try run(["sensors"], [:], "HOST_SYS=\(Self.hosts)raspberry-pi/sys")
        #expect(result.lines.contains { $0.hasPrefix("cpu-thermal-zone.temp") && $0.hasSuffix("  <- cpu_temp") })
        let named = try run(["sensors"], ["cpu_temp": "sensor=acpitz"], "HOST_SYS=\(Self.hosts)laptop/sys")
        #expect(named.lines.filter { $0.hasSuffix("  <- cpu_temp") }.allSatisfy { $0.hasPrefix("acpitz-") })
    }

    @Test("devices that are named and not there are logged")
    func missingDevices() throws {
        let result = try run(
            ["report", "--once"],
            ["hddio": "devices[]=sda\n  sdz", "net": "devices[]=lo\n  wlan9", "ipaddr": "devices[]=psistats9"],
            "HOST_PROC=\(Self.hosts)storage/proc"
        )
        for device in [
            "sdz: this machine has no such disk", "wlan9: this machine has no such interface", "psistats9: ",
        ] {
            #expect(result.errors.components(separatedBy: device).count == 2, "\(device) in \(result.errors)")
        }
        #expect(!result.errors.contains("sda: "))
    }

    @Test("check says which file systems cannot be reached, and what of the configuration is not there")
    func unreachable() throws {
        let result = try run(
            ["check", "--offline"],
            ["hddspace": "include[]=/films\n  /mnt/nas", "cpu_temp": "sensor=none"],
            "HOST_PROC=\(Self.hosts)storage/proc",
            "HOST_SYS=\(Self.hosts)server/sys"
        )
        #expect(result.status == 0)
        #expect(
            result.lines.contains { $0.hasPrefix("note  hddspace") && $0.contains("/films") && $0.contains("rslave") }
        )
        #expect(result.lines.contains { $0.hasPrefix("note  hddspace") && $0.contains("/mnt/nas is of the type nfs4") })
        #expect(result.lines.contains { $0.hasPrefix("note  cpu_temp") && $0.contains("there is no such sensor") })
    }

    @Test(
        "check says that a machine without a name reports as localhost",
        .enabled(if: geteuid() == 0, "needs a namespace of its own for the machine's name")
    )
    func nameless() async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            sandbox.config["hostname"] = nil
            try sandbox.writeConfig()
            let script = #"echo > /proc/sys/kernel/hostname; exec "$@""#
            let process = try sandbox.launch(
                ["/usr/bin/unshare", "-u", "sh", "-c", script, "sh", Program.path, "check", "--offline", "--config"]
                    + [sandbox.configPath]
            )
            #expect(try await eventually("the end of check") { process.ended() } == .status(0))
            #expect(process.output.contains("note  hostname"))
            #expect(process.output.contains("reports as localhost"))
        }
    }
}
#endif
