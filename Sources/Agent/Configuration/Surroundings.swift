#if Agent
import Glibc

/// What a configuration depends on besides its file. Tests make their own.
struct Surroundings: Sendable {
    /// The home directory; `nil` if there is none.
    var home: String?
    /// The value of `PSISTATS_URL`; `nil` if it is not set.
    var url: String?
    /// Whether the process has root's rights.
    var isRoot: Bool
    /// The machine's own name.
    var hostname: String
    /// The folder of the credentials that systemd hands over, `CREDENTIALS_DIRECTORY`; `nil` if there is none.
    var credentials: String?
    /// The values of those of `HOST_PROC`, `HOST_SYS`, `HOST_ETC` and `HOST_ROOT` that are set.
    var hostDirectories: [String: String] = [:]

    /// The directory that the process was in when this was asked; relative names on the command line count from it, and stay
    /// right when the process goes elsewhere.
    var directory = "/"

    /// The environment variables that say where the host's directories are: those that other collectors use in containers.
    static let hostVariables = ["HOST_PROC", "HOST_SYS", "HOST_ETC", "HOST_ROOT"]

    /// Those of this process.
    static func current() -> Surroundings {
        Surroundings(
            home: variable("HOME"),
            url: variable(ConfigurationReader.urlVariable),
            isRoot: geteuid() == 0,
            hostname: machineName(),
            credentials: variable("CREDENTIALS_DIRECTORY"),
            hostDirectories: Dictionary(
                uniqueKeysWithValues: hostVariables.compactMap { name in variable(name).map { (name, $0) } }
            ),
            directory: workingDirectory()
        )
    }

    private static func variable(_ name: String) -> String? {
        guard let value = getenv(name) else { return nil }
        let text = String(cString: value)
        return text.isEmpty ? nil : text
    }

    private static func workingDirectory() -> String {
        guard let text = getcwd(nil, 0) else { return "/" }
        defer { free(text) }
        return String(cString: text)
    }

    /// Whether the machine has a name of its own, so that it does not report as `localhost`.
    static var machineHasName: Bool { ownName() != nil }

    /// What `gethostname` says; `localhost` where it says nothing.
    private static func machineName() -> String { ownName() ?? "localhost" }

    private static func ownName() -> String? {
        // One byte more than the call may fill keeps the text ended.
        var buffer = [CChar](repeating: 0, count: 257)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return nil }
        let name = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return name.isEmpty ? nil : name
    }
}

extension Surroundings: CustomStringConvertible, CustomReflectable {
    /// Without the URL, which may hold a password.
    var description: String { "hostname \(hostname), root \(isRoot)" }
    var customMirror: Mirror {
        Mirror(self, children: ["hostname": hostname, "isRoot": isRoot], displayStyle: .struct)
    }
}
#endif
