import Glibc
import Testing

@testable import HostMetrics

@Suite struct HostRootTests {
    /// What a file says, opened by the kernel's resolver and by hand; nil where it cannot be opened.
    private func text(_ root: HostRoot, _ path: String, byHand: Bool) -> String? {
        let octets = Array(path.utf8)
        let opened = byHand ? root.openByHand(octets, O_RDONLY) : root.open(octets, O_RDONLY)
        guard case .success(let descriptor) = opened else { return nil }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 100)
        let count = read(descriptor, &buffer, buffer.count)
        return count < 0 ? "(\(errno))" : String(decoding: buffer[..<count], as: UTF8.self)
    }

    @Test("the kernel's resolver and the one by hand stay in the tree and find the same", arguments: [false, true])
    func theKernelsResolver(byHand: Bool) throws {
        let tree = try HostTree()
        let root = HostRoot(path: tree.path)
        tree.write("a/b/file", "here")
        for (link, target) in [
            ("absolute", "/a/b/file"), ("relative", "a/b/file"), ("a/up", "../a/b/../b/file"),
            ("beyond", "../../../../a/b/file"),
            ("folder", "/a/b"), ("a/b/chain", "/folder/../up"), ("round", "/round"), ("a/there", "../back"),
            ("back", "a/there"),
            ("outside", "/etc/passwd"), ("far", "../../../../../../etc/passwd"), ("nowhere", "/nowhere/at/all"),
        ] {
            tree.link(link, to: target)
        }
        for path in [
            "/a/b/file", "/absolute", "/relative", "/a/up", "/beyond", "/folder/file", "/a/b/chain", "//a/./b//file",
            "/../../a/b/file",
        ] {
            #expect(text(root, path, byHand: byHand) == "here", "\(path)")
        }
        for path in ["/round", "/a/there", "/outside", "/far", "/nowhere", "/a/b/file/x", "/etc/passwd", ""] {
            let found = text(root, path, byHand: byHand)
            // The folder itself can be opened, and says nothing.
            #expect(found == nil || found == "(\(EISDIR))", "\(path): \(found ?? "")")
        }
        #expect(text(HostRoot(path: tree.path + "/none"), "/a", byHand: byHand) == nil)
    }

    @Test("the root that belongs to a folder that is /etc is the one above it") func theRootThatBelongs() {
        #expect(HostRoot(ofEtc: "/etc") == .own)
        #expect(HostRoot(ofEtc: "/host/etc").path == "/host")
        #expect(HostRoot(ofEtc: "host/etc").path == "host")
        #expect(HostRoot(ofEtc: "etc").path == ".")
        #expect(HostRoot(ofEtc: "/mnt/settings").path == "/mnt")
    }
}
