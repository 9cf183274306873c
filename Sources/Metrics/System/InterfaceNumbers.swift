import CLinux
import Glibc

/// The kernel's numbers of network interfaces, which they keep when they are given other names.
///
/// Asked of the kernel for this process's own network, one system call an interface; read from the host's `/sys` for a host's.
final class InterfaceNumbers {
    private enum Source {
        case kernel
        case folder(String)
        case nobody
    }

    private let source: Source
    private var socket: Int32 = -1

    init(root: SystemRoot) {
        if root.proc == SystemRoot.running.proc {
            source = .kernel
        } else {
            // Our own /sys knows nothing of a host's network.
            source = root.sys == SystemRoot.running.sys ? .nobody : .folder(root.sys + "/class/net")
        }
    }

    deinit {
        if socket >= 0 { close(socket) }
    }

    /// Nil where nobody says.
    func number(of interface: String) -> UInt64? {
        switch source {
        case .nobody: nil
        case .folder(let path): Self.written(in: "\(path)/\(interface)/ifindex", of: interface)
        case .kernel: asked(of: interface)
        }
    }

    private func asked(of interface: String) -> UInt64? {
        if socket < 0 { socket = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0) }
        guard socket >= 0 else { return nil }
        let number = clinux_interface_number(socket, interface)
        return number > 0 ? UInt64(number) : nil
    }

    private static func written(in path: String, of interface: String) -> UInt64? {
        guard !interface.utf8.contains(UInt8(ascii: "/")) else { return nil }
        do throws(CollectorError) {
            return UInt64(exactly: try SystemFile(path: path, form: .whole, limit: 255).wholeNumber())
        } catch {
            return nil
        }
    }
}
