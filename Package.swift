// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [.treatAllWarnings(as: .error)]

let package = Package(
    name: "psistats",
    products: [
        .library(name: "AMQPWire", targets: ["AMQPWire"]),
        .executable(name: "psistats", targets: ["PsistatsAgent"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
    ],
    targets: [
        .target(name: "AMQPWire", swiftSettings: strict),
        .executableTarget(
            name: "PsistatsAgent",
            dependencies: [
                "AMQPWire",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Sources/Agent",
            swiftSettings: strict
        ),
        .testTarget(name: "AMQPWireTests", dependencies: ["AMQPWire"], swiftSettings: strict),
        .testTarget(name: "AgentTests", dependencies: ["PsistatsAgent"], swiftSettings: strict),
    ],
    swiftLanguageModes: [.v6]
)
