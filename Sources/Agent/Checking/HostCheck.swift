#if Agent
import Glibc
import HostMetrics

/// What `psistats check` says about this machine: what would be missing from its reports, or wrong in them.
///
/// Nothing of it is a failure: the agent works all the same.
enum HostCheck {
    static func run(_ configuration: Configuration, _ report: CheckReport) throws(SystemError) {
        if configuration.hostname.name == nil, !Surroundings.machineHasName {
            try report.noted(
                .hostname,
                "this machine has no name, so it reports as localhost, as others without one do: set it, or name in [hostname]"
            )
        }
        for failure in unavailable(configuration) { try report.noted(failure.stage, "\(failure.error)") }
    }

    private static func unavailable(_ configuration: Configuration) -> [(
        stage: CheckReport.Stage, error: CollectorError
    )] {
        let settings = configuration.reporters
        let root = configuration.system.root
        var found: [(stage: CheckReport.Stage, error: CollectorError)] = []
        if settings.hddspace.timing.isEnabled {
            do throws(CollectorError) {
                let sample = try Reporters.diskSpace(settings.hddspace, root).read()
                found += (sample?.failures ?? []).map { (.hddspace, $0) }
            } catch {
                found.append((.hddspace, error))
            }
        }
        if settings.cpuTemp.timing.isEnabled, let sensor = settings.cpuTemp.sensor {
            do throws(CollectorError) {
                _ = try CPUTemperatureCollector(root: root, sensor: sensor).read()
            } catch {
                found.append((.cpuTemp, error))
            }
        }
        return found
    }
}
#endif
