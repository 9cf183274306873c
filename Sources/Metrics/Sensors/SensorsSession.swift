import CSensors
import Synchronization

/// The one use of libsensors that a process can have, with what the last look for chips found.
///
/// The library has global state and no locks: everything goes through `shared`. Looks for chips again when the kernel's list of
/// them changed, or the configuration is to come from elsewhere. Does not know who wants which sensor.
struct SensorsSession {
    static let shared = Mutex(SensorsSession())

    /// One feature of one chip that has a value.
    struct Entry {
        var chip: SensorsLibrary.Chip
        var chipName: String
        var feature: String
        var label: String
        var kind: SensorsSample.Kind
        var valueNumber: Int32
        var faultNumber: Int32?
    }

    /// All that there is, ordered by chip.
    private(set) var entries: [Entry] = []
    /// What is wrong with the configuration.
    private(set) var warnings: [String] = []
    /// Another number after each look for chips.
    private(set) var generation: UInt64 = 0
    private var library: SensorsLibrary?
    private var etc: String?
    private var fingerprint: UInt64 = 0

    /// libsensors looks nowhere else, whatever a `SystemRoot` says.
    private static let chipFolder = "/sys/class/hwmon"

    /// Makes sure that the library is loaded, and that its chips are those of the machine.
    mutating func refresh(library name: String, etc: String) throws(CollectorError) {
        let library = try loaded(name)
        let latest = try SystemFolder.fingerprint(of: Self.chipFolder)
        guard self.etc != etc || latest != fingerprint else { return }
        stop()
        try start(library, etc: etc)
        (self.etc, fingerprint) = (etc, latest)
    }

    /// The value of an entry, with three decimals; or why it has none.
    func value(of entry: Entry) -> Result<Double, SensorsSample.Problem> {
        guard let library else { return .failure(.unreadable("the library is not loaded")) }
        if let fault = entry.faultNumber, case .success(let isFaulty) = library.value(fault, on: entry.chip),
            isFaulty != 0
        {
            return .failure(.fault)
        }
        switch library.value(entry.valueNumber, on: entry.chip) {
        case .success(let value) where value.isFinite: return .success(value.roundedToThousandths)
        case .success: return .failure(.unreadable("not a number"))
        case .failure(let failure): return .failure(.unreadable(library.explanation(of: failure)))
        }
    }

    private mutating func loaded(_ name: String) throws(CollectorError) -> SensorsLibrary {
        if let library, library.name == name { return library }
        let loaded = try SensorsLibrary(name: name)
        stop()
        library = loaded
        return loaded
    }

    private mutating func stop() {
        guard etc != nil else { return }
        // First, so that no pointer outlives what it points to.
        entries = []
        warnings = []
        etc = nil
        library?.stop()
    }

    /// Looks for chips, with as many of the configuration files as the library stands.
    private mutating func start(_ library: SensorsLibrary, etc: String) throws(CollectorError) {
        let configuration = SensorsConfiguration(etc: etc)
        var warnings = configuration.warnings
        if let failure = try attempt(library, configuration.files, &warnings) {
            warnings = configuration.warnings
            var good: [SensorsConfiguration.File] = []
            for file in configuration.files {
                if let failure = try attempt(library, [file], &warnings) {
                    warnings.append("\(file.path) is left out: \(library.explanation(of: failure))")
                } else {
                    library.stop()
                    good.append(file)
                }
            }
            var repeated: [String] = []
            if try attempt(library, good, &repeated) != nil {
                warnings.append("all configuration is left out: \(library.explanation(of: failure))")
                if let failure = try attempt(library, [], &repeated) { throw Self.error(library, failure) }
            }
        }
        generation &+= 1
        self.warnings = warnings
        entries = SensorsInventory.entries(library)
    }

    /// - Returns: what is wrong with the configuration, if it is so wrong that the library does nothing.
    /// - Throws: what has nothing to do with the configuration.
    private func attempt(
        _ library: SensorsLibrary,
        _ files: [SensorsConfiguration.File],
        _ warnings: inout [String]
    ) throws(CollectorError) -> SensorsFailure? {
        let text = SensorsConfiguration.Text(files)
        _ = SensorsReports.take()
        let code = try library.start(configuration: text.octets)
        warnings += SensorsReports.take().map(text.describe)
        guard code != 0 else { return nil }
        let failure = SensorsFailure(code: code)
        guard code != -SENSORS_ERR_KERNEL else { throw Self.error(library, failure) }
        return failure
    }

    private static func error(_ library: SensorsLibrary, _ failure: SensorsFailure) -> CollectorError {
        CollectorError(
            source: library.name,
            reason: .library("sensors_init: \(library.explanation(of: failure)); does 'sensors' show anything?")
        )
    }
}
