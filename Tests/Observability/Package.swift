// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that neither the package above nor its tests need what is observed with.
let package = Package(
    name: "Observability",
    dependencies: [
        .package(
            name: "psistats",
            path: "../..",
            traits: ["TLS", "Logging", "Metrics", "Tracing", "ServiceLifecycle"]
        ),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.7.3"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        .testTarget(
            name: "ObservabilityTests",
            dependencies: [
                .product(name: "AMQPWire", package: "psistats"),
                .product(name: "AMQPWireLogging", package: "psistats"),
                .product(name: "AMQPWireMetrics", package: "psistats"),
                .product(name: "AMQPWireTracing", package: "psistats"),
                .product(name: "AMQPWireService", package: "psistats"),
                .product(name: "InMemoryLogging", package: "swift-log"),
                .product(name: "MetricsTestKit", package: "swift-metrics"),
                .product(name: "InMemoryTracing", package: "swift-distributed-tracing"),
                .product(name: "ServiceLifecycleTestKit", package: "swift-service-lifecycle"),
            ],
            swiftSettings: [.treatAllWarnings(as: .error)]
        )
    ],
    swiftLanguageModes: [.v6]
)
