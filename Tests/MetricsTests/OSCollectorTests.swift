import Foundation
import Testing

@testable import HostMetrics

@Suite struct OSCollectorTests {
    private func sample(_ host: String) throws -> OSSample {
        try #require(try OSCollector(root: Fixture.root(host)).read())
    }

    @Test("name and version are those of the distribution, quoted or not") func nameAndVersionAreThoseOf() throws {
        let debian = try sample("server")
        #expect(debian.name == "Debian GNU/Linux")
        #expect(debian.version == "12")
        #expect(debian.prettyName == "Debian GNU/Linux 12 (bookworm)")
        let alpine = try sample("container")
        #expect(alpine.name == "Alpine Linux")
        #expect(alpine.version == "3.19.1")
    }

    @Test("kernel and architecture are those that uname tells") func kernelAndArchitectureAreThoseThat() throws {
        let sample = try sample("server")
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: "/bin/uname")
        process.arguments = ["-rm"]
        process.standardOutput = pipe
        try process.run()
        let output = String(decoding: try #require(try pipe.fileHandleForReading.readToEnd()), as: UTF8.self)
        process.waitUntilExit()
        #expect("\(sample.kernel) \(sample.architecture)\n" == output)
        #expect(
            sample.description == "Debian GNU/Linux 12 (bookworm), Linux \(sample.kernel), \(sample.architecture)"
        )
    }

    @Test("without /etc/os-release that of /usr/lib is read") func withoutEtcOsReleaseThatOf() throws {
        #expect(try sample("raspberry-pi").prettyName == "Raspbian GNU/Linux 11 (bullseye)")
        let root = SystemRoot(etc: Fixture.path("raspberry-pi") + "/etc", mounts: Fixture.path("raspberry-pi"))
        #expect(try OSCollector(root: root).read()?.version == "11")
    }

    @Test("a distribution without a file or without a version has a description all the same")
    func aDistributionWithoutAFileOr() throws {
        let unknown = try sample("old-kernel")
        #expect(unknown.name == nil && unknown.version == nil && unknown.prettyName == nil)
        #expect(unknown.description == "Linux \(unknown.kernel), \(unknown.architecture)")
        #expect(try sample("storage").version == nil)
        let named = OSSample(name: "Void", version: "1", prettyName: nil, kernel: "6.1", architecture: "x86_64")
        #expect(named.description == "Void 1, Linux 6.1, x86_64")
    }

    @Test("quotes and backslashes are read as a shell reads them") func quotesAndBackslashesAreReadAs() throws {
        #expect(try sample("lxc-guest").version == #"trixie/sid ("unstable", 100$ \ no \n newline)"#)
        #expect(try sample("lxc-guest").name == "Debian GNU/Linux")
        for (text, expected) in [
            (#"a\ b\"c"#, #"a b"c"#), (#"'a\b"c'"#, #"a\b"c"#), (#""a'b""#, "a'b"), (#""a"'b'c"#, "abc"),
            (#""open"#, "open"), ("  ", nil), (#""""#, nil), ("a b \t", "a b"), (" a", " a"), ("ä=b", "ä=b"),
        ] as [(String, String?)] {
            let tree = try HostTree()
            tree.write("etc/os-release", "# NAME=no\nNAME=no\n\n  NAME=\(text)  \nVERSION\n")
            let name = try #require(try OSCollector(root: tree.root).read()).name
            #expect(name == expected, "\(text)")
        }
    }

    @Test("links of another machine's are followed in its tree, absolute ones too") func linksOfAnotherMachines() throws
    {
        let tree = try HostTree()
        // Not the file of this machine, which has another name.
        tree.write("usr/lib/os-release", "NAME=Other\n")
        func name(_ root: SystemRoot) throws -> String? { try OSCollector(root: root).read()?.name }
        let roots = [tree.root, SystemRoot(etc: tree.path + "/etc"), SystemRoot(mounts: tree.path + "/")]
        for target in ["/usr/lib/os-release", "../usr/lib/os-release", "/../../../usr/lib/os-release"] {
            tree.link("etc/os-release", to: target)
            #expect(try name(roots[0]) == "Other", "\(target)")
            #expect(try name(roots[1]) == "Other", "\(target)")
            tree.remove("etc/os-release")
        }
        // NixOS: a link to a link.
        tree.write("nix/store/abc-etc/etc/os-release", "NAME=NixOS\n")
        tree.link("etc/static", to: "/nix/store/abc-etc/etc")
        tree.link("etc/os-release", to: "/etc/static/os-release")
        #expect(try name(roots[0]) == "NixOS")
        #expect(try name(roots[1]) == "NixOS")
        // A folder that is /etc elsewhere than in the host's root: what its links mean is there.
        tree.write("elsewhere/etc/x", "")
        tree.link("elsewhere/etc/os-release", to: "/usr/lib/os-release")
        #expect(try name(SystemRoot(etc: tree.path + "/elsewhere/etc", mounts: tree.path)) == "Other")
        // What leads nowhere in its tree is nothing, not this machine's.
        tree.link("alone/etc/os-release", to: "/etc/os-release-of-ours")
        #expect(try name(SystemRoot(etc: tree.path + "/alone/etc")) == nil)
        tree.link("alone/etc/passwd", to: "/etc/passwd")
        tree.remove("alone/etc/os-release")
        tree.link("alone/etc/os-release", to: "/etc/passwd")
        #expect(throws: CollectorError.self) { try name(SystemRoot(etc: tree.path + "/alone/etc")) }
    }

    @Test("ends of lines as of Windows and a mark of the order of octets are none of the text") func endsOfLinesAsOf()
        throws
    {
        let tree = try HostTree()
        tree.write("etc/os-release", "\u{FEFF}NAME=\"Foo\"\r\nVERSION_ID=1\r\nPRETTY_NAME=\"Foo 1\"\r\n")
        let sample = try #require(try OSCollector(root: tree.root).read())
        #expect(sample.name == "Foo")
        #expect(sample.version == "1")
        #expect(sample.prettyName == "Foo 1")
    }

    @Test("a file that was replaced by another is seen") func aFileThatWasReplacedBy() throws {
        let tree = try HostTree(copying: "server")
        let collector = OSCollector(root: tree.root)
        #expect(try collector.read()?.version == "12")
        tree.write("etc/new", "VERSION_ID=13\n")
        #expect(rename(tree.path + "/etc/new", tree.path + "/etc/os-release") == 0)
        #expect(try collector.read()?.version == "13")
        tree.remove("etc/os-release")
        #expect(try collector.read()?.version == nil)
    }

    @Test("a file that is there and cannot be read is an error") func aFileThatIsThereAnd() throws {
        let tree = try HostTree()
        tree.makeFolder("etc/os-release")
        #expect(throws: CollectorError.self) { try OSCollector(root: tree.root).read() }
    }

    @Test("no damage to the file ends the process") func noDamageToTheFileEnds() throws {
        for host in ["server", "lxc-guest"] {
            try Damage.everyKind(host: host, files: ["etc/os-release"]) { root in
                _ = try? OSCollector(root: root).read()?.description
            }
        }
    }
}
