/// Reads the temperatures of the drives that the kernel's driver `drivetemp` looks after: those on SATA, and SAS ones that speak
/// its language.
///
/// Drives are listed anew each time, so they come and go. Each is asked on a thread of the worker's: the driver sends the drive
/// a command, and one that is dying can take minutes to answer.
///
/// Source: Documentation/hwmon/drivetemp.rst of the kernel.
struct DriveTemperatures {
    private let tree: HwmonTree

    init(root: SystemRoot) {
        tree = HwmonTree(root: root)
    }

    /// What the drives say; nil where the driver has none.
    func read(within time: Duration, _ worker: BlockingWorker) throws(CollectorError) -> HDDTempSample? {
        var sample = HDDTempSample(drives: [], source: .drivetemp, failures: [])
        for chip in try tree.chips() where chip.name == "drivetemp" {
            var drive = HDDTempSample.Drive(name: name(of: chip), model: model(of: chip), celsius: nil, state: .error)
            do throws(CollectorError) {
                let outcome = worker.run(chip.path, within: time) { Self.celsius(chip.path, chip.number) }
                drive.celsius = try outcome.value(of: chip.path, within: time).get()
                drive.state = drive.celsius == nil ? .unknown : .ok
            } catch {
                sample.failures.append(error)
            }
            sample.drives.append(drive)
        }
        return sample.drives.isEmpty ? nil : sample
    }

    /// The temperature of the drive; nil where there is none that can be true.
    private static func celsius(_ path: String, _ number: Int) -> Result<Double?, CollectorError> {
        do throws(CollectorError) {
            return .success(try HwmonChip(path: path, number: number)?.temperatures().first?.celsius())
        } catch {
            return .failure(error)
        }
    }

    /// `/dev/sda`; the chip's folder while the drive has no such name.
    private func name(of chip: HwmonChip) -> String {
        do throws(CollectorError) {
            let blocks = try SystemFolder.entries(of: chip.devicePath + "/block").sorted()
            return blocks.first.map { "/dev/" + $0 } ?? chip.path
        } catch {
            return chip.path
        }
    }

    private func model(of chip: HwmonChip) -> String? {
        let model = HwmonText.read(chip.devicePath + "/model")
        return model == "" ? nil : model
    }
}
