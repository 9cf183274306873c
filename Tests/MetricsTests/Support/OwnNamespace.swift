import Foundation
import Testing

@testable import HostMetrics

/// Runs a shell script in namespaces of its own, where it may mount what it likes, and the program that prints what a collector
/// says.
///
/// In the script `$tree` is an empty folder on a tmpfs, `$program` the program. `loop NAME SIZE COMMAND...` makes an image of that
/// size, has the command make a file system on it, and mounts it at the path that the name is.
struct OwnNamespace {
    /// A line of the program's: its fields.
    typealias Line = [String]

    /// What the script printed.
    let lines: [Line]

    /// - Parameter namespaces: options of unshare(1): `-m` for mounts, `-n` for the network as well.
    init(_ namespaces: String = "-m", script: String) throws {
        let tree = try HostTree()
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments =
            ["timeout", "100", "unshare"] + namespaces.split(separator: " ").map(String.init)
            + ["sh", "-euc", Self.preamble + script, "sh", tree.path, MadeUpSensors.program]
        let output = Pipe()
        process.standardOutput = output
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "the script failed; it said: \(text)")
        lines = text.split(separator: "\n").map {
            $0.split(separator: "\u{1F}", omittingEmptySubsequences: false).map(String.init)
        }
    }

    /// The lines between the one that is just this mark and the next mark, which begins with a `#`.
    func part(_ mark: String) -> [Line] {
        Array(lines.drop { $0 != ["# " + mark] }.dropFirst().prefix { $0.first?.hasPrefix("#") != true })
    }

    /// The file systems of a part: what the collector says, less `/`, by mount point below `$tree`.
    func spaces(_ mark: String) -> [String: Line] {
        let spaces = part(mark).filter { $0.first == "space" && $0[1] != "/" }
        return Dictionary(spaces.map { (Self.shortened($0[1]), $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// The failures of a part by mount point.
    func failures(_ mark: String) -> [String: String] {
        let failures = part(mark).filter { $0.first == "failure" }
        return Dictionary(failures.map { (Self.shortened($0[1]), $0[2]) }, uniquingKeysWith: { first, _ in first })
    }

    /// The path behind that of the folder, which has another name each time.
    private static func shortened(_ path: String) -> String {
        guard let start = path.range(of: "/tmp/psistats-host.") else { return path }
        return String(path[start.upperBound...].drop { $0 != "/" })
    }

    private static let preamble = """
        tree=$1 program=$2
        export COLLECTOR=hddspace
        mount --make-rprivate /
        mount -t tmpfs tree "$tree"
        mkdir "$tree/.images"
        loop() {
            place=$tree$1 image=$tree/.images/$(echo "$1" | tr / _) size=$2
            shift 2
            truncate -s "$size" "$image"
            "$@" "$image" > "$image.log" 2>&1 || { cat "$image.log" >&2; exit 1; }
            mkdir -p "$place"
            mount -o loop "$image" "$place"
        }
        ext4() { loop "$1" "${2:-16M}" mkfs.ext4 -qF; }
        # What df says, as the program would, of each path.
        df_says() {
            for path in "$@"; do
                printf 'space\\037%s\\037%s\\037' "$path" "$(df --output=source "$path" | tail -n 1)"
                df -B1 --output=size,used,avail,itotal,iused "$path" | tail -n 1 | sed 's/-/0/g; s/^ *//; s/  */ /g'
            done
        }

        """

    /// Whether this machine lets us make namespaces and has loop devices. In continuous integration it must.
    static let isPossible: Bool = {
        if ProcessInfo.processInfo.environment["CI"] == "true" { return true }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "unshare", "-m", "sh", "-ec",
            "mount --bind /sys /sys; test -e /dev/loop-control; command -v mkfs.ext4 mkfs.btrfs mkfs.erofs ip",
        ]
        (process.standardOutput, process.standardError) = (FileHandle.nullDevice, FileHandle.nullDevice)
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }()
}
