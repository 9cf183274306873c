import Synchronization

/// Reads temperatures, fans, voltages and all else that libsensors knows of. Absent where the machine has no sensors.
///
/// The library is loaded when it is first needed, and nothing is linked with it. Its configuration files say what is ignored,
/// how values are computed and what they are called; a broken one costs what it says, and is in the sample's warnings. When a
/// chip comes or goes, the library looks for chips again.
///
/// The library is one for the whole process and cannot do two things at once, so collectors wait for each other. A driver can
/// keep a reading waiting for ever: take readings on a thread that can be spared.
///
/// Chips are always those below `/sys`, whose place is fixed in the library; of the `SystemRoot` only `etc` counts. Two chips of
/// one name are taken by the library to have the same features, those of the first that the kernel lists.
///
/// Source: libsensors(3), sensors.conf(5); Documentation/hwmon/sysfs-interface.rst of the kernel.
public final class SensorsCollector: Collector {
    public static let name = "sensors"

    /// A sensor that is wanted.
    public struct Choice: Hashable, Sendable {
        /// `chip.feature`: the chip's name as it stands in samples, a dot, and the feature's name or its label.
        public var device: String
        /// What it is to be called; nil for what libsensors calls it.
        public var label: String?

        public init(_ device: String, label: String? = nil) {
            self.device = device
            self.label = label
        }
    }

    private let etc: String
    private let libraryName: String
    private let choices: [Choice]?
    private var selection: Selection?

    /// Which entries of a session are wanted.
    private struct Selection: Sendable {
        var generation: UInt64
        var wanted: [(entry: Int, label: String?)]
        var missing: [String]
    }

    /// - Parameter choices: the sensors that are wanted; nil for all.
    public convenience init(root: SystemRoot = .running, choices: [Choice]? = nil) {
        self.init(root: root, choices: choices, library: "libsensors.so.5")
    }

    init(root: SystemRoot, choices: [Choice]?, library: String) {
        etc = root.etc
        libraryName = library
        self.choices = choices
    }

    /// - Throws: `.library` if libsensors is not there or does not work; the text says what to do.
    public func read(at now: SuspendingClock.Instant) throws(CollectorError) -> SensorsSample? {
        if let failure = SensorsReports.fatalFailure {
            throw CollectorError(source: libraryName, reason: .library(failure))
        }
        let (libraryName, etc, choices, known) = (libraryName, etc, choices, selection)
        let (sample, used) = try SensorsSession.shared.withLock {
            (session) throws(CollectorError) -> (SensorsSample, Selection) in
            try session.refresh(library: libraryName, etc: etc)
            let selection =
                known.flatMap { $0.generation == session.generation ? $0 : nil }
                ?? Self.selection(of: choices, from: session)
            return (Self.sample(selection, from: session), selection)
        }
        selection = used
        let isNothing = sample.readings.isEmpty && sample.missing.isEmpty && sample.warnings.isEmpty
        return isNothing ? nil : sample
    }

    private static func sample(_ selection: Selection, from session: borrowing SensorsSession) -> SensorsSample {
        var sample = SensorsSample(readings: [], missing: selection.missing, warnings: session.warnings)
        sample.readings.reserveCapacity(selection.wanted.count)
        for (index, label) in selection.wanted {
            let entry = session.entries[index]
            let result = session.value(of: entry)
            var reading = SensorsSample.Reading(
                chip: entry.chipName,
                feature: entry.feature,
                label: label ?? entry.label,
                kind: entry.kind
            )
            switch result {
            case .success(let value): reading.value = value
            case .failure(let problem): reading.problem = problem
            }
            sample.readings.append(reading)
        }
        return sample
    }

    private static func selection(of choices: [Choice]?, from session: borrowing SensorsSession) -> Selection {
        let entries = session.entries
        guard let choices else {
            return Selection(generation: session.generation, wanted: entries.indices.map { ($0, nil) }, missing: [])
        }
        var selection = Selection(generation: session.generation, wanted: [], missing: [])
        for choice in choices {
            let index =
                entries.firstIndex { choice.device == "\($0.chipName).\($0.feature)" }
                ?? entries.firstIndex { choice.device == "\($0.chipName).\($0.label)" }
            if let index {
                selection.wanted.append((index, choice.label))
            } else {
                selection.missing.append(choice.device)
            }
        }
        return selection
    }
}
