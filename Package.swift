// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [.treatAllWarnings(as: .error)]
// Asynchronous functions run where their caller does, without a change of executor and back.
let callers: [SwiftSetting] = [.enableUpcomingFeature("NonisolatedNonsendingByDefault")]

let package = Package(
    name: "psistats",
    products: [
        .library(name: "AMQPWire", targets: ["AMQPWire"]),
        .library(name: "AMQPWireLogging", targets: ["AMQPWireLogging"]),
        .library(name: "AMQPWireMetrics", targets: ["AMQPWireMetrics"]),
        .library(name: "AMQPWireTracing", targets: ["AMQPWireTracing"]),
        .library(name: "AMQPWireService", targets: ["AMQPWireService"]),
        .library(name: "HostMetrics", targets: ["HostMetrics"]),
        .executable(name: "psistats", targets: ["PsistatsAgent"]),
    ],
    traits: [
        .trait(name: "TLS", description: "amqps:// by the system's OpenSSL 3; without it AMQPWire depends on nothing."),
        .trait(name: "Agent", description: "The program psistats; who takes a library alone does without."),
        .trait(name: "Logging", description: "AMQPWireLogging: events of connections in swift-log."),
        .trait(name: "Metrics", description: "AMQPWireMetrics: counters and timers in swift-metrics."),
        .trait(name: "Tracing", description: "AMQPWireTracing: spans of messages in swift-distributed-tracing."),
        .trait(name: "ServiceLifecycle", description: "AMQPWireService: connections and consumers as services."),
        .default(enabledTraits: ["TLS", "Agent"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.7.3"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
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
        // What is in these four is compiled with its trait only, and only then is what they use fetched.
        .target(
            name: "AMQPWireLogging",
            dependencies: [
                "AMQPWire",
                .product(name: "Logging", package: "swift-log", condition: .when(traits: ["Logging"])),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "AMQPWireMetrics",
            dependencies: [
                "AMQPWire",
                .product(name: "CoreMetrics", package: "swift-metrics", condition: .when(traits: ["Metrics"])),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "AMQPWireTracing",
            dependencies: [
                "AMQPWire",
                .product(
                    name: "Tracing",
                    package: "swift-distributed-tracing",
                    condition: .when(traits: ["Tracing"])
                ),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "AMQPWireService",
            dependencies: [
                "AMQPWire",
                .product(
                    name: "ServiceLifecycle",
                    package: "swift-service-lifecycle",
                    condition: .when(traits: ["ServiceLifecycle"])
                ),
            ],
            swiftSettings: strict
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
