import Glibc
import Testing

@testable import HostMetrics

@Suite struct CPUTemperatureCollectorTests {
    private func sample(_ host: String) throws -> CPUTemperatureSample? {
        try CPUTemperatureCollector(root: Fixture.root(host)).read()
    }

    /// Writes the folder of a chip: its name, then texts by the names of files.
    private func chip(_ tree: HostTree, _ number: Int, _ name: String, _ files: [String: String]) {
        tree.write("sys/class/hwmon/hwmon\(number)/name", name + "\n")
        for (file, text) in files { tree.write("sys/class/hwmon/hwmon\(number)/\(file)", text + "\n") }
    }

    private func zone(_ tree: HostTree, _ number: Int, _ type: String, _ temperature: String) {
        tree.write("sys/class/thermal/thermal_zone\(number)/type", type + "\n")
        tree.write("sys/class/thermal/thermal_zone\(number)/temp", temperature + "\n")
    }

    @Test("the package counts, not the hottest core") func thePackageCountsNotTheHottest() throws {
        #expect(try sample("server") == .init(celsius: 47, sensor: "coretemp Package id 0"))
    }

    @Test("the thermal zone counts where there is no hwmon") func theThermalZoneCountsWhereThere() throws {
        #expect(try sample("raspberry-pi") == .init(celsius: 48.312, sensor: "cpu-thermal"))
    }

    @Test("the die counts before the control value, which is above it on purpose") func theDieCountsBeforeTheControl()
        throws
    {
        #expect(try sample("many-cores") == .init(celsius: 58.125, sensor: "k10temp Tdie"))
    }

    @Test("the hottest zone of the mainboard counts where there is nothing better") func theHottestZoneOfTheMainboard()
        throws
    {
        #expect(try sample("laptop") == .init(celsius: 53, sensor: "acpitz"))
    }

    @Test("a machine without sensors of the processor has no temperature, and that is no error")
    func aMachineWithoutSensorsOfThe() throws {
        #expect(try sample("container") == nil)
        let tree = try HostTree()
        chip(tree, 0, "nvme", ["temp1_input": "40000"])
        chip(tree, 1, "drivetemp", ["temp1_input": "31000"])
        chip(tree, 2, "cpufreq", ["temp1_input": "31000"])
        chip(tree, 3, "coretemp", ["temp1_max": "90000"])
        zone(tree, 0, "iwlwifi_1", "50000")
        #expect(try CPUTemperatureCollector(root: tree.root).read() == nil)
    }

    /// Each machine has all that comes after, too.
    @Test("better sensors come before worse ones") func betterSensorsComeBeforeWorseOnes() throws {
        let tree = try HostTree()
        func expect(_ sensor: String, _ celsius: Double, _ line: Int = #line) throws {
            let sample = try CPUTemperatureCollector(root: tree.root).read()
            #expect(sample == .init(celsius: celsius, sensor: sensor), "line \(line)")
        }
        zone(tree, 0, "acpitz", "90000")
        try expect("acpitz", 90)
        chip(tree, 0, "acpitz", ["temp1_input": "89000"])
        try expect("acpitz", 89)
        zone(tree, 1, "bcm2835_thermal", "31000")
        try expect("bcm2835_thermal", 31)
        zone(tree, 2, "soc-thermal", "32000")
        try expect("soc-thermal", 32)
        zone(tree, 3, "cpu_thermal", "33000")
        try expect("cpu_thermal", 33)
        zone(tree, 10, "cpu0-thermal", "33500")
        try expect("cpu0-thermal", 33.5)
        zone(tree, 4, "x86_pkg_temp", "34000")
        try expect("x86_pkg_temp", 34)
        chip(tree, 9, "soc_thermal", ["temp1_input": "35000"])
        try expect("soc_thermal", 35)
        chip(tree, 8, "cpu_thermal", ["temp1_input": "36000"])
        try expect("cpu_thermal", 36)
        chip(tree, 7, "via_cputemp", ["temp1_input": "37000"])
        try expect("via_cputemp", 37)
        chip(tree, 6, "k8temp", ["temp1_input": "38000", "temp3_input": "38500"])
        try expect("k8temp", 38.5)
        chip(tree, 5, "zenpower", ["temp1_input": "39000", "temp1_label": "Tdie", "temp2_input": "39500"])
        try expect("zenpower Tdie", 39)
        chip(tree, 4, "k10temp", ["temp1_input": "40000", "temp1_label": "Tctl", "temp3_input": "49000"])
        try expect("k10temp Tctl", 40)
        chip(tree, 3, "coretemp", ["temp2_input": "41000", "temp2_label": "Core 0", "temp3_input": "41500"])
        try expect("coretemp", 41.5)
        chip(tree, 2, "coretemp", ["temp1_input": "35000", "temp1_label": "Physical id 0"])
        try expect("coretemp Physical id 0", 35)
        chip(tree, 1, "coretemp", ["temp1_input": "33000", "temp1_label": "Package id 1"])
        try expect("coretemp Package id 1", 33)
    }

    /// What a board has: chips, then zones, by their names, with their temperatures; those of chips may have labels before an `=`.
    private func board(chips: [(String, [String])], zones: [(String, String)] = []) throws -> HostTree {
        let tree = try HostTree()
        for (number, (name, inputs)) in chips.enumerated() {
            var files: [String: String] = [:]
            for (index, input) in inputs.enumerated() {
                let parts = input.split(separator: "=", omittingEmptySubsequences: false).map(String.init)
                files["temp\(index + 1)_input"] = parts.last
                if parts.count == 2 { files["temp\(index + 1)_label"] = parts[0] }
            }
            chip(tree, number, name, files)
        }
        for (number, (type, value)) in zones.enumerated() { zone(tree, number, type, value) }
        return tree
    }

    @Test("boards call their processors by many names") func boardsCallTheirProcessors() throws {
        func expect(_ sensor: String, _ celsius: Double, _ tree: HostTree, _ line: Int = #line) throws {
            let sample = try CPUTemperatureCollector(root: tree.root).read()
            #expect(sample == .init(celsius: celsius, sensor: sensor), "line \(line)")
        }
        let parts = ["package", "bigcore0", "bigcore2", "littlecore", "center", "gpu", "npu"].enumerated()
        // RK3588, mainline and vendor's kernel; Jetson Nano and Orin; i.MX6; SpacemiT K3; CIX Sky1.
        try expect(
            "package_thermal",
            44,
            board(
                chips: parts.map { ("\($1)_thermal", ["\(44_000 + $0 * 100)"]) },
                zones: parts.map { ("\($1)-thermal", "\(44_000 + $0 * 100)") }
            )
        )
        try expect(
            "bigcore2-thermal",
            44.2,
            board(
                chips: [],
                zones: [
                    ("bigcore0-thermal", "44100"),
                    ("bigcore2-thermal", "44200"), ("center-thermal", "50000"), ("gpu-thermal", "60000"),
                ]
            )
        )
        try expect(
            "soc_thermal",
            32.384,
            board(chips: [
                ("tcpm_source_psy_6_0022", []), ("soc_thermal", ["32384"]),
                ("bigcore0_thermal", ["33000"]), ("gpu_thermal", ["31461"]),
            ])
        )
        try expect(
            "CPU-therm",
            24.5,
            board(
                chips: [("thermal_fan_est", ["25500"])],
                zones: [
                    ("AO-therm", "31000"),
                    ("CPU-therm", "24500"), ("GPU-therm", "26500"), ("PLL-therm", "24500"), ("PMIC-Die", "100000"),
                    ("thermal-fan-est", "25500"),
                ]
            )
        )
        try expect(
            "cpu-thermal",
            47.4,
            board(
                chips: [],
                zones: [
                    ("cpu-thermal", "47400"), ("gpu-thermal", "43000"),
                    ("cv0-thermal", "-256000"), ("soc0-thermal", "45000"), ("tj-thermal", "47500"),
                ]
            )
        )
        try expect(
            "imx_thermal_zone",
            41.5,
            board(
                chips: [("imx_thermal_zone", ["41500"])],
                zones: [("imx_thermal_zone", "41500")]
            )
        )
        try expect(
            "thermal_cluster0",
            50,
            board(
                chips: [],
                zones: [
                    ("thermal_top", "58000"), ("thermal_gpu", "57000"),
                    ("thermal_cluster0", "50000"), ("thermal_cluster1", "49000"),
                ]
            )
        )
        try expect(
            "cpu-b1-thermal",
            46,
            board(
                chips: [],
                zones: [
                    ("gpu-avg-thermal", "49000"),
                    ("cpu-b0-thermal", "45000"), ("cpu-b1-thermal", "46000"), ("cpu-m0-thermal", "44000"),
                ]
            )
        )
        // POWER; a laptop whose processor has no driver; Arm's firmware interface; Intel's and Samsung's names of zones.
        try expect(
            "ibmpowernv Chip 0 Core 3",
            45,
            board(chips: [
                (
                    "ibmpowernv",
                    [
                        "Chip 0 Core 0=42000",
                        "Chip 0 Core 3=45000", "Chip 0 DIMM 3=60000", "GPU 0=70000",
                    ]
                )
            ])
        )
        try expect("thinkpad CPU", 64, board(chips: [("thinkpad", ["CPU=64000", "GPU=0", "=70000"])]))
        try expect(
            "scpi_sensors SOC_TEMP",
            50,
            board(chips: [
                (
                    "scpi_sensors",
                    [
                        "BIG_TEMP=60000", "SOC_TEMP=50000",
                        "PMIC_TEMP=80000",
                    ]
                )
            ])
        )
        try expect(
            "TCPU",
            51,
            board(
                chips: [],
                zones: [
                    ("INT3400 Thermal", "20000"), ("TCPU", "51000"),
                    ("TSKN", "60000"),
                ]
            )
        )
        try expect("BIG", 57, board(chips: [], zones: [("BIG", "57000"), ("LITTLE", "52000"), ("G3D", "60000")]))
        // Qualcomm: one zone a core.
        try expect(
            "cpu7_thermal",
            37.7,
            board(chips: [
                ("qcom_battmgr_bat", ["40000"]), ("cpu6_thermal", ["37600"]),
                ("cpu7_thermal", ["37700"]), ("cluster0_thermal", ["38400"]),
            ])
        )
        // A board's controller, which reports limits of the processor's beside what it measures.
        try expect(
            "peci_cputemp Die",
            52,
            board(chips: [("peci_cputemp", ["Die=52000", "Core 0=50000", "Tjmax=100000", "Tthrottle=98000"])])
        )
        // A label of the user's own.
        try expect(
            "coretemp 6P 8E package",
            45,
            board(chips: [
                (
                    "coretemp",
                    [
                        "6P 8E package=45000",
                        "P Core 1=52000",
                    ]
                )
            ])
        )
    }

    @Test("what is another part's is never taken; several that do not say what they are, are nobody's")
    func whatIsAnotherPartsIsNeverTaken() throws {
        for name in [
            "gpu_thermal", "cpu-gpu-thermal", "BAT0", "pmic-thermal", "ddr-thermal", "nvme", "iwlwifi_1",
            "ath10k_hwmon",
            "mt7915_phy0", "pch_skylake", "cpufreq", "drivetemp", "modem-core-thermal", "spd5118", "amdgpu",
            "xe", "i915", "nouveau", "thermal-fan-est", "skin-therm", "npu_thermal",
        ] {
            let tree = try board(chips: [(name, ["41000"])], zones: [(name, "41000")])
            #expect(try CPUTemperatureCollector(root: tree.root).read() == nil, "\(name)")
        }
        // Graphics whose label says package.
        let graphics = try board(chips: [("xe", ["pkg=60000", "vram=70000"]), ("i915", ["package=61000"])])
        #expect(try CPUTemperatureCollector(root: graphics.root).read() == nil)
        let two = try board(chips: [], zones: [("imx_thermal_zone", "41500"), ("sunxi_thermal", "30000")])
        #expect(try CPUTemperatureCollector(root: two.root).read() == nil)
    }

    @Test("what no processor can have is no value; why there is none is said") func whatNoProcessorCanHave() throws {
        for (name, value) in [
            ("acpitz", "-263200"), ("acpitz", "-60001"), ("bcm2835_thermal", "-650788984"), ("cpu-thermal", "150001"),
        ] {
            let tree = try board(chips: [], zones: [(name, value)])
            let collector = CPUTemperatureCollector(root: tree.root)
            #expect(try collector.read() == nil)
            #expect(collector.finding == .nothing("\(name)-zone.temp says what no processor can have"))
        }
        let drive = try board(chips: [("nvme", ["40000"])])
        let collector = CPUTemperatureCollector(root: drive.root)
        #expect(try collector.read() == nil)
        #expect(
            collector.finding
                == .nothing(
                    "none of the sensors says that it is the processor's (nvme-virtual-0.temp1); one can be chosen by its name"
                )
        )
        let nothing = try HostTree()
        let other = CPUTemperatureCollector(root: nothing.root)
        #expect(other.finding == nil)
        #expect(try other.read() == nil)
        #expect("\(try #require(other.finding))".contains("there is no sensor of a temperature"))
    }

    @Test("a sensor can be named as lists of sensors name it, by its label, its chip or its zone")
    func aSensorCanBeNamed() throws {
        let tree = try board(
            chips: [("coretemp", ["Package id 0=50000", "Core 0=48000"]), ("nvme", ["Composite=39000", "40000"])],
            zones: [("acpitz", "30000"), ("acpitz", "31000"), ("x86_pkg_temp", "50500")]
        )
        func read(_ sensor: String) throws -> CPUTemperatureSample? {
            try CPUTemperatureCollector(root: tree.root, sensor: sensor).read()
        }
        for (sensor, celsius) in [
            ("coretemp-virtual-0.temp2", 48), ("coretemp-virtual-0.Core 0", 48), ("coretemp.temp2", 48),
            ("coretemp.Core 0", 48), ("coretemp Core 0", 48), ("coretemp-virtual-0", 50), ("coretemp", 50),
            ("nvme-virtual-0.temp2", 40), ("nvme", 40), ("acpitz-zone.temp", 30), ("acpitz-zone#2.temp", 31),
            ("acpitz-zone#2", 31), ("acpitz", 31), ("x86_pkg_temp", 50.5),
        ] {
            #expect(try read(sensor)?.celsius == celsius, "\(sensor)")
        }
        let error = #expect(throws: CollectorError.self) { try read("k10temp-pci-00c3.temp1") }
        #expect(error?.source == "k10temp-pci-00c3.temp1")
        guard case .notFound(let what) = error?.reason else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(what.contains("coretemp-virtual-0.temp1"))
        let collector = CPUTemperatureCollector(root: tree.root)
        _ = try collector.read()
        #expect(collector.finding == .sensor(device: "coretemp-virtual-0.temp1", name: "coretemp Package id 0"))
        #expect(
            try TemperatureSensor.thermalZones(root: tree.root).map { "\($0.device) \($0.label) \($0.celsius ?? 0)" }
                == [
                    "acpitz-zone.temp acpitz 30.0", "acpitz-zone#2.temp acpitz 31.0",
                    "x86_pkg_temp-zone.temp x86_pkg_temp 50.5",
                ]
        )
    }

    @Test("of two sockets the hotter one counts, also when the other cannot be read") func ofTwoSocketsTheHotterOne()
        throws
    {
        let tree = try HostTree()
        chip(tree, 0, "coretemp", ["temp1_input": "50000", "temp1_label": "Package id 0"])
        chip(tree, 1, "coretemp", ["temp1_input": "-6500", "temp1_label": "Package id 1"])
        let collector = CPUTemperatureCollector(root: tree.root)
        #expect(try collector.read()?.celsius == 50)
        tree.write("sys/class/hwmon/hwmon1/temp1_input", "50500\n")
        #expect(try collector.read()?.celsius == 50.5)
        tree.write("sys/class/hwmon/hwmon1/temp1_input", "?\n")
        #expect(try collector.read() == .init(celsius: 50, sensor: "coretemp Package id 0"))
    }

    @Test("a sensor that is at fault, out of range, missing or unreadable gives way to the next best")
    func aSensorThatIsAtFault() throws {
        let tree = try HostTree(copying: "server")
        let input = "sys/class/hwmon/hwmon0/temp1_input"
        let collector = CPUTemperatureCollector(root: tree.root)
        let hottestCore = CPUTemperatureSample(celsius: 49, sensor: "coretemp Core 1")
        #expect(try collector.read()?.celsius == 47)
        for text in ["250001", "-273001", "", "x", "99999999999999999999", "47000x"] {
            tree.write(input, text)
            #expect(try collector.read() == hottestCore)
        }
        tree.remove(input)
        tree.makeFolder(input)
        #expect(try CPUTemperatureCollector(root: tree.root).read() == hottestCore)
        #expect(rmdir("\(tree.path)/\(input)") == 0)
        #expect(try CPUTemperatureCollector(root: tree.root).read() == hottestCore)
        tree.write(input, "47000\n")
        #expect(try CPUTemperatureCollector(root: tree.root).read()?.celsius == 47)
        tree.write("sys/class/hwmon/hwmon0/temp1_fault", "1\n")
        #expect(try CPUTemperatureCollector(root: tree.root).read() == hottestCore)
    }

    @Test("sensors none of which can be read are an error that names one; none with a sound value is none")
    func sensorsNoneOfWhichCanBe() throws {
        let tree = try HostTree()
        zone(tree, 0, "cpu-thermal", "warm")
        let error = #expect(throws: CollectorError.self) { try CPUTemperatureCollector(root: tree.root).read() }
        #expect(error?.description == "\(tree.path)/sys/class/thermal/thermal_zone0/temp: is not a number")
        zone(tree, 0, "cpu-thermal", "-274000")
        #expect(try CPUTemperatureCollector(root: tree.root).read() == nil)
    }

    @Test(
        "a driver that is loaded later is found at once where there was none, within a minute where there was a worse one"
    )
    func aDriverThatIsLoadedLater() throws {
        let tree = try HostTree()
        let collector = CPUTemperatureCollector(root: tree.root)
        let start = SuspendingClock.now
        #expect(try collector.read(at: start) == nil)
        zone(tree, 0, "acpitz", "30000")
        #expect(try collector.read(at: start)?.sensor == "acpitz")
        chip(tree, 0, "coretemp", ["temp1_input": "40000", "temp1_label": "Package id 0"])
        #expect(try collector.read(at: start + .seconds(59))?.sensor == "acpitz")
        #expect(try collector.read(at: start + .seconds(60))?.sensor == "coretemp Package id 0")
    }

    @Test("a driver that is unloaded and comes back under another number is found again")
    func aDriverThatIsUnloadedAnd() throws {
        let tree = try HostTree(copying: "server")
        let collector = CPUTemperatureCollector(root: tree.root)
        #expect(try collector.read()?.celsius == 47)
        #expect(rename("\(tree.path)/sys/class/hwmon/hwmon0", "\(tree.path)/sys/class/hwmon/hwmon7") == 0)
        for number in 1...3 {
            // The open file is still there, unlike one of the kernel's.
            tree.write("sys/class/hwmon/hwmon7/temp\(number)_input", "gone\n")
        }
        tree.write("sys/class/hwmon/hwmon8/name", "coretemp\n")
        tree.write("sys/class/hwmon/hwmon8/temp1_input", "48000\n")
        #expect(try collector.read()?.celsius == 48)
    }

    @Test("no damage to the files ends the process") func noDamageToTheFilesEnds() throws {
        for (host, files) in [
            ("raspberry-pi", ["sys/class/thermal/thermal_zone0/temp", "sys/class/thermal/thermal_zone0/type"]),
            ("server", ["name", "temp1_input", "temp1_label"].map { "sys/class/hwmon/hwmon0/" + $0 }),
            ("laptop", ["name", "temp1_input"].map { "sys/class/hwmon/hwmon1/" + $0 }),
            ("many-cores", ["name", "temp2_input", "temp2_label"].map { "sys/class/hwmon/hwmon1/" + $0 }),
        ] {
            try Damage.everyKind(host: host, files: files) { root in
                let sample = try? CPUTemperatureCollector(root: root).read()
                if let celsius = sample?.celsius { #expect((-273...250).contains(celsius)) }
            }
        }
    }
}
