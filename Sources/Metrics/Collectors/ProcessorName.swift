/// Tells from the name of a sensor, as drivers, device trees and boards' makers choose it, which part of the processor it is on.
///
/// By rule, not by a list of boards: the words of the name decide. `bigcore0_thermal`, `CPU-therm`, `thermal_cluster0`, `TCPU`,
/// `Chip 0 Core 4`.
struct ProcessorName {
    /// What a sensor measures, the more of the processor the lower.
    enum Part: Int, Comparable, Sendable {
        /// The whole processor's case.
        case package
        /// The processor, or one of several that make it up.
        case cpu
        /// The chip that the processor is on, among other things.
        case soc
        /// A core, or some cores.
        case core

        static func < (first: Part, second: Part) -> Bool { first.rawValue < second.rawValue }
    }

    /// Nil where the name does not say, or says that it is something else.
    let part: Part?
    /// Whether the name says that it is something else.
    let isOther: Bool
    /// Whether the name says no more than that it is a temperature of some chip: `imx_thermal_zone`, `bcm2835_thermal`.
    let isGeneric: Bool
    /// The words without their numbers, to tell whether two names mean the same kind of thing.
    let words: [String]

    init(_ name: String) {
        words = Self.words(of: name)
        let isOther = words.contains(where: Self.meansOther)
        self.isOther = isOther
        part = isOther ? nil : words.compactMap(Self.part).min()
        isGeneric = !isOther && part == nil && words.contains(where: Self.meansTemperature)
    }

    private static func part(_ word: String) -> Part? {
        if word == "package" || word == "pkg" { return .package }
        // `cpuss` is a subsystem of CPUs, `mpu` the main one of several kinds of processors, PECI the wire to Intel's.
        if word.contains("cpu") || word == "mpu" || word == "processor" || word == "peci" { return .cpu }
        // The junction: the hottest place of the chip.
        if word == "soc" || word == "tj" { return .soc }
        if coreWords.contains(word) || word.hasSuffix("core") || word.hasPrefix("cluster") { return .core }
        return nil
    }

    private static let coreWords: Set<String> = ["cores", "big", "mid", "little", "cls"]

    private static func meansTemperature(_ word: String) -> Bool {
        word.hasPrefix("therm") || word.hasSuffix("thermal") || word == "tsens" || word == "tmu"
    }

    /// Whether the word names what is no processor, or no temperature of one.
    private static func meansOther(_ word: String) -> Bool {
        otherWords.contains(word) || otherStems.contains { word.contains($0) }
    }

    /// What makes a word another thing's wherever it stands in it.
    private static let otherStems = [
        "gpu", "batt", "charge", "pmic", "ddr", "dram", "dimm", "nvme", "wifi", "wlan", "modem", "cam", "cpufreq",
        "drive",
        "vcore", "vddcore",
    ]

    private static let otherWords: Set<String> = [
        "bat", "chg", "usb", "pm", "pmi", "mem", "memory", "ram", "ssd", "hdd", "disk", "ath", "mt", "iwl", "mdm",
        "mdmss",
        "npu", "vpu", "tpu", "apu", "isp", "video", "vdd", "vrm", "vr", "vrd", "skin", "fan", "pwm", "quiet", "ambient",
        "board",
        "case", "psu", "power", "pch", "int", "audio", "lcd", "eth", "phy", "sfp", "nic", "asic", "xo", "pll", "pa",
        "dsp",
        "adsp", "cdsp", "nsp", "nspss", "hvx", "lpass", "aoss", "ao", "aux", "center", "top", "tskn", "hot",
        "threshold",
        "socket", "adc", "est", "acpitz",
        // Graphics, and what is on their boards.
        "xe", "i", "nouveau", "radeon", "vram", "hbm",
        // Limits that some drivers report as if they were measured.
        "tcontrol", "tthrottle", "tjmax",
    ]

    /// `bigcore0-thermal` is `bigcore` and `thermal`.
    private static func words(of name: String) -> [String] {
        var words: [String] = []
        var word = ""
        for scalar in name.lowercased().unicodeScalars {
            if scalar >= "a", scalar <= "z" {
                word.unicodeScalars.append(scalar)
            } else if !word.isEmpty {
                words.append(word)
                word = ""
            }
        }
        return word.isEmpty ? words : words + [word]
    }
}
