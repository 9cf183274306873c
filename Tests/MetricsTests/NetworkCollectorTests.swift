import Testing

@testable import HostMetrics

@Suite struct NetworkCollectorTests {
    private let start = SuspendingClock.now
    private let headings = "Inter-| Receive | Transmit\n face |bytes packets |bytes packets\n"

    private func names(_ root: SystemRoot, _ collector: (SystemRoot) -> NetworkCollector) throws -> [String] {
        let collector = collector(root)
        #expect(try collector.read(at: start) == nil)
        return try #require(try collector.read(at: start + .seconds(1))).interfaces.map(\.name)
    }

    @Test("octets, packets, errors and drops of both directions are told apart") func octetsPacketsErrorsAndDropsOf()
        throws
    {
        let tree = try HostTree()
        let collector = NetworkCollector(root: tree.root)
        tree.write("proc/net/dev", headings + " eth0: 0 0 0 0 9 9 9 9 0 0 0 0 9 9 9 9\n")
        #expect(try collector.read(at: start) == nil)
        tree.write("proc/net/dev", headings + " eth0: 1000 10 2 4 0 0 0 0 3000 30 6 8 0 0 0 0\n")
        let sample = try #require(try collector.read(at: start + .seconds(2)))
        #expect(
            sample.interfaces == [
                .init(
                    name: "eth0",
                    perSecond: .init(
                        received: .init(octets: 500, packets: 5, errors: 1, drops: 2),
                        sent: .init(octets: 1_500, packets: 15, errors: 3, drops: 4)
                    ),
                    total: .init(
                        received: .init(octets: 1_000, packets: 10, errors: 2, drops: 4),
                        sent: .init(octets: 3_000, packets: 30, errors: 6, drops: 8)
                    )
                )
            ]
        )
    }

    @Test("an interface with a counter that fell is missing once", arguments: 0..<8)
    func anInterfaceWithACounterThat(fallen: Int) throws {
        let tree = try HostTree()
        func write(_ counters: [UInt64]) {
            let text = counters.map(String.init)
            let line = " eth0:\((text[..<4] + ["0 0 0 0"] + text[4...] + ["0 0 0 0"]).joined(separator: " "))\n"
            tree.write("proc/net/dev", headings + line)
        }
        let collector = NetworkCollector(root: tree.root)
        var counters = [UInt64](repeating: 4_294_967_290, count: 8)
        write(counters)
        _ = try collector.read(at: start)
        counters = counters.map { $0 + 5 }
        counters[fallen] = 2
        write(counters)
        #expect(try collector.read(at: start + .seconds(1)) == nil)
        write(counters.map { $0 + 4 })
        let direction = NetworkSample.Direction<Double>(octets: 4, packets: 4, errors: 4, drops: 4)
        #expect(
            try collector.read(at: start + .seconds(2))?.interfaces.first?.perSecond
                == .init(received: direction, sent: direction)
        )
    }

    @Test("names may hold colons, and need no blank behind the last one") func namesMayHoldColonsAnd() throws {
        #expect(try names(Fixture.root("old-kernel")) { NetworkCollector(root: $0) } == ["eth0", "eth0:1", "sit0"])
        #expect(
            try names(Fixture.root("many-cores")) { NetworkCollector(root: $0) }
                == ["eno1", "eno2", "bond0", "eno1.4094", "veth01a2b3c4d5e"]
        )
    }

    @Test("loopback is reported on demand, and named interfaces alone if there are any")
    func loopbackIsReportedOnDemandAnd() throws {
        let root = Fixture.root("laptop")
        #expect(try names(root) { NetworkCollector(root: $0) } == ["enp0s31f6", "wlp2s0", "tun0"])
        #expect(
            try names(root) { NetworkCollector(root: $0, excludedInterfaces: ["tun*"], loopback: true) }
                == ["lo", "enp0s31f6", "wlp2s0"]
        )
        #expect(try names(root) { NetworkCollector(root: $0, interfaces: ["lo", "w*"]) } == ["lo", "wlp2s0"])
    }

    @Test("in a container it is the host's network, where its first process can be read")
    func inAContainerItIsThe() throws {
        #expect(try names(Fixture.root("container")) { NetworkCollector(root: $0) } == ["ens5", "docker0"])
        let tree = try HostTree(copying: "container")
        tree.remove("proc/1/net/dev")
        #expect(try names(tree.root) { NetworkCollector(root: $0) } == ["eth0"])
        tree.remove("proc/net/dev")
        let error = #expect(throws: CollectorError.self) { try NetworkCollector(root: tree.root).read() }
        #expect(error?.source == tree.path + "/proc/net/dev")
    }

    @Test("no time passed means no sample, and the earlier reading is still compared with") func noTimePassedMeansNo()
        throws
    {
        let tree = try HostTree(copying: "lxc-guest")
        let collector = NetworkCollector(root: tree.root)
        _ = try collector.read(at: start)
        tree.write("proc/net/dev", headings + " eth0:9010 90 0 0 0 0 0 0 8000 80 0 0 0 0 0 0\n")
        #expect(try collector.read(at: start) == nil)
        #expect(try collector.read(at: start + .seconds(1))?.interfaces.first?.perSecond.received.octets == 10)
        collector.discardBaseline()
        #expect(try collector.read(at: start + .seconds(2)) == nil)
    }

    @Test("headings alone are a network without interfaces; anything else without interfaces is an error")
    func headingsAloneAreANetwork() throws {
        let tree = try HostTree()
        tree.write("proc/net/dev", headings)
        #expect(try NetworkCollector(root: tree.root).read() == nil)
        for text in ["", "nonsense\n", headings + " eth0: 1 2 3\n"] {
            tree.write("proc/net/dev", text)
            #expect(throws: CollectorError.self) { try NetworkCollector(root: tree.root).read() }
        }
    }

    @Test("an interface that was given another's name is another, where its number is known")
    func anInterfaceThatWasGiven()
        throws
    {
        let tree = try HostTree()
        func write(_ interfaces: [(name: String, number: Int, octets: Int)]) {
            let lines = interfaces.map { " \($0.name): \($0.octets) 0 0 0 0 0 0 0 \($0.octets) 0 0 0 0 0 0 0\n" }
            tree.write("proc/net/dev", headings + lines.joined())
            for interface in interfaces {
                tree.write("sys/class/net/\(interface.name)/ifindex", "\(interface.number)\n")
            }
        }
        let collector = NetworkCollector(root: tree.root)
        write([("eth0", 2, 1_000), ("eth1", 3, 1), ("eth2", 4, 5)])
        #expect(try collector.read(at: start) == nil)
        // The first two swap; their counters only grow.
        write([("eth0", 3, 5), ("eth1", 2, 59_000_000), ("eth2", 4, 15)])
        let sample = try #require(try collector.read(at: start + .seconds(1)))
        #expect(sample.interfaces.map(\.name) == ["eth2"])
        write([("eth0", 3, 25), ("eth1", 2, 59_000_030), ("eth2", 4, 15)])
        let rates = try #require(try collector.read(at: start + .seconds(2))).interfaces.map(\.perSecond.sent.octets)
        #expect(rates == [20, 30, 0])
    }

    @Test("an interface that is asked for and not there is told") func anInterfaceThatIsAskedFor() throws {
        let tree = try HostTree()
        tree.write("proc/net/dev", headings + " eth0: 0 0 0 0 9 9 9 9 0 0 0 0 9 9 9 9\n")
        let collector = NetworkCollector(root: tree.root, interfaces: ["eth0", "wlan0", "en*"])
        #expect(try collector.read(at: start) == nil)
        let sample = try #require(try collector.read(at: start + .seconds(1)))
        #expect(sample.interfaces.map(\.name) == ["eth0"])
        #expect(sample.missing == ["wlan0", "en*"])
        let none = NetworkCollector(root: tree.root, interfaces: ["wlan0"], excludedInterfaces: ["eth0"])
        #expect(try none.read(at: start) == nil)
        #expect(try none.read(at: start + .seconds(1)) == .init(interfaces: [], missing: ["wlan0"]))
    }

    @Test(
        "two interfaces of this machine's that swap their names give no rates of the difference",
        .enabled(if: OwnNamespace.isPossible, "needs root and the packages of Scripts/packages.txt")
    )
    func twoInterfacesOfThisMachines() throws {
        let ours = try OwnNamespace(
            "-m -n",
            script: """
                mount -t sysfs sys /sys
                for x in v w; do ip link add ${x}0 type veth peer name ${x}1; ip link set ${x}0 up; ip link set ${x}1 up; done
                mkfifo "$tree/next" "$tree/said"
                (COLLECTOR=net "$program" < "$tree/next" | tee "$tree/out" | grep --line-buffered '^end' > "$tree/said") &
                exec 3> "$tree/next" 4< "$tree/said"
                read line <&4
                ip link set v0 down; ip link set w0 down
                ip link set v0 name t0; ip link set w0 name v0; ip link set t0 name w0
                echo >&3; read line <&4
                echo >&3; read line <&4
                exec 3>&-
                wait
                awk -v RS='end\n' '{ print "# " NR; printf "%s", $0 }' "$tree/out"
                echo "# ip"; ip -s -j link show v0 | python3 -c '
                import json, sys
                sent = json.load(sys.stdin)[0]["stats64"]["tx"]
                print("interface\\037v0\\037%d\\037%d" % (sent["bytes"], sent["packets"]))'
                """
        )
        func names(_ reading: String) -> Set<String> { Set(ours.part(reading).map { $0[1] }) }
        #expect(names("1") == [])
        #expect(names("2") == ["v1", "w1"], "both are others now")
        #expect(names("3") == ["v0", "v1", "w0", "w1"])
        #expect(ours.part("3").filter { $0[1] == "v0" } == ours.part("ip"))
    }

    @Test("no damage to the file ends the process, nor makes a rate negative or endless")
    func noDamageToTheFileEnds() throws {
        for host in ["old-kernel", "many-cores"] {
            // One collector sees one broken file after another, so it compares them.
            var collector: NetworkCollector?
            var second = 0
            try Damage.everyKind(host: host, files: ["proc/net/dev"]) { root in
                let reader = collector ?? NetworkCollector(root: root, loopback: true)
                collector = reader
                second += 1
                let sample = try? reader.read(at: start + .seconds(second))
                for interface in sample?.interfaces ?? [] {
                    let octets = interface.perSecond.received.octets
                    #expect(octets >= 0 && octets.isFinite)
                }
            }
        }
    }
}
