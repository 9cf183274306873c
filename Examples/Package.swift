// swift-tools-version: 6.2
import PackageDescription

let names = ["WorkQueue", "RPC", "FanOut", "GracefulShutdown", "BatchConfirms"]

let package = Package(
    name: "Examples",
    dependencies: [
        // Named, because a checkout's folder may have any name.
        .package(name: "psistats", path: "..", traits: ["TLS"])
    ],
    targets: names.map { name in
        .executableTarget(
            name: name,
            dependencies: [.product(name: "AMQPWire", package: "psistats")],
            swiftSettings: [.treatAllWarnings(as: .error)]
        )
    },
    swiftLanguageModes: [.v6]
)
