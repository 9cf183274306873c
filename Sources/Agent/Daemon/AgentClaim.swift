#if Agent
import Glibc

/// What a daemon has while it runs, so that others can see that it does: the lock, and the pidfile for other programs.
final class AgentClaim {
    let place: RuntimePlace
    private let lock: AgentLock
    private let pidfile: PidFile

    /// Takes a place for this process.
    ///
    /// - Throws: ``StartingAgent/AlreadyRunning``, or ``CommandFailure`` with what is wrong.
    init(_ place: RuntimePlace, configuration: String) throws {
        self.place = place
        lock = try Self.taken(place)
        do throws(PidFile.Failure) {
            pidfile = try PidFile(path: place.pidfile, staging: lock.folder)
        } catch {
            lock.remove()
            switch error {
            case .notAPidfile(let words):
                throw Self.failure("the pidfile \(place.pidfile) \(words), which is left as it is")
            case .system(let error): throw Self.failure(place, error)
            }
        }
        do throws(SystemError) {
            try lock.write(
                AgentLock.Record(pid: getpid(), pidfile: place.pidfile, configuration: configuration)
            )
        } catch {
            remove()
            throw Self.failure(place, error)
        }
    }

    /// Removes the files.
    func remove() {
        pidfile.remove()
        lock.remove()
    }

    private static func taken(_ place: RuntimePlace) throws -> AgentLock {
        // Before anything is made beside it.
        if let words = PidFile.obstacle(place.pidfile) {
            throw failure("the pidfile \(place.pidfile) \(words), which is left as it is")
        }
        do throws(AgentLock.Failure) {
            return try AgentLock(folder: place.lockFolder)
        } catch {
            switch error {
            case .held(let pid) where RunningAgent.isThisProgram(pid):
                throw StartingAgent.AlreadyRunning(RunningAgent(pid: pid, place: place))
            case .held(let pid):
                throw failure(
                    "\(AgentLock.file(in: place.lockFolder)) is held by process \(pid), which is no psistats"
                )
            case .foreign(let words): throw failure("\(place.lockFolder), where the daemon's lock has to be, \(words)")
            case .system(let error): throw failure(place, error)
            }
        }
    }

    private static func failure(_ place: RuntimePlace, _ error: SystemError) -> CommandFailure {
        failure("the pidfile \(place.pidfile) cannot be written (\(error.context): \(error.reason))")
    }

    private static func failure(_ words: String) -> CommandFailure {
        CommandFailure(.cannotCreate, words + "; name another with pidfile in [app]")
    }
}
#endif
