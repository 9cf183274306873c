import CLinux
import CSensors
import Glibc

/// The functions of libsensors, found at run time: a machine without the library lacks this collector and nothing else.
///
/// A thin wrapper: it adds types and takes over memory. It does not know that the library's state is shared by the whole process
/// and has no locks; `SensorsSession` does.
struct SensorsLibrary {
    typealias Chip = UnsafePointer<sensors_chip_name>
    typealias Feature = UnsafePointer<sensors_feature>

    private typealias Initialize = @convention(c) (UnsafeMutablePointer<FILE>?) -> Int32
    private typealias CleanUp = @convention(c) () -> Void
    private typealias DetectedChips = @convention(c) (Chip?, UnsafeMutablePointer<Int32>) -> Chip?
    private typealias ChipName = @convention(c) (UnsafeMutablePointer<CChar>?, Int, Chip) -> Int32
    private typealias Features = @convention(c) (Chip, UnsafeMutablePointer<Int32>) -> Feature?
    private typealias Label = @convention(c) (Chip, Feature) -> UnsafeMutablePointer<CChar>?
    private typealias Subfeature =
        @convention(c) (Chip, Feature, sensors_subfeature_type) -> UnsafePointer<sensors_subfeature>?
    private typealias Value = @convention(c) (Chip, Int32, UnsafeMutablePointer<Double>) -> Int32
    private typealias Explanation = @convention(c) (Int32) -> UnsafePointer<CChar>?

    /// The file's name, as it was asked for.
    let name: String
    private let initialize: Initialize
    private let cleanUp: CleanUp
    private let detectedChips: DetectedChips
    private let chipName: ChipName
    private let features: Features
    private let label: Label
    private let subfeature: Subfeature
    private let value: Value
    private let explanation: Explanation

    /// Loads the library and installs the handlers. It stays loaded for good.
    init(name: String) throws(CollectorError) {
        guard let handle = dlopen(name, RTLD_NOW | RTLD_LOCAL) else {
            let why = dlerror().map { String(cString: $0) } ?? "\(name) cannot be loaded"
            // The library may be there all the same.
            if let number = Self.lackOfDescriptors() {
                throw CollectorError(source: name, reason: .system(call: "open", errno: number))
            }
            throw CollectorError(
                source: name,
                reason: .library("\(why); on Debian and Ubuntu: apt install libsensors5")
            )
        }
        func symbol(_ symbol: String) throws(CollectorError) -> UnsafeMutableRawPointer {
            guard let found = dlsym(handle, symbol) else {
                throw CollectorError(
                    source: name,
                    reason: .library("has no \(symbol): not the library that was expected")
                )
            }
            return found
        }
        self.name = name
        initialize = unsafeBitCast(try symbol("sensors_init"), to: Initialize.self)
        cleanUp = unsafeBitCast(try symbol("sensors_cleanup"), to: CleanUp.self)
        detectedChips = unsafeBitCast(try symbol("sensors_get_detected_chips"), to: DetectedChips.self)
        chipName = unsafeBitCast(try symbol("sensors_snprintf_chip_name"), to: ChipName.self)
        features = unsafeBitCast(try symbol("sensors_get_features"), to: Features.self)
        label = unsafeBitCast(try symbol("sensors_get_label"), to: Label.self)
        subfeature = unsafeBitCast(try symbol("sensors_get_subfeature"), to: Subfeature.self)
        value = unsafeBitCast(try symbol("sensors_get_value"), to: Value.self)
        explanation = unsafeBitCast(try symbol("sensors_strerror"), to: Explanation.self)
        SensorsReports.install(
            parse: try symbol("sensors_parse_error"),
            parseWithFile: try symbol("sensors_parse_error_wfn"),
            fatal: try symbol("sensors_fatal_error")
        )
    }

    /// Why this process can open nothing at all just now; nil if it can.
    private static func lackOfDescriptors() -> Int32? {
        let descriptor = open("/", clinux_o_path | O_CLOEXEC)
        guard descriptor < 0 else {
            close(descriptor)
            return nil
        }
        return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? errno : nil
    }

    /// Looks for chips and reads the configuration, which is this text and no file.
    ///
    /// - Returns: 0, or what went wrong; then there are no chips.
    func start(configuration: [UInt8]) throws(CollectorError) -> Int32 {
        var text = configuration
        // Handed over as a stream in memory: should reading a file fail, its scanner would end the process.
        let result: Int32? = text.withUnsafeMutableBytes { octets in
            guard let stream = fmemopen(octets.baseAddress, octets.count, "r") else { return nil }
            defer { fclose(stream) }
            return initialize(stream)
        }
        guard let result else { throw CollectorError(source: name, reason: .system(call: "fmemopen", errno: errno)) }
        return result
    }

    /// Forgets all chips; pointers to them are dead.
    func stop() { cleanUp() }

    /// All chips, in the order in which the kernel lists them.
    func chips() -> [Chip] {
        var chips: [Chip] = []
        var position: Int32 = 0
        while let chip = detectedChips(nil, &position) { chips.append(chip) }
        return chips
    }

    /// `coretemp-isa-0000`; nil for a bus that the library has no name for.
    func name(of chip: Chip) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            // Always terminated, cut off where it is longer.
            guard let start = buffer.baseAddress, chipName(start, buffer.count, chip) >= 0 else { return nil }
            return String(cString: start)
        }
    }

    func features(of chip: Chip) -> [Feature] {
        var found: [Feature] = []
        var position: Int32 = 0
        while let feature = features(chip, &position) { found.append(feature) }
        return found
    }

    /// What the configuration calls the feature, or else its driver, or else its name again.
    func label(of feature: Feature, on chip: Chip) -> String? {
        guard let text = label(chip, feature) else { return nil }
        defer { free(text) }
        return String(cString: text)
    }

    /// The number of a subfeature; nil if the feature has none of this type.
    func number(of type: sensors_subfeature_type, in feature: Feature, on chip: Chip) -> Int32? {
        subfeature(chip, feature, type)?.pointee.number
    }

    /// The value of a subfeature, scaled; or the number of the error.
    func value(_ number: Int32, on chip: Chip) -> Result<Double, SensorsFailure> {
        var result = 0.0
        let code = value(chip, number, &result)
        return code == 0 ? .success(result) : .failure(SensorsFailure(code: code))
    }

    func explanation(of failure: SensorsFailure) -> String {
        explanation(failure.code).map { String(cString: $0) } ?? "error \(failure.code)"
    }
}

/// An error number of libsensors: `-SENSORS_ERR_KERNEL` and its like.
struct SensorsFailure: Error {
    var code: Int32
}
