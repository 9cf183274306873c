#if Agent
import AMQPWire
import HostMetrics
import Testing

@testable import PsistatsAgent

@Suite("Configuration of reporters, and of the system's directories")
struct ConfigurationReporterTests {
    typealias Sensor = Configuration.Sensor

    @Test(
        "by default cpu and mem report every 2 s, cpu_temp every 5 s, uptime every 60 s, ipaddr every 120 s, nothing else"
    )
    func defaults() {
        let reporters = Configuration().reporters
        let enabled = [
            (reporters.cpu.timing, 2), (reporters.mem.timing, 2), (reporters.cpuTemp.timing, 5),
            (reporters.uptime.timing, 60), (reporters.ipaddr.timing, 120),
        ]
        for (timing, seconds) in enabled { #expect(timing.isEnabled && timing.interval == .seconds(seconds)) }
        let disabled = [
            reporters.load.timing, reporters.hddspace.timing, reporters.hddio.timing, reporters.net.timing,
            reporters.hddtemp.timing, reporters.sensors.timing, reporters.os.timing, reporters.processes.timing,
        ]
        #expect(!disabled.contains { $0.isEnabled })
    }

    @Test("every reporter's section has enabled, interval and timeout", arguments: Self.timings)
    func timing(_ section: String, _ path: KeyPath<Configuration.Reporters, Configuration.Timing> & Sendable) {
        let isEnabled = Configuration().reporters[keyPath: path].isEnabled
        let (configuration, problems) = ConfigurationTests.read(
            "[\(section)]\nenabled=\(isEnabled ? "no" : "yes")\ninterval=0.25\ntimeout=7.5"
        )
        #expect(problems == [])
        let timing = configuration.reporters[keyPath: path]
        #expect(timing.isEnabled != isEnabled)
        #expect(timing.interval == .milliseconds(250))
        #expect(timing.deadline == .milliseconds(7_500))
        for key in ["interval", "timeout"] {
            for value in ["0", "0.0001", "", "-1", "1e3", "31536001", "5;seconds"] {
                #expect(ConfigurationTests.read("[\(section)]\n\(key)=\(value)").problems.count == 1)
            }
        }
    }

    static let timings: [(String, KeyPath<Configuration.Reporters, Configuration.Timing> & Sendable)] = [
        ("cpu", \.cpu.timing), ("mem", \.mem.timing), ("cpu_temp", \.cpuTemp.timing), ("uptime", \.uptime.timing),
        ("ipaddr", \.ipaddr.timing), ("load", \.load.timing), ("hddspace", \.hddspace.timing),
        ("hddio", \.hddio.timing), ("net", \.net.timing), ("hddtemp", \.hddtemp.timing),
        ("sensors", \.sensors.timing), ("os", \.os.timing), ("processes", \.processes.timing),
    ]

    @Test("an interval may be a year")
    func longInterval() {
        let (configuration, problems) = ConfigurationTests.read("[os]\ninterval=31536000")
        #expect(problems == [])
        #expect(configuration.reporters.os.timing.interval == .seconds(31_536_000))
    }

    @Test("the keys that some reporters have besides")
    func ownKeys() {
        let (configuration, problems) = ConfigurationTests.read(
            """
            [cpu]
            percpu=on
            [mem]
            details=yes
            [ipaddr]
            devices[] = eth0

                        # between
                        wlan0
            loopback=1
            link_local=true
            [hddspace]
            include[]=
              /
              /media/My Disk*
            exclude[]=*/snap/*
            include_types[]=nfs4
              fuse.sshfs
            exclude_types[]=vfat
            details=1
            [cpu_temp]
            sensor = coretemp-isa-0000.Package id 0
            [hddio]
            devices[]=nvme*
            [net]
            devices[]: enp?s0
            [hddtemp]
            hostname=::1
            port=7635
            """
        )
        #expect(problems == [])
        let reporters = configuration.reporters
        #expect(reporters.cpu.isPerCore && reporters.mem.hasDetails)
        #expect(reporters.ipaddr.devices == ["eth0", "wlan0"])
        #expect(reporters.ipaddr.showsLoopback && reporters.ipaddr.showsLinkLocal)
        #expect(reporters.hddspace.included == ["/", "/media/My Disk*"])
        #expect(reporters.hddspace.excluded == ["*/snap/*"] && reporters.hddspace.hasDetails)
        #expect(reporters.hddspace.includedTypes == ["nfs4", "fuse.sshfs"])
        #expect(reporters.hddspace.excludedTypes == ["vfat"])
        #expect(reporters.cpuTemp.sensor == "coretemp-isa-0000.Package id 0")
        #expect(reporters.hddio.devices == ["nvme*"] && reporters.net.devices == ["enp?s0"])
        #expect(reporters.hddtemp.hostname == "::1" && reporters.hddtemp.port == 7_635)
    }

    @Test(
        "a sensor is a chip and a feature, with or without a label",
        arguments: [
            ("coretemp-isa-0000.temp1", Sensor(chip: "coretemp-isa-0000", feature: "temp1")),
            (
                "(CPU Core 1, coretemp-isa-0000.Core 0)",
                Sensor(label: "CPU Core 1", chip: "coretemp-isa-0000", feature: "Core 0")
            ),
            (
                "(Fan, rear, (left), nct6775-isa-0290.fan1)",
                Sensor(label: "Fan, rear, (left)", chip: "nct6775-isa-0290", feature: "fan1")
            ),
            ("nct6775-isa-0290.+3.3V", Sensor(chip: "nct6775-isa-0290", feature: "+3.3V")),
            ("i350.bb-pci-0100.loc1", Sensor(chip: "i350.bb-pci-0100", feature: "loc1")),
            ("chip.feature.more", Sensor(chip: "chip", feature: "feature.more")),
            ("coretemp-isa-0000", Sensor(chip: "coretemp-isa-0000")),
            ("coretemp-*", Sensor(chip: "coretemp-*")),
            ("(, a-isa-0.b)", Sensor(chip: "a-isa-0", feature: "b")),
            ("(Température, a-isa-0.b)", Sensor(label: "Température", chip: "a-isa-0", feature: "b")),
        ]
    )
    func sensors(_ text: String, _ sensor: Configuration.Sensor) {
        let (configuration, problems) = ConfigurationTests.read("[sensors]\ndevices[] = \(text)")
        #expect(problems == [])
        #expect(configuration.reporters.sensors.devices == [sensor])
    }

    @Test(
        "what is no sensor, device, mount point or host is a problem at its own line, and costs the others nothing",
        arguments: [
            ("sensors", "(label, chip.feature"), ("sensors", "(chip.feature)"),
            ("sensors", "(label, coretemp-isa-0000)"),
            ("sensors", "a-isa-0."), ("sensors", ".feature"), ("sensors", "("), ("sensors", "()"), ("sensors", ")"),
            ("sensors", "(,)"), ("sensors", "a-isa-0.b\u{0}"), ("net", "eth0, wlan0"), ("net", "eth0 wlan0"),
            ("net", "eth0\u{0}"), ("hddio", "/dev/sda"), ("ipaddr", "eth0,"),
        ]
    )
    func badItems(_ section: String, _ item: String) {
        let (_, problems) = ConfigurationTests.read("[\(section)]\ndevices[] =\n  good\n  \(item)\n  fine\n")
        #expect(problems.count == 1)
        #expect(problems.first?.hasPrefix("dir/psistats.conf:4: devices[]: ") == true)
        #expect(problems.first?.contains("\u{0}") == false)
    }

    @Test("a relative mount point, a host with blanks and a port of 0 are problems")
    func badValues() {
        for text in [
            "[hddspace]\ninclude[]=home", "[hddtemp]\nhostname=a b", "[hddtemp]\nhostname=a\u{0}b", "[hddtemp]\nport=0",
            "[hddtemp]\nport=65536", "[cpu]\npercpu=2", "[system]\nproc=proc", "[system]\nroot=/a\u{0}",
        ] {
            #expect(ConfigurationTests.read(text).problems.count == 1, "\(text)")
        }
    }

    @Test("a key in the wrong section and a forgotten [] are told of")
    func misspelt() {
        #expect(
            ConfigurationTests.read("[sensors]\ndevices=x\n[mem]\npercpu=1\n[cpus]\nenabled=1").problems == [
                "dir/psistats.conf:2: devices: unknown key in [sensors]; did you mean 'devices[]'?",
                "dir/psistats.conf:4: percpu: unknown key in [mem]",
                "dir/psistats.conf:5: [cpus]: unknown section; did you mean [cpu]?",
            ]
        )
    }

    @Test("the system's directories: a key, else the environment, else the usual")
    func directories() {
        var surroundings = Surroundings.plain
        surroundings.hostDirectories = ["HOST_PROC": "/host/proc/", "HOST_ETC": "/host/etc", "HOST_ROOT": "/host"]
        let text = "[system]\nproc=/elsewhere/proc//\netc=\n"
        #expect(
            ConfigurationTests.read(text, surroundings: surroundings).configuration.system.root
                == SystemRoot(proc: "/elsewhere/proc", sys: "/sys", etc: "/host/etc", mounts: "/host")
        )
        #expect(ConfigurationTests.read("[system]\nroot=/").configuration.system.root == .running)
        surroundings.hostDirectories = ["HOST_SYS": "sys"]
        #expect(
            ConfigurationTests.read("", surroundings: surroundings).problems
                == ["environment: HOST_SYS: has to be the path of a directory from / on"]
        )
    }

    @Test("the queue's arguments are those that are configured, and no others")
    func queueArguments() {
        func arguments(_ text: String) -> AMQPTable {
            let configuration = ConfigurationTests.read("[queue]\n" + text).configuration
            return Topology(configuration, hostname: "box").queue.arguments
        }
        #expect(arguments("") == ["x-message-ttl": .int32(10_000)])
        #expect(
            arguments("ttl=0\ntype=classic\nexpires=60000\nmax_length=4294967295") == [
                "x-message-ttl": .int32(0), "x-queue-type": "classic", "x-expires": .int32(60_000),
                "x-max-length": .int64(4_294_967_295),
            ]
        )
    }
}
#endif
