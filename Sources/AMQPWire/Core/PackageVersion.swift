/// The version of this package, by https://semver.org. It stands here only: brokers are told it as the client's version,
/// `psistats --version` prints it, and `Scripts/version` reads it for the Debian package.
package enum PackageVersion {
    package static let current = "1.0.0"
}
