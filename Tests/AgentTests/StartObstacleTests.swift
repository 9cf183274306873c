#if Agent
import Glibc
import Testing

@testable import PsistatsAgent

@Suite("What keeps psistats from starting, told by psistats check")
struct StartObstacleTests {
    /// What check and start say of a configuration in a directory of its own.
    private func outcomes(
        _ config: String,
        prepare: (LogDirectory) throws -> Void = { _ in }
    ) throws -> (check: Program.Result, start: Program.Result) {
        let directory = try LogDirectory()
        try prepare(directory)
        try directory.write("psistats.conf", config.replacing("DIR", with: directory.path))
        chmod(directory["psistats.conf"], 0o600)
        func run(_ command: String...) throws -> Program.Result {
            try Program.run(
                command + ["--config", "psistats.conf"],
                environment: ["SWIFT_BACKTRACE=enable=yes", "PATH=/usr/bin:/bin"],
                directory: directory.path
            )
        }
        let check = try run("check", "--offline")
        let start = try run("start")
        if start.status == 0 { _ = try run("stop") }
        return (check, start)
    }

    private static let server = "[server]\nurl=amqp://127.0.0.1:1/\n[app]\npidfile=DIR/run.pid\n"
    private static let logging = "[loggers]\nkeys=root\n[logger_root]\nhandlers=h\n[handlers]\nkeys=h\n[handler_h]\n"

    @Test("a log file that is a pipe without a reader, or a link to nowhere, is told at its line")
    func logFiles() throws {
        for (name, reason) in [("pipe", "nobody reads the pipe"), ("link", "make the directory"), ("socket", "")] {
            let config = Self.server + Self.logging + "class=FileHandler\nfilename=\(name)\n"
            let (check, start) = try outcomes(config) { directory in
                try #require(mkfifo(directory["pipe"], 0o600) == 0)
                try #require(symlink(directory["nowhere"] + "/file", directory["link"]) == 0)
            }
            if name == "socket" {
                #expect(check.status == 0 && start.status == 0)
                continue
            }
            #expect(check.status == 78 && start.status == 78, "\(name): \(check.text)\(start.text)")
            for result in [check, start] {
                #expect(result.errors.contains("psistats.conf:11: filename: "), "\(result.errors)")
                #expect(result.errors.contains(reason))
            }
        }
    }

    @Test("a link whose file can be made is no obstacle")
    func goodLink() throws {
        let config = Self.server + Self.logging + "class=FileHandler\nfilename=link\n"
        let (check, start) = try outcomes(config) { directory in
            try #require(symlink(directory["made"], directory["link"]) == 0)
        }
        #expect(check.status == 0 && start.status == 0, "\(check.errors)\(start.errors)")
    }

    @Test("a stream's file whose directory is missing, or that is a directory or a pipe, is told at its line")
    func streams() throws {
        for (key, path) in [
            ("stdout_path", "/nonexistent/out"), ("stderr_path", "DIR"), ("stdin_path", "/nonexistent"),
            ("stdin_path", "DIR/pipe"),
            ("stdout_path", "DIR/pipe"),
        ] {
            let (check, start) = try outcomes(Self.server + "\(key)=\(path)\n") { directory in
                try #require(mkfifo(directory["pipe"], 0o600) == 0)
            }
            #expect(check.status == 78 && start.status == 78, "\(key)=\(path)")
            for result in [check, start] {
                #expect(result.errors.contains("psistats.conf:5: \(key): "), "\(result.errors)")
            }
        }
    }

    @Test("files for TLS that cannot be read are told at the line of the URL, or at the variable")
    func certificates() throws {
        for parameter in ["cacertfile", "certfile", "keyfile"] {
            let config =
                "[server]\nurl=amqps://127.0.0.1:1/?\(parameter)=/nonexistent/x.pem\n[app]\npidfile=DIR/run.pid\n"
            let (check, start) = try outcomes(config)
            for result in [check, start] {
                #expect(result.status == 78)
                #expect(
                    result.errors.contains(
                        "psistats.conf:2: url: \(parameter)=/nonexistent/x.pem: No such file or directory: correct the path"
                    ),
                    "\(result.errors)"
                )
            }
        }
        let directory = try TemporaryDirectory()
        let byVariable = try Program.run(
            ["check", "--offline", "--config", try directory.write("psistats.conf", "")],
            environment: ["PSISTATS_URL=amqps://127.0.0.1:1/?certfile=."]
        )
        #expect(byVariable.status == 78)
        #expect(
            byVariable.errors.contains("environment: PSISTATS_URL: certfile=")
                && byVariable.errors.contains("not a regular file")
        )
    }

    @Test("a mechanism that does not exist is told at the line of the URL")
    func mechanism() throws {
        let (check, start) = try outcomes(
            "[server]\nurl=amqp://127.0.0.1:1/?auth_mechanism=NOSUCH\n[app]\npidfile=DIR/run.pid\n"
        )
        #expect(check.status == 78 && start.status == 78)
        #expect(check.errors == "psistats.conf:2: url: auth_mechanism has to be one of PLAIN, AMQPLAIN, EXTERNAL\n")
    }

    @Test("a pidfile that names something else is told at its line")
    func pidfile() throws {
        for (path, word) in [
            ("DIR/psistats.conf", "is no pidfile"), ("DIR/other", "is no pidfile"), ("DIR", "is a directory"),
            ("DIR/link", "symbolic link"),
            ("/nonexistent/p.pid", "make the directory"), ("DIR/pipe", "is no file"),
        ] {
            let (check, _) = try outcomes("[app]\npidfile=\(path)\n[server]\nurl=amqp://127.0.0.1:x\n") { directory in
                try directory.write("other", "not a number\n")
                try #require(symlink(directory["a"], directory["link"]) == 0)
                try #require(mkfifo(directory["pipe"], 0o600) == 0)
            }
            // The URL is wrong, too, so that nothing starts.
            #expect(check.status == 78)
            let directory = try LogDirectory()
            try directory.write("psistats.conf", "[app]\npidfile=\(path.replacing("DIR", with: directory.path))\n")
            try directory.write("other", "not a number\n")
            try #require(symlink(directory["a"], directory["link"]) == 0)
            try #require(mkfifo(directory["pipe"], 0o600) == 0)
            let alone = try Program.run(["check", "--offline", "--config", directory["psistats.conf"]])
            #expect(alone.status == 78, "\(path)")
            #expect(
                alone.errors.contains("psistats.conf:2: pidfile: ") && alone.errors.contains(word),
                "\(alone.errors)"
            )
        }
        for text in ["", "4711\n", " 12 "] {
            let directory = try LogDirectory()
            try directory.write("psistats.conf", "[app]\npidfile=left.pid\n")
            try directory.write("left.pid", text)
            #expect(try Program.run(["check", "--offline", "--config", directory["psistats.conf"]]).status == 0)
        }
    }

    @Test("a file that is to be renamed in a directory that nobody may change is told, for users who are not root")
    func rotation() {
        // Root may write everywhere; what there is no directory for it cannot either.
        let path = "/nonexistent/x.log"
        #expect(WritableFile.renamingObstacle(path) != nil)
        for (target, isTold) in [
            (
                LoggingConfiguration.Target.rotatingFile(
                    LoggingConfiguration.File(path: path, isDelayed: true),
                    LoggingConfiguration.Size(limit: 9, backups: 1)
                ), true
            ),
            (
                .timedRotatingFile(
                    LoggingConfiguration.File(path: path, isDelayed: true),
                    LoggingConfiguration.Schedule()
                ), true
            ),
            (
                .rotatingFile(
                    LoggingConfiguration.File(path: path, isDelayed: true),
                    LoggingConfiguration.Size(limit: 9, backups: 0)
                ), false
            ),
            (.file(LoggingConfiguration.File(path: path, isDelayed: true)), false),
        ] {
            #expect(LoggingConfiguration.single(target).obstacles().isEmpty != isTold)
        }
    }

    @Test("a file with a password that everybody can read is mentioned")
    func readableSecrets() throws {
        let directory = try TemporaryDirectory()
        func check(_ config: String, _ mode: mode_t) throws -> String {
            let path = try directory.write("psistats.conf", config, mode: mode)
            return try Program.run(["check", "--offline", "--config", path]).text
        }
        let words = "holds a password, and everybody can read it: chmod o-r"
        #expect(try check("[server]\nurl=amqp://u:p@h", 0o644).contains(words))
        #expect(try check("[server]\nhost=h\npass=p", 0o604).contains(words))
        #expect(try !check("[server]\nurl=amqp://u:p@h", 0o640).contains(words))
        #expect(try !check("[server]\nurl=amqp://guest:guest@h", 0o644).contains(words))
        _ = try directory.write("secret", "amqp://u:p@h", mode: 0o644)
        #expect(try check("[server]\nurl_file=secret", 0o600).contains("url_file: \(directory.path)/secret \(words)"))
    }
}
#endif
