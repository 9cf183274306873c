#if TLS
import Glibc
import Testing

@testable import AMQPWire

/// Certificates made on the spot by the openssl command: an authority, what it signed, and another authority.
struct TransportCertificates: Sendable {
    let directory: String

    static let made: Result<TransportCertificates, PeerFailure> = Result { () throws(PeerFailure) in
        try TransportCertificates()
    }

    func path(_ name: String) -> String { "\(directory)/\(name)" }

    private init() throws(PeerFailure) {
        var template = Array("/tmp/amqpwire-tests-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw PeerFailure(what: "mkdtemp") }
        directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1"
        let script = """
            set -e
            cd '\(directory)'
            for ca in ca other-ca; do
                openssl req -x509 \(key) -nodes -keyout $ca.key -out $ca.pem -days 2 -subj "/CN=Test $ca"
            done
            sign() { # name, subject, days, extension
                openssl req \(key) -nodes -keyout $1.key -out $1.csr -subj "$2"
                printf '%s\\n' "$4" > $1.ext
                openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days $3 -extfile $1.ext -out $1.pem
            }
            sign server "/O=Test/CN=localhost" 2 "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1"
            sign elsewhere "/CN=elsewhere" 2 "subjectAltName=DNS:broker.example,DNS:mq.example"
            sign expired "/CN=localhost" -1 "subjectAltName=DNS:localhost"
            sign client "/CN=agent" 2 "extendedKeyUsage=clientAuth"
            sign client-expired "/CN=agent" -1 "extendedKeyUsage=clientAuth"
            sign intermediate "/CN=Test intermediate" 2 "basicConstraints=critical,CA:TRUE"
            openssl req \(key) -nodes -keyout below.key -out below.csr -subj "/CN=localhost"
            printf 'subjectAltName=DNS:localhost\\n' > below.ext
            openssl x509 -req -in below.csr -CA intermediate.pem -CAkey intermediate.key -CAcreateserial -days 2 \
                -extfile below.ext -out below-alone.pem
            cat below-alone.pem intermediate.pem > below.pem
            openssl req \(key) -nodes -keyout stranger.key -out stranger.csr -subj "/CN=agent"
            openssl x509 -req -in stranger.csr -CA other-ca.pem -CAkey other-ca.key -CAcreateserial -days 2 -out stranger.pem
            openssl pkcs12 -export -in client.pem -inkey client.key -certfile ca.pem -passout pass:sesame -out client.p12
            openssl pkcs8 -topk8 -in client.key -out client-locked.key -v2 aes256 -passout pass:sesame
            cat client.pem client.key > client-both.pem
            echo nothing > empty.pem
            mkdir authorities
            cp ca.pem authorities
            openssl rehash authorities
            """
        guard system("(\(script)) >/dev/null 2>&1") == 0 else { throw PeerFailure(what: "openssl in \(directory)") }
        let name = directory
        Self.removeAtExit(name)
    }

    private static func removeAtExit(_ name: String) {
        directoryToRemove.store(name)
        atexit { TransportCertificates.directoryToRemove.remove() }
    }

    private static let directoryToRemove = Leftover()

    private final class Leftover: Sendable {
        private let name = Watched("")
        func store(_ value: String) { name.update { $0 = value } }
        func remove() { if !name.value.isEmpty { _ = system("rm -rf '\(name.value)'") } }
    }
}
#endif
