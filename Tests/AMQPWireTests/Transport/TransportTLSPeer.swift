#if TLS
import COpenSSL
import Glibc

@testable import AMQPWire

/// The server's side of a TLS connection, by blocking calls on threads of the test's own. Those take no signals, so that
/// OpenSSL's plain socket calls raise none.
// Unchecked: a test uses it from one thread after another, never from two at once.
final class TransportTLSPeer: @unchecked Sendable {
    struct Setup: Sendable {
        var certificate = "server"
        var requiresClient = false
        var highestVersion: Int32 = 0
    }

    private let context: OpaquePointer
    let ssl: OpaquePointer
    let peer: LoopbackPeer

    /// Takes a connection and shakes hands. Blocks.
    static func accept(
        _ listener: LoopbackListener,
        _ certificates: TransportCertificates,
        _ setup: Setup = Setup()
    ) throws -> TransportTLSPeer {
        let peer = try TransportTLSPeer(try listener.accept(), certificates, setup)
        let result = SSL_accept(peer.ssl)
        guard result == 1 else { throw PeerFailure(what: "SSL_accept: \(SSL_get_error(peer.ssl, result))") }
        return peer
    }

    private init(_ peer: LoopbackPeer, _ certificates: TransportCertificates, _ setup: Setup) throws {
        guard let context = SSL_CTX_new(TLS_server_method()) else { throw PeerFailure(what: "SSL_CTX_new") }
        SSL_CTX_set_cipher_list(context, "DEFAULT:@SECLEVEL=0")
        guard
            SSL_CTX_use_certificate_chain_file(context, certificates.path("\(setup.certificate).pem")) == 1,
            SSL_CTX_use_PrivateKey_file(context, certificates.path("\(setup.certificate).key"), SSL_FILETYPE_PEM) == 1,
            SSL_CTX_load_verify_file(context, certificates.path("ca.pem")) == 1
        else { throw PeerFailure(what: "the server's files") }
        if setup.requiresClient {
            SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
        }
        if setup.highestVersion != 0 {
            SSL_CTX_ctrl(context, SSL_CTRL_SET_MAX_PROTO_VERSION, Int(setup.highestVersion), nil)
        }
        guard let ssl = SSL_new(context) else { throw PeerFailure(what: "SSL_new") }
        self.context = context
        self.ssl = ssl
        self.peer = peer
        SSL_set_fd(ssl, peer.number)
    }

    deinit {
        SSL_free(ssl)
        SSL_CTX_free(context)
    }

    /// The name that the client asked for.
    var askedName: String? {
        SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name).map { String(cString: $0) }
    }

    /// The subject of the client's certificate.
    var hasClientCertificate: Bool { SSL_get0_peer_certificate(ssl) != nil }

    /// Up to `count` octets; fewer where the client said that no more follow.
    func read(_ count: Int) throws -> [UInt8] {
        var result: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: min(count, 64 << 10))
        while result.count < count {
            var got = 0
            let outcome = SSL_read_ex(ssl, &chunk, min(chunk.count, count - result.count), &got)
            guard outcome == 1 else {
                guard SSL_get_error(ssl, outcome) == SSL_ERROR_ZERO_RETURN else { throw PeerFailure(what: "SSL_read") }
                break
            }
            result += chunk[..<got]
        }
        return result
    }

    func write(_ octets: [UInt8]) throws {
        var written = 0
        guard SSL_write_ex(ssl, octets, octets.count, &written) == 1, written == octets.count else {
            throw PeerFailure(what: "SSL_write")
        }
    }

    /// New keys for our direction, and a request that the client change its own: TLS 1.3's KeyUpdate.
    func updateKeys() throws {
        guard SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) == 1, SSL_do_handshake(ssl) == 1 else {
            throw PeerFailure(what: "SSL_key_update")
        }
    }

    /// Says that no more follows, and leaves the connection open.
    func sayGoodbye() { SSL_shutdown(ssl) }
}
#endif
