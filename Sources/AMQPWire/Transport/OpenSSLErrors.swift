#if TLS
import COpenSSL
import Glibc

/// OpenSSL's error queue in words for operators.
enum OpenSSLErrors {
    /// The first error of the queue as OpenSSL words it. Empties the queue.
    static func takeText() -> String {
        let code = ERR_get_error()
        ERR_clear_error()
        return text(code)
    }

    private static func text(_ code: UInt) -> String {
        guard code != 0 else { return "no reason given" }
        if let reason = ERR_reason_error_string(code) { return String(cString: reason) }
        return "OpenSSL error \(code)"
    }

    /// The error that ended a call on an `SSL`. Empties the queue.
    static func take(
        _ phase: TransportError.Phase,
        _ ssl: OpaquePointer,
        host: String,
        endpoint: String
    ) -> TransportError {
        let code = ERR_get_error()
        ERR_clear_error()
        let words = text(code)
        func error(
            _ reason: TransportError.Reason,
            _ tls: AMQPError.TLSFailure,
            _ detail: String,
            _ remedy: String? = nil
        ) -> TransportError {
            // With TLS 1.3 the peer refuses our certificate only after the handshake, in what is read then.
            TransportError(
                reason == .certificate ? .tls : phase,
                reason,
                endpoint: endpoint,
                detail: detail,
                remedy: remedy,
                tls: tls
            )
        }
        switch ERR_GET_REASON(code) {
        case SSL_R_CERTIFICATE_VERIFY_FAILED:
            let (tls, detail, remedy) = verification(ssl, host: host)
            return error(.certificate, tls, detail, remedy)
        case SSL_R_WRONG_VERSION_NUMBER, SSL_R_HTTP_REQUEST, SSL_R_PACKET_LENGTH_TOO_LONG, SSL_R_BAD_RECORD_TYPE:
            let advice = "connect to its TLS port (5671 by default), or without TLS (amqp://)"
            return error(.secureProtocol, .notTLS, "the peer does not speak TLS on this port (\(words))", advice)
        case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, SSL_R_VERSION_TOO_LOW:
            let what = "the peer has no version of TLS that is allowed here (\(words))"
            return error(.secureProtocol, .noCommonVersion, what, "enable TLS 1.2 or later on it")
        case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
            let what = "the peer requires a certificate of ours"
            return error(.certificate, .clientCertificateRequired, what, "give one with certfile and keyfile")
        case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
            let advice = "it may require a certificate of ours (certfile, keyfile), or share no cipher with us"
            return error(.secureProtocol, .handshakeRefused, "the peer refused the handshake", advice)
        case SSL_R_TLSV1_ALERT_UNKNOWN_CA, SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED,
            SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN,
            SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, SSL_R_TLSV1_ALERT_ACCESS_DENIED,
            SSL_R_TLSV1_ALERT_DECRYPT_ERROR:
            let advice = "check certfile, its dates, and that the peer knows its authority"
            return error(.certificate, .clientCertificateRefused, "the peer refused our certificate (\(words))", advice)
        case SSL_R_TLSV1_UNRECOGNIZED_NAME:
            let what = "the peer does not know the name \(host)"
            return error(.secureProtocol, .unknownServerName, what, "give server_name_indication")
        default:
            return error(.secureProtocol, .other, words)
        }
    }

    /// Why a certificate was not accepted, and what to do about it.
    private static func verification(
        _ ssl: OpaquePointer,
        host: String
    ) -> (AMQPError.TLSFailure, detail: String, remedy: String?) {
        // Kept after a failure too: as much of the chain as could be built, the peer's own certificate first.
        let chain = SSL_get0_verified_chain(ssl)
        let count = copenssl_chain_count(chain)
        let certificates = (0..<count).compactMap { copenssl_chain_certificate(chain, $0) }
        let code = SSL_get_verify_result(ssl)
        switch Int32(truncatingIfNeeded: code) {
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
            X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
            X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, X509_V_ERR_CERT_UNTRUSTED:
            let authority = certificates.last.map { " (\(OpenSSLText.issuer($0)))" } ?? ""
            let what = "the certificate of \(host) is signed by an unknown authority\(authority)"
            return (.unknownAuthority, what, "give its CA with cacertfile")
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
            let names = certificates.first.map { OpenSSLText.names($0) } ?? "another host"
            let what = "host name does not match: the certificate is not for \(host) but for \(names)"
            return (.wrongName, what, "connect by a name it has, or give that with server_name_indication")
        case X509_V_ERR_CERT_HAS_EXPIRED:
            let expired = certificates.first { X509_cmp_current_time(X509_get0_notAfter($0)) < 0 }
            guard let expired else { return (.expired, "the certificate of \(host) has expired", "renew it") }
            let when = OpenSSLText.time(X509_get0_notAfter(expired))
            return (
                .expired, "the certificate \(OpenSSLText.subject(expired)) of \(host) expired on \(when)", "renew it"
            )
        case X509_V_ERR_APPLICATION_VERIFICATION:
            return (.certificateRefused, "the program did not accept the certificate of \(host)", nil)
        case X509_V_ERR_CERT_NOT_YET_VALID:
            return (.notYetValid, "the certificate of \(host) is not valid yet", "check the clocks of both hosts")
        default:
            let words = X509_verify_cert_error_string(code).map { String(cString: $0) } ?? "error \(code)"
            return (.certificateRefused, "the certificate of \(host) is not accepted: \(words)", nil)
        }
    }
}

/// Parts of certificates as text that is fit for a log: one line, no control characters, of bounded length.
enum OpenSSLText {
    static func subject(_ certificate: OpaquePointer) -> String {
        printed { X509_NAME_print_ex($0, X509_get_subject_name(certificate), 0, nameFlags) >= 0 }
    }

    static func issuer(_ certificate: OpaquePointer) -> String {
        printed { X509_NAME_print_ex($0, X509_get_issuer_name(certificate), 0, nameFlags) >= 0 }
    }

    /// The names in the certificate, its subject where it has none.
    static func names(_ certificate: OpaquePointer) -> String {
        let index = X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1)
        guard index >= 0, let part = X509_get_ext(certificate, index) else { return subject(certificate) }
        return printed { X509V3_EXT_print($0, part, 0, 0) == 1 }
    }

    static func time(_ time: UnsafePointer<ASN1_TIME>?) -> String {
        printed { ASN1_TIME_print($0, time) == 1 }
    }

    private static let nameFlags = copenssl_name_flags

    private static func printed(_ print: (OpaquePointer) -> Bool) -> String {
        guard let bio = BIO_new(BIO_s_mem()) else { return "?" }
        defer { BIO_free(bio) }
        guard print(bio) else { return "?" }
        var start: UnsafeMutablePointer<CChar>?
        let length = copenssl_bio_memory(bio, &start)
        guard let start, length > 0 else { return "?" }
        let octets = UnsafeRawBufferPointer(start: start, count: min(length, 300))
        return String(decoding: octets.map { $0 < 0x20 || $0 == 0x7F ? UInt8(ascii: "?") : $0 }, as: UTF8.self)
    }
}
#endif
