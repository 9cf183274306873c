// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [.treatAllWarnings(as: .error)]
// Asynchronous functions run where their caller does, without a change of executor and back.
let callers: [SwiftSetting] = [.enableUpcomingFeature("NonisolatedNonsendingByDefault")]

let package = Package(
    name: "psistats",
    products: [
        .library(name: "AMQPWire", targets: ["AMQPWire"]),
        .library(name: "HostMetrics", targets: ["HostMetrics"]),
        .executable(name: "psistats", targets: ["PsistatsAgent"]),
    ],
    traits: [
        .trait(name: "TLS", description: "amqps:// by the system's OpenSSL 3; without it AMQPWire depends on nothing."),
        .trait(name: "Agent", description: "The program psistats; who takes a library alone does without."),
        .default(enabledTraits: ["TLS", "Agent"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    ],
    targets: [
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .target(
            name: "AMQPWire",
            dependencies: [
                "CLinux",
                .target(name: "COpenSSL", condition: .when(traits: ["TLS"])),
            ],
            swiftSettings: strict + callers
        ),
        .systemLibrary(name: "CSensors", providers: [.apt(["libsensors-dev"])]),
        .target(
            name: "HostMetrics",
            dependencies: ["CLinux", "CSensors"],
            path: "Sources/Metrics",
            exclude: ["README.md"],
            swiftSettings: strict
        ),
        // The psistats.conf in the root, for `psistats config`.
        .target(name: "CSampleConfiguration"),
        .executableTarget(
            name: "PsistatsAgent",
            dependencies: [
                "AMQPWire",
                "HostMetrics",
                "CLinux",
                "CSampleConfiguration",
                .product(
                    name: "ArgumentParser",
                    package: "swift-argument-parser",
                    condition: .when(traits: ["Agent"])
                ),
                .product(name: "Logging", package: "swift-log", condition: .when(traits: ["Agent"])),
            ],
            path: "Sources/Agent",
            swiftSettings: strict
        ),
        .testTarget(
            name: "AMQPWireTests",
            dependencies: [
                "AMQPWire",
                "CLinux",
                .target(name: "COpenSSL", condition: .when(traits: ["TLS"])),
            ],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "CollectorReading",
            dependencies: ["HostMetrics"],
            path: "Tests/CollectorReading",
            swiftSettings: strict
        ),
        .testTarget(name: "MetricsTests", dependencies: ["HostMetrics", "CollectorReading"], swiftSettings: strict),
        .testTarget(
            name: "AgentTests",
            dependencies: ["PsistatsAgent", "AMQPWire", "HostMetrics"],
            swiftSettings: strict
        ),
    ],
    swiftLanguageModes: [.v6]
)
