import HostMetrics

/// What is measured: a name, and how to make something that takes one reading each time it is called.
///
/// To measure another collector, add a line to ``all``.
struct Reading {
    var name: String
    var make: () -> ((SuspendingClock.Instant) throws(CollectorError) -> Void)

    /// The collectors that every reading of a usual configuration asks, together.
    static let usual = "cpu+mem+uptime+load"

    static var all: [Reading] {
        [
            Reading(name: usual) {
                let cpu = CPUCollector()
                let memory = MemoryCollector()
                let uptime = UptimeCollector()
                let load = LoadCollector()
                return { (now) throws(CollectorError) in
                    discard(try cpu.read(at: now))
                    discard(try memory.read(at: now))
                    discard(try uptime.read(at: now))
                    discard(try load.read(at: now))
                }
            },
            Reading { CPUCollector() },
            Reading(name: "cpu, per core") { CPUCollector(perCore: true) },
            Reading { MemoryCollector() },
            Reading { UptimeCollector() },
            Reading { LoadCollector() },
            Reading { AddressCollector() },
            Reading { OSCollector() },
            Reading { ProcessCollector() },
            Reading { DiskIOCollector() },
            Reading { NetworkCollector() },
        ]
    }

    init(name: String, make: @escaping () -> ((SuspendingClock.Instant) throws(CollectorError) -> Void)) {
        self.name = name
        self.make = make
    }

    /// A single collector. Generic, so that no sample is boxed: that would be an allocation that its users do not have.
    init<One: Collector>(name: String = One.name, _ collector: @escaping () -> One) {
        self.init(name: name) {
            let collector = collector()
            return { (now) throws(CollectorError) in discard(try collector.read(at: now)) }
        }
    }
}

/// Keeps the compiler from leaving out what makes the sample.
@inline(never) private func discard<Sample>(_ sample: borrowing Sample) {}
