import Foundation
import Testing

@testable import HostMetrics

/// What the collector says is compared with what sensors(1) says about the same chips.
@Suite(.enabled(if: MadeUpSensors.isPossible, "needs root, mount namespaces and the package lm-sensors"))
struct SensorsRealTests {
    /// Expects the same sensors to have the same values.
    private func expectSame(
        _ answer: MadeUpSensors.Answer,
        _ witness: MadeUpSensors.Witness,
        location: SourceLocation = #_sourceLocation
    ) {
        #expect(answer.errors.isEmpty, sourceLocation: location)
        #expect(witness.status == 0, "\(witness.errors)", sourceLocation: location)
        let difference = witness.readings.sorted().difference(from: answer.comparable)
        #expect(difference.isEmpty, sourceLocation: location)
    }

    private func machine() throws -> MadeUpSensors {
        let sensors = try MadeUpSensors()
        sensors.chip(
            0,
            "coretemp",
            device: "coretemp.0",
            [
                "temp1_input": "47000", "temp1_label": "Package id 0", "temp1_max": "84000", "temp1_crit_alarm": "0",
                "temp2_input": "45125", "temp2_label": "Core 0",
            ]
        )
        sensors.chip(
            1,
            "nct6775",
            device: "nct6775.656",
            [
                "in0_input": "1072", "in1_input": "1016", "in1_label": "+3.3V", "in2_min": "0", "in2_max": "1744",
                "fan1_input": "1383", "fan2_input": "0", "fan2_fault": "1", "fan3_input": "720", "fan3_fault": "0",
                "temp1_input": "-5500", "temp2_input": "127000", "temp2_fault": "1", "temp3_max": "80000",
                "temp4_input": "", "temp5_input": "n/a", "cpu0_vid": "1250", "intrusion0_alarm": "1",
                "beep_enable": "0",
            ]
        )
        sensors.chip(
            2,
            "ina260",
            device: "3-0040",
            bus: "i2c",
            [
                "power1_input": "12345678", "power1_average": "1", "power2_average": "250000", "power3_max": "9",
                "energy1_input": "987654321", "curr1_input": "-1503", "humidity1_input": "45250", "in1_average": "5",
            ]
        )
        sensors.chip(
            3,
            "nvme",
            device: "0000:01:00.0",
            bus: "pci",
            ["temp1_input": "38850", "temp1_label": "Composite"]
        )
        sensors.chip(4, "drivetemp", device: "1:0:0:0", bus: "scsi", ["temp1_input": "31000"])
        sensors.chip(5, "BAT0", device: "PNP0C0A:00", bus: "acpi", ["in0_input": "11824"])
        sensors.chip(6, "iwlwifi_1", ["temp1_input": "52000"])
        sensors.chip(7, "empty", [:])
        sensors.tree.write("class/i2c-adapter/i2c-3/name", "SMBus I801 adapter\n")
        return sensors
    }

    @Test("features of every type have the values that sensors(1) prints") func featuresOfEveryTypeHaveThe() throws {
        let (witness, answers) = try machine().ask()
        let answer = answers[0]
        expectSame(answer, witness)
        #expect(answer.warnings.isEmpty)
        let values: [String: Double?] = [
            "coretemp-isa-0000.temp1": 47, "coretemp-isa-0000.temp2": 45.125,
            "nct6775-isa-0290.in0": 1.072, "nct6775-isa-0290.in1": 1.016, "nct6775-isa-0290.fan1": 1_383,
            "nct6775-isa-0290.fan2": nil, "nct6775-isa-0290.fan3": 720, "nct6775-isa-0290.temp1": -5.5,
            "nct6775-isa-0290.temp2": nil, "nct6775-isa-0290.temp4": nil, "nct6775-isa-0290.temp5": nil,
            "nct6775-isa-0290.cpu0_vid": 1.25, "nct6775-isa-0290.intrusion0": 1, "nct6775-isa-0290.beep_enable": 0,
            "ina260-i2c-3-40.power1": 12.346, "ina260-i2c-3-40.power2": 0.25, "ina260-i2c-3-40.energy1": 987.654,
            "ina260-i2c-3-40.curr1": -1.503, "ina260-i2c-3-40.humidity1": 45.25,
            "nvme-pci-0100.temp1": 38.85, "drivetemp-scsi-1-0.temp1": 31, "BAT0-acpi-0.in0": 11.824,
            "iwlwifi_1-virtual-0.temp1": 52,
        ]
        let found = answer.readings.map { ("\($0.chip).\($0.feature)", $0.value) }
        #expect(Dictionary(uniqueKeysWithValues: found) == values)
        let units = Dictionary(answer.readings.map { ($0.kind, $0.unit) }) { first, _ in first }
        #expect(
            units == [
                "in": "V", "fan": "RPM", "temp": "C", "power": "W", "energy": "J", "curr": "A", "humidity": "%RH",
                "vid": "V", "intrusion": "", "beep_enable": "",
            ]
        )
        #expect(answer["nct6775-isa-0290.temp2"]?.problem == "fault")
        #expect(answer["nct6775-isa-0290.temp5"]?.problem == "Can't read")
        #expect(answer["nct6775-isa-0290.in1"]?.label == "+3.3V")
        #expect(answer["nvme-pci-0100.temp1"]?.label == "Composite")
        #expect(answer["drivetemp-scsi-1-0.temp1"]?.label == "temp1")
        #expect(answer.readings.map(\.chip) == answer.readings.map(\.chip).sorted())
    }

    @Test("chips are called without the library as it calls them, so that the processor's sensor can be named so")
    func chipsAreCalledWithoutTheLibrary() throws {
        let sensors = try machine()
        sensors.chip(8, "acpitz", ["temp1_input": "30000"])
        sensors.chip(9, "acpitz", device: "../virtual/thermal_zone1", bus: "thermal", ["temp1_input": "31000"])
        sensors.chip(10, "k10temp", device: "0000:00:18.3", bus: "pci", ["temp1_input": "40000"])
        sensors.chip(11, "k10temp", device: "0001:02:1f.7", bus: "pci", ["temp1_input": "41000"])
        sensors.chip(12, "r8169_0_500:00", device: "r8169-0-500:00", bus: "mdio_bus", ["temp1_input": "55500"])
        sensors.chip(13, "spi_sensor", device: "spi1.2", bus: "spi", ["temp1_input": "20000"])
        sensors.chip(14, "hidpp", device: "0003:1B1C:0C10.0005", bus: "hid", ["temp1_input": "21000"])
        sensors.chip(15, "drivetemp", device: "2:1:3:4", bus: "scsi", ["temp1_input": "32000"])
        sensors.chip(16, "coretemp", device: "coretemp.1", ["temp1_input": "42000"])
        sensors.chip(17, "odd", device: "f06f8084.therm-sensor", ["temp1_input": "42000"])
        sensors.chip(18, "iwlwifi_1", ["temp1_input": "53000"])
        let (_, answers) = try sensors.ask()
        let chips = try HwmonTree(root: SystemRoot(sys: sensors.tree.path)).chips()
        let names = zip(chips, HwmonChipName.all(chips)).filter { $0.0.name != "empty" }.map(\.1)
        #expect(names.sorted() == Set(answers[0].readings.map(\.chip)).sorted())
        #expect(names.contains("iwlwifi_1-virtual-0#2"))
    }

    @Test("an input that goes away has no value; the others keep theirs") func anInputThatGoesAwayHas() throws {
        let sensors = try machine()
        let (_, answers) = try sensors.ask(changes: [
            { sensors.tree.remove("class/hwmon/hwmon0/temp1_input") },
            { sensors.tree.write("class/hwmon/hwmon0/temp1_input", "48000\n") },
        ])
        #expect(answers.map { $0["coretemp-isa-0000.temp1"]?.value } == [47, nil, 48])
        #expect(answers[1]["coretemp-isa-0000.temp1"]?.problem == "Kernel interface error")
        #expect(answers.map { $0["coretemp-isa-0000.temp2"]?.value } == [45.125, 45.125, 45.125])
        #expect(Set(answers.map(\.readings.count)).count == 1)
    }

    @Test("a driver that does not answer is given up at the deadline, and not asked again while it is out")
    func aDriverThatDoesNotAnswer() throws {
        let sensors = try machine()
        let input = "class/hwmon/hwmon0/temp1_input"
        let (_, answers) = try sensors.ask(
            deadline: 2_000,
            changes: [
                {
                    // Whoever opens a pipe to read from it waits for somebody who writes to it.
                    sensors.tree.remove(input)
                    try #require(mkfifo("\(sensors.tree.path)/\(input)", 0o600) == 0)
                }, {}, {},
            ]
        )
        #expect(answers[0]["coretemp-isa-0000.temp1"]?.value == 47)
        #expect(
            answers.map(\.errors) == [[], ["libsensors.so.5: no answer within 2.0 seconds"]]
                + Array(repeating: ["libsensors.so.5: an earlier reading has not come back yet"], count: 2)
        )
    }

    @Test("an input that nobody may read has no value") func anInputThatNobodyMayRead() throws {
        let sensors = try machine()
        #expect(chmod("\(sensors.tree.path)/class/hwmon/hwmon0/temp1_input", 0o200) == 0)
        let (witness, answers) = try sensors.ask()
        expectSame(answers[0], witness)
        #expect(answers[0]["coretemp-isa-0000.temp1"]?.problem == "Can't read")
    }

    @Test("chips of one name are numbered by their devices, however the kernel numbers the chips")
    func chipsOfOneNameAreNumbered() throws {
        for numbers in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            let sensors = try MadeUpSensors()
            for (zone, number) in numbers.enumerated() {
                sensors.chip(
                    number,
                    "acpitz",
                    device: "thermal_zone\(zone)",
                    bus: "thermal",
                    ["temp1_input": "\(zone)7000"]
                )
            }
            let (witness, answers) = try sensors.ask(choosing: ["acpitz-virtual-0#3.temp1", "acpitz-virtual-0.temp1"])
            #expect(answers[0].readings.map(\.value) == [27, 7])
            #expect(witness.readings.count == 3)
            let (_, all) = try sensors.ask()
            expectSame(all[0], witness)
            #expect(all[0].readings.map(\.chip) == ["acpitz-virtual-0", "acpitz-virtual-0#2", "acpitz-virtual-0#3"])
            #expect(all[0].readings.map(\.value) == [7, 17, 27])
        }
    }

    @Test("the configuration names, computes and ignores; a broken line in it costs that line and is told")
    func theConfigurationNamesComputesAndIgnores() throws {
        let sensors = try machine()
        sensors.tree.write("sensors3.conf", "chip \"nct6775-*\"\n  compute in0 @*12/1000*3, @\n  ignore fan3\n")
        sensors.tree.write(
            "sensors.d/board.conf",
            "chip \"coretemp-*\"\n label temp1 \"CPU\"\n bogus\n compute temp1 @+1,@-1\n label temp2\n"
        )
        sensors.tree.write("sensors.d/.hidden.conf", "bogus\n")
        let (witness, answers) = try sensors.ask()
        expectSame(answers[0], witness)
        #expect(
            answers[0].warnings == [
                "/etc/sensors.d/board.conf, line 3: Invalid keyword", "/etc/sensors.d/board.conf, line 6: syntax error",
            ]
        )
        let said = witness.errors.split(separator: "\n").filter { $0.hasPrefix("Error: File ") }
        #expect(said.map { String($0.dropFirst(12)) } == answers[0].warnings)
        #expect(answers[0]["coretemp-isa-0000.temp1"]?.label == "CPU")
        #expect(answers[0]["coretemp-isa-0000.temp1"]?.value == 48)
        #expect(answers[0]["nct6775-isa-0290.in0"]?.value == 0.039)
        #expect(answers[0]["nct6775-isa-0290.fan3"] == nil)
    }

    @Test("a file that stops sensors(1) altogether costs itself alone") func aFileThatStopsSensors1() throws {
        let sensors = try machine()
        sensors.tree.write("sensors.d/good.conf", "chip \"coretemp-*\"\n label temp1 \"CPU\"\n")
        let (expected, _) = try sensors.ask()
        sensors.tree.write("sensors.d/bad.conf", "chip \"x-i2c-3-40\"\n label temp1 \"X\"\n")
        let (witness, answers) = try sensors.ask()
        #expect(witness.status == 1)
        #expect(witness.readings.isEmpty)
        expectSame(answers[0], expected)
        #expect(
            answers[0].warnings == [
                "/etc/sensors.d/bad.conf, line 1: Undeclared bus id referenced",
                "/etc/sensors.d/bad.conf is left out: Can't parse bus name",
            ]
        )
    }

    @Test("chosen sensors come in the order of the choice, by feature or label; what is not there is told")
    func chosenSensorsComeInTheOrder() throws {
        let choices = [
            "nct6775-isa-0290.+3.3V", "coretemp-isa-0000.Core 0", "nct6775-isa-0290.fan1", "coretemp-isa-0000.temp9",
            "no-such-chip.temp1", "nct6775-isa-0290.temp2", "nct6775-isa-0290.in2", "temp1", "",
        ]
        let (_, answers) = try machine().ask(choosing: choices)
        #expect(answers[0].readings.map(\.feature) == ["in1", "temp2", "fan1", "temp2"])
        #expect(answers[0].readings.map(\.value) == [1.016, 45.125, 1_383, nil])
        #expect(
            answers[0].missing == [
                "coretemp-isa-0000.temp9", "no-such-chip.temp1", "nct6775-isa-0290.in2", "temp1", "",
            ]
        )
    }

    @Test("chips that come and go are noticed at the next reading, also one in the place of another")
    func chipsThatComeAndGoAre() throws {
        let sensors = try MadeUpSensors()
        sensors.chip(0, "coretemp", ["temp1_input": "47000"])
        let (_, answers) = try sensors.ask(changes: [
            { sensors.chip(1, "nvme", ["temp1_input": "38850"]) },
            { try sensors.removeChip(0) },
            {
                // The other one first, so that it cannot have the inode of the one that it replaces.
                sensors.chip(2, "k10temp", ["temp1_input": "50000"])
                try sensors.removeChip(1)
                #expect(
                    rename("\(sensors.tree.path)/class/hwmon/hwmon2", "\(sensors.tree.path)/class/hwmon/hwmon1") == 0
                )
            },
            { try sensors.removeChip(1) },
        ])
        #expect(
            answers.map { $0.readings.map(\.chip) } == [
                ["coretemp-virtual-0"], ["coretemp-virtual-0", "nvme-virtual-0"], ["nvme-virtual-0"],
                ["k10temp-virtual-0"], [],
            ]
        )
        #expect(answers.map(\.isAbsent) == [false, false, false, false, true])
    }

    @Test("a machine without chips has no sample, and that is no error") func aMachineWithoutChipsHasNo() throws {
        let sensors = try MadeUpSensors()
        let (witness, answers) = try sensors.ask()
        #expect(witness.errors.contains("No sensors found!"))
        #expect(answers == [.init(isAbsent: true)])
        let (_, chosen) = try sensors.ask(choosing: ["coretemp-isa-0000.temp1"])
        #expect(chosen == [.init(missing: ["coretemp-isa-0000.temp1"])])
    }

    @Test("random chips have the values that sensors(1) prints") func randomChipsHaveTheValuesThat() throws {
        var random = SplitMix64(state: 5)
        var count = 0
        for _ in 0..<50 {
            let sensors = try RandomSensors.make(&random)
            let (witness, answers) = try sensors.ask()
            expectSame(answers[0], witness)
            count += witness.readings.count
        }
        // Most of them would be the same for the wrong reason if there were hardly any.
        #expect(count > 1_000)
    }
}

extension MadeUpSensors.Answer {
    /// What sensors(1) can say too: it knows no numbers behind names.
    var comparable: [SensorsOutput.Reading] {
        readings.compactMap { reading in
            guard let value = reading.value else { return nil }
            let chip = reading.chip.split(separator: "#")[0]
            return SensorsOutput.Reading(
                chip: String(chip),
                label: reading.label,
                feature: reading.feature,
                value: String(format: "%.3f", value)
            )
        }.sorted()
    }
}
