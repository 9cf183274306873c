#if Agent
import Glibc

/// Somebody who is not root; `nobody`, where root runs the tests.
enum TestUser {
    /// Who that is; nil where the tests are not root's.
    static let other: uid_t? = geteuid() == 0 ? 65_534 : nil

    /// What makes a program run as a user who is not root.
    static let prefix =
        geteuid() == 0
        ? ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--"] : []
}
#endif
