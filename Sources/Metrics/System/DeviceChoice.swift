/// Which devices a user wants: those that are named, or the usual ones if none is; never those that are excluded.
struct DeviceChoice {
    private let named: [Glob]
    private let excluded: [Glob]

    /// Whether any is named.
    var namesAny: Bool { !named.isEmpty }

    init(named: [String], excluded: [String]) {
        self.named = named.map(Glob.init)
        self.excluded = excluded.map(Glob.init)
    }

    /// - Parameter isUsual: whether the device is one of those that are reported if none is named.
    func contains(_ name: String, isUsual: @autoclosure () -> Bool) -> Bool {
        (named.isEmpty ? isUsual() : named.matches(name)) && !excluded.matches(name)
    }

    /// Whether a device is named, be it excluded or not.
    func names(_ name: String) -> Bool { named.matches(name) }

    /// Which of the names and patterns none of the devices matches.
    func missing(among devices: some Sequence<String>) -> [String] {
        if named.isEmpty { return [] }
        let devices = Array(devices)
        return named.filter { pattern in !devices.contains { pattern.matches($0) } }.map(\.pattern)
    }
}
