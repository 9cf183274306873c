// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "Benchmarks",
    dependencies: [
        // Named, because a checkout's folder may have any name.
        .package(name: "psistats", path: "..", traits: ["TLS"])
    ],
    targets: [
        .executableTarget(
            name: "amqpwire-bench",
            dependencies: [.product(name: "AMQPWire", package: "psistats")],
            swiftSettings: [.treatAllWarnings(as: .error)]
        ),
        .executableTarget(
            name: "hostmetrics-bench",
            dependencies: [.product(name: "HostMetrics", package: "psistats")],
            swiftSettings: [.treatAllWarnings(as: .error)]
        ),
    ],
    swiftLanguageModes: [.v6]
)
