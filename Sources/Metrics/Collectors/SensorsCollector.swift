import Synchronization

/// Reads temperatures, fans, voltages and all else that libsensors knows of. Absent where the machine has no sensors.
///
/// The library is loaded when it is first needed, and nothing is linked with it. Its configuration files say what is ignored,
/// how values are computed and what they are called; a broken one costs what it says, and is in the sample's warnings. When a
/// chip comes or goes, the library looks for chips again.
///
/// The library is one for the whole process and cannot do two things at once, so collectors wait for each other. A driver can
/// keep a reading waiting for ever, so it is taken on a thread of its own, under a deadline; when it is late, the library is not
/// used again until it came back.
///
/// Chips are always those below `/sys`, whose place is fixed in the library; of the `SystemRoot` only `etc` counts. Two chips of
/// one name are taken by the library to have the same features, those of the first that the kernel lists.
///
/// Source: libsensors(3), sensors.conf(5); Documentation/hwmon/sysfs-interface.rst of the kernel.
public final class SensorsCollector: Collector {
    /// The name of the kind of statistics: `sensors`.
    public static let name = "sensors"

    /// A sensor that is wanted.
    public struct Choice: Hashable, Sendable {
        /// `chip.feature`: the chip's name as it stands in samples, a dot, and the feature's name or its label. A chip's name
        /// alone means all of its features.
        public var device: String
        /// What it is to be called; nil for what libsensors calls it. Not used for a chip's name alone.
        public var label: String?

        /// - Parameters:
        ///   - device: `chip.feature`, or a chip.
        ///   - label: what it is to be called; nil for what libsensors calls it.
        public init(_ device: String, label: String? = nil) {
            self.device = device
            self.label = label
        }
    }

    private let etc: String
    private let libraryName: String
    private let choices: [Choice]?
    private let deadline: Duration
    private let worker = BlockingWorker(name: "sensors")
    private var selection: Selection?

    /// Which entries of a session are wanted.
    private struct Selection: Sendable {
        var generation: UInt64
        var wanted: [(entry: Int, label: String?)]
        var missing: [String]
    }

    /// - Parameters:
    ///   - choices: the sensors that are wanted; nil for all.
    ///   - deadline: how long a reading may take.
    public convenience init(root: SystemRoot = .running, choices: [Choice]? = nil, deadline: Duration = .seconds(10)) {
        self.init(root: root, choices: choices, deadline: deadline, library: "libsensors.so.5")
    }

    init(root: SystemRoot, choices: [Choice]?, deadline: Duration = .seconds(10), library: String) {
        etc = root.etc
        libraryName = library
        self.choices = choices
        self.deadline = deadline
    }

    /// - Throws: `.library` if libsensors is not there or does not work; the text says what to do. `.late` or `.stillWaiting` if a
    ///   driver does not answer.
    public func read(at now: SuspendingClock.Instant) throws(CollectorError) -> SensorsSample? {
        if let failure = SensorsReports.fatalFailure {
            throw CollectorError(source: libraryName, reason: .library(failure))
        }
        let outcome = worker.run(Self.name, within: deadline) { [libraryName, etc, choices, selection] in
            Self.read(libraryName, etc: etc, choices, selection)
        }
        let (sample, used) = try outcome.value(of: libraryName, within: deadline).get()
        selection = used
        let isNothing = sample.readings.isEmpty && sample.missing.isEmpty && sample.warnings.isEmpty
        return isNothing ? nil : sample
    }

    private static func read(
        _ libraryName: String,
        etc: String,
        _ choices: [Choice]?,
        _ known: Selection?
    ) -> Result<(SensorsSample, Selection), CollectorError> {
        SensorsSession.shared.withLock { session in
            do throws(CollectorError) {
                try session.refresh(library: libraryName, etc: etc)
            } catch {
                return .failure(error)
            }
            let selection =
                known.flatMap { $0.generation == session.generation ? $0 : nil }
                ?? selection(of: choices, from: session)
            return .success((sample(selection, from: session), selection))
        }
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
                continue
            }
            let ofChip = entries.indices.filter { entries[$0].chipName == choice.device }
            selection.wanted += ofChip.map { ($0, nil) }
            if ofChip.isEmpty { selection.missing.append(choice.device) }
        }
        return selection
    }
}
