/// Which devices a user wants: those that are named, or the usual ones if none is; never those that are excluded.
struct DeviceChoice {
    private let named: [Glob]
    private let excluded: [Glob]

    init(named: [String], excluded: [String]) {
        self.named = named.map(Glob.init)
        self.excluded = excluded.map(Glob.init)
    }

    /// - Parameter isUsual: whether the device is one of those that are reported if none is named.
    func contains(_ name: String, isUsual: @autoclosure () -> Bool) -> Bool {
        (named.isEmpty ? isUsual() : named.matches(name)) && !excluded.matches(name)
    }
}
