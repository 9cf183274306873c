import Glibc
import Testing

@testable import HostMetrics

@Suite struct HwmonTreeTests {
    @Test("chips come in the order of their numbers, each with its name") func chipsComeInTheOrderOf() throws {
        let tree = try HostTree()
        for (number, name) in [(10, "nct6775\n"), (2, "coretemp\n"), (0, " acpitz")] {
            tree.write("sys/class/hwmon/hwmon\(number)/name", name)
        }
        tree.write("sys/class/hwmon/hwmon1/temp1_input", "1000\n")
        tree.write("sys/class/hwmon/hwmon3/name", "\n")
        tree.write("sys/class/hwmon/power_supply/name", "no chip\n")
        let chips = try HwmonTree(root: tree.root).chips()
        #expect(chips.map(\.number) == [0, 2, 10])
        #expect(chips.map(\.name) == ["acpitz", "coretemp", "nct6775"])
        #expect(try HwmonTree(root: tree.root).numbers() == [0, 1, 2, 3, 10])
    }

    @Test("a machine without the class has no chips") func aMachineWithoutTheClassHas() throws {
        #expect(try HwmonTree(root: HostTree().root).chips().isEmpty)
    }

    @Test("a class that cannot be listed is an error, unless it is just not there") func aClassThatCannotBeListed()
        throws
    {
        let tree = try HostTree()
        tree.link("sys/class/hwmon", to: "hwmon")
        let error = #expect(throws: CollectorError.self) { try HwmonTree(root: tree.root).chips() }
        #expect(error?.reason == .system(call: "opendir", errno: ELOOP))
    }

    @Test("temperatures have their number, label and value") func temperaturesHaveTheirNumberLabelAnd() throws {
        let tree = try HostTree()
        let chip = "sys/class/hwmon/hwmon0"
        tree.write(chip + "/name", "coretemp\n")
        tree.write(chip + "/temp10_input", "-5250\n")
        tree.write(chip + "/temp2_input", "41000\n")
        tree.write(chip + "/temp2_label", "Core 0\n")
        tree.write(chip + "/temp3_max", "41000\n")
        tree.write(chip + "/temp3_label", "no input\n")
        tree.write(chip + "/tempx_input", "1\n")
        tree.write(chip + "/temp4_input_x", "1\n")
        let temperatures = try #require(try HwmonTree(root: tree.root).chips().first).temperatures()
        #expect(temperatures.map(\.number) == [2, 10])
        #expect(temperatures.map(\.label) == ["Core 0", nil])
        #expect(try temperatures.map { try $0.celsius() } == [41, -5.25])
    }

    @Test("a sensor at fault or out of range has no value; one that cannot be read is an error of its own")
    func aSensorAtFaultOrOut() throws {
        let tree = try HostTree()
        let chip = "sys/class/hwmon/hwmon0"
        tree.write(chip + "/name", "x\n")
        tree.write(chip + "/temp1_input", "20000\n")
        tree.write(chip + "/temp1_fault", "1\n")
        tree.write(chip + "/temp2_input", "250001\n")
        tree.write(chip + "/temp3_input", "-273001\n")
        tree.makeFolder(chip + "/temp4_input")
        tree.write(chip + "/temp5_input", "20000 or so\n")
        tree.write(chip + "/temp6_input", "")
        tree.write(chip + "/temp7_input", "99999999999999999999\n")
        tree.write(chip + "/temp8_input", "20000")
        tree.write(chip + "/temp8_fault", "0\n")
        let temperatures = try #require(try HwmonTree(root: tree.root).chips().first).temperatures()
        let values = temperatures.map { temperature in Result { try temperature.celsius() } }
        #expect(values.map { (try? $0.get()) ?? nil } == [nil, nil, nil, nil, nil, nil, nil, 20])
        let isReadable = values.map { if case .success = $0 { true } else { false } }
        #expect(isReadable == [true, true, true, false, false, false, true, true])
        #expect(
            throws: CollectorError(
                source: "\(tree.path)/\(chip)/temp5_input",
                reason: .malformed("is not just a number")
            )
        ) { try temperatures[4].celsius() }
        tree.write(chip + "/temp1_fault", "0\n")
        #expect(try temperatures[0].celsius() == 20)
    }

    @Test("a chip with everything in the folder of its device is read there") func aChipWithEverythingInThe() throws {
        let tree = try HostTree()
        tree.write("sys/devices/platform/w83627hf/name", "w83627hf\n")
        tree.write("sys/devices/platform/w83627hf/temp1_input", "30000\n")
        tree.link("sys/class/hwmon/hwmon0/device", to: "../../../devices/platform/w83627hf")
        let chip = try #require(try HwmonTree(root: tree.root).chips().first)
        #expect(chip.name == "w83627hf")
        #expect(chip.resolvedDevicePath == "\(tree.path)/sys/devices/platform/w83627hf")
        #expect(try chip.temperatures().first?.celsius() == 30)
    }

    @Test("no damage to the files ends the process") func noDamageToTheFilesEnds() throws {
        let tree = try HostTree()
        let chip = "sys/class/hwmon/hwmon0"
        let files = ["name": "coretemp\n", "temp1_input": "41000\n", "temp1_label": "Core 0\n", "temp1_fault": "0\n"]
        for (file, text) in files { tree.write("\(chip)/\(file)", text) }
        var random = SplitMix64(state: 7)
        for (file, text) in files {
            for octets in Damage.variants(of: Array(text.utf8), &random) {
                tree.write("\(chip)/\(file)", octets)
                for chip in try HwmonTree(root: tree.root).chips() {
                    for temperature in try chip.temperatures() {
                        if let celsius = try? temperature.celsius() { #expect((-273...250).contains(celsius)) }
                    }
                }
            }
            tree.write("\(chip)/\(file)", text)
        }
    }
}
