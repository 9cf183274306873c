#if Agent
import Testing

@testable import PsistatsAgent

@Suite("What is never shown")
struct SecretsTests {
    @Test(
        "the user part of what looks like a URL is hidden",
        arguments: [
            ("amqp://agent:hunter2@host/", "amqp://***@host/"),
            ("'amqps://agent:hun/ter2@host:5671/v'", "'amqps://***@host:5671/v'"),
            ("x amqp://a:hunter2@h1, amqp://b:hunter2@h2 y", "x amqp://***@h1, amqp://***@h2 y"),
            ("amqp://a:hun@ter2@h", "amqp://***@h"), ("amqp://a:hunter 2@h", "amqp://***@h"),
            ("amqp://u:***@127.0.0.1:1/stats", "amqp://u:***@127.0.0.1:1/stats"),
            ("agent:hunter2@host", "***@host"), ("at 'agent:hunter2@host'", "at '***@host'"),
            ("amqp://agent:hunter2", "amqp://***"), ("amqp://host:5672/x", "amqp://host:5672/x"),
            ("f:3: name: me@example", "f:3: name: me@example"), ("http://[::1]:80/a", "http://[::1]:80/a"),
            ("amqp://hunter2@h", "amqp://***@h"), ("", ""), ("://@", "://@"), ("plain", "plain"),
        ]
    )
    func urls(_ text: String, _ hidden: String) {
        #expect(Secrets().hidden(text) == hidden)
    }

    @Test("what was learned is hidden everywhere, in each of its spellings, and words that are shown are not")
    func learned() {
        let secrets = Secrets()
        secrets.learnURLs(in: "amqp://agent:p%40ss%2Fword@h amqp://x:guest@h")
        secrets.learn("abc")
        secrets.learn("stats", public: ["psistats"])
        secrets.learn("hunter")
        secrets.learn("hunter2")
        #expect(secrets.hidden("p@ss/word p%40ss%2Fword abc guest psistats") == "*** *** abc guest psistats")
        #expect(secrets.hidden("hunter2hunter") == "******")
    }

    @Test("no text traps")
    func mutations() {
        var generator = SplitMix64(seed: 0x5EED_0777)
        let pieces = ["amqp", "://", "@", ":", "/", "***", "%4", "\n", " ", "'", "x", "[", "é", ",", "5672"]
        let secrets = Secrets()
        secrets.learn("x@:é")
        for _ in 0..<3_000 {
            let text = (0..<Int.random(in: 0..<12, using: &generator)).map { _ in generator.element(of: pieces) }
                .joined()
            let hidden = secrets.hidden(text)
            #expect(!hidden.contains("x@:é"))
            secrets.learnURLs(in: text, public: ["x"])
        }
    }

    static let marker = "xyzzy4711"

    /// Where a password may end up: in each key, as a URL and as a word with a user.
    static let places: [(section: String, key: String)] =
        ConfigurationKeys.known.flatMap { section, keys in keys.map { (section, $0) } }
        + [
            ("logger_root", "level"), ("logger_root", "handlers"), ("logger_root", "qualname"), ("handler_h", "class"),
            ("handler_h", "filename"), ("handler_h", "args"), ("handler_h", "kwargs"), ("handler_h", "level"),
            ("handler_h", "formatter"), ("handler_h", "encoding"), ("handler_h", "mode"), ("formatter_f", "format"),
            ("formatter_f", "datefmt"), ("formatters", "keys"), ("handlers", "keys"), ("loggers", "keys"),
            ("nosuch", "key"),
            ("server", "nosuch"),
        ]

    @Test("a password in any key is in no output of check, declare and status")
    func everyKey() throws {
        let directory = try TemporaryDirectory()
        for (section, key) in Self.places {
            for value in ["amqp://agent:\(Self.marker)@127.0.0.1:1/", "agent:\(Self.marker)@127.0.0.1"] {
                let other = section == "server" ? "" : "[server]\nurl=amqp://127.0.0.1:1\n"
                let logging =
                    "[loggers]\nkeys=root\n[logger_root]\nhandlers=h\n[handlers]\nkeys=h\n[handler_h]\nclass=FileHandler\n"
                    + "filename=x.log\n[formatters]\nkeys=f\n[formatter_f]\n"
                let config = other + logging + "[\(section)]\n\(key)=\(value)\n"
                let path = try directory.write("psistats.conf", config)
                for command in [["check", "--offline"], ["declare"], ["status"], ["declare", "--dry-run"]] {
                    let result = try Program.run(command + ["--config", path], directory: directory.path)
                    let output = result.text + result.errors
                    #expect(!output.contains(Self.marker), "\(command) [\(section)] \(key)=\(value): \(output)")
                }
            }
        }
    }

    @Test(
        "a password in any part of a URL or in the environment is in no output",
        arguments: [
            "amqp://agent:MARKER@127.0.0.1:1/", "amqp://agent:MARKER@127.0.0.1:x/",
            "amqp://agent:a%40MARKER@127.0.0.1:1",
            "amqp://agent:MARKER@127.0.0.1:1/?nosuch=MARKER", "amqp://agent:p@MARKER@127.0.0.1",
            "http://agent:MARKER@h",
            "agent:MARKER@127.0.0.1", "amqp://agent:MARKER/@127.0.0.1:1", "amqp://agent:MARKER 1@127.0.0.1:1",
            "amqps://agent:MARKER@127.0.0.1:1/?cacertfile=/nonexistent", "amqp://127.0.0.1:1,agent:MARKER@h",
            "amqp://agent:MARKER@127.0.0.1:1/?auth_mechanism=MARKER", "amqp://agent:MARKER",
        ]
    )
    func everyPart(_ url: String) throws {
        let url = url.replacing("MARKER", with: Self.marker)
        let directory = try TemporaryDirectory()
        let empty = try directory.write("empty.conf", "")
        let path = try directory.write("psistats.conf", "[server]\nurl=\(url)\n")
        _ = try directory.write("secret", url + "\n")
        let byFile = try directory.write("file.conf", "[server]\nurl_file=secret\n")
        for command in [["check"], ["declare"], ["watch", "--json"]] {
            for (config, environment) in [
                (path, []), (byFile, []), (empty, ["PSISTATS_URL=\(url)"]),
                (
                    empty,
                    ["HOST_PROC=\(url)", "XDG_RUNTIME_DIR=\(url)", "HOME=\(url)", "PSISTATS_URL=amqp://127.0.0.1:1"]
                ),
            ] {
                let options = command[0] == "watch" ? ["--url", url] : []
                let result = try Program.run(
                    command + ["--config", config] + options,
                    environment: environment,
                    directory: directory.path
                )
                #expect(result.status != 0)
                #expect(
                    !(result.text + result.errors).contains(Self.marker),
                    "\(command): \(result.text)\(result.errors)"
                )
            }
        }
    }
}
#endif
