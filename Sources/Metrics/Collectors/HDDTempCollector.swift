import Glibc

/// How warm the drives are.
public struct HDDTempSample: Hashable, Sendable {
    /// In the order of the daemon, or of the kernel's numbers for chips.
    public var drives: [Drive]
    /// Who said it.
    public var source: Source
    /// What could not be read, beside `drives`: the daemon, unless there just is none; records of the daemon's that make no sense, the rest of a reply that broke off,
    /// a drive whose driver failed.
    public var failures: [CollectorError]

    /// One drive.
    public struct Drive: Hashable, Sendable {
        /// The drive's path: `/dev/sda`.
        public var name: String
        /// Its model; nil where it is not known. What is not UTF-8 became U+FFFD.
        public var model: String?
        /// Degrees Celsius; nil unless `state` is `ok`. Degrees Fahrenheit are converted, and rounded to one decimal.
        public var celsius: Double?
        /// Whether there is a temperature, or else why not.
        public var state: State
    }

    /// What is known of a drive.
    public enum State: String, Hashable, Sendable, CaseIterable {
        /// There is a temperature.
        case ok
        /// The drive sleeps, and was not woken to be asked.
        case sleeping
        /// The daemon does not know which of the drive's values is the temperature, or it is none that can be true.
        case unknown
        /// The drive has no sensor.
        case noSensor
        /// The drive does not support S.M.A.R.T.
        case notAvailable
        /// The drive could not be asked.
        case error
    }

    /// Who is asked about drives.
    public enum Source: String, Hashable, Sendable, CaseIterable {
        /// The hddtemp daemon.
        case daemon
        /// The kernel's driver `drivetemp`.
        case drivetemp
    }
}

/// Asks the hddtemp daemon how warm the drives are, or the kernel's driver `drivetemp` where no daemon is reached.
///
/// The daemon is connected to anew at each reading, under one deadline. It asks the drives once in 60 seconds, so reading more
/// often gains nothing. A reply that breaks off or is partly junk yields the drives that it names properly.
///
/// The driver is asked only when there is no connection. Each drive is asked under the same deadline; one that does not
/// answer is not asked again until it came back. The driver cannot tell that a drive sleeps. Asking need not wake one, but some
/// (WD120EFAX, say) count it as use, and then never go to sleep: Documentation/hwmon/drivetemp.rst of the kernel.
public final class HDDTempCollector: Collector {
    /// The name of the kind of statistics: `hddtemp`.
    public static let name = "hddtemp"

    /// The port that the daemon listens on unless told otherwise.
    public static let usualPort: UInt16 = 7_634

    private let daemon: TCPSource
    private let driver: DriveTemperatures
    private let deadline: Duration
    private let worker = BlockingWorker(name: "hddtemp")

    /// - Parameters:
    ///   - root: where the driver's files are.
    ///   - host: where the daemon runs: a name or an address.
    ///   - deadline: how long looking the host up, connecting and the reply may take together.
    public init(
        root: SystemRoot = .running,
        host: String = "localhost",
        port: UInt16 = HDDTempCollector.usualPort,
        deadline: Duration = .seconds(10)
    ) {
        daemon = TCPSource(host: host, port: port, limit: 1 << 20)
        driver = DriveTemperatures(root: root)
        self.deadline = deadline
    }

    /// - Throws: why there is no reply; where there is no connection, only if the driver has no drives either.
    public func read(at now: SuspendingClock.Instant) throws(CollectorError) -> HDDTempSample? {
        let answer: TCPSource.Reply
        do throws(CollectorError) {
            answer = try daemon.read(within: deadline, lookingUpWith: worker)
        } catch {
            guard var sample = try driver.read(within: deadline, worker) else { throw error }
            // Most machines have no daemon, and that is all right. What else is wrong with it should not go unnoticed.
            let isAbsent = error.reason == .system(call: "connect", errno: ECONNREFUSED)
            if !isAbsent { sample.failures.insert(error, at: 0) }
            return sample
        }
        return try sample(of: answer)
    }

    private func sample(of answer: TCPSource.Reply) throws(CollectorError) -> HDDTempSample {
        let reply = HDDTempReply(answer.octets)
        var failures: [CollectorError] = []
        if let failure = answer.failure { failures.append(failure) }
        if reply.unreadableCount > 0 {
            failures.append(malformed("the hddtemp daemon's reply has parts that are not records"))
        }
        guard !reply.drives.isEmpty else {
            throw failures.first ?? malformed("the hddtemp daemon hung up without naming a drive")
        }
        return HDDTempSample(drives: reply.drives, source: .daemon, failures: failures)
    }

    private func malformed(_ what: String) -> CollectorError {
        CollectorError(source: daemon.name, reason: .malformed(what))
    }
}
