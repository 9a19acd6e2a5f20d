// swift-tools-version: 6.2
import PackageDescription

/// Settings of every Swift target: the language modes that the whole project is written in.
let language: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// Targets on the packet's way: no run-time exclusivity checks (FACTS: up to 9x in loops over
/// class storage). Overflow and bounds checks stay on: a trap is better than a corrupted host.
let hotPath: [SwiftSetting] = language + [.unsafeFlags(["-enforce-exclusivity=unchecked"])]

let package = Package(
    name: "weft",
    products: [
        .executable(name: "weftd", targets: ["weftd"]),
        .executable(name: "weft", targets: ["weft"]),
        .executable(name: "weft-bench", targets: ["weft-bench"]),
        // For bench/micro, which is a package of its own.
        .library(name: "ForwardingBench", targets: ["CAllocationCount", "ForwardingBench"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swhitty/FlyingFox", from: "0.27.1"),
    ],
    targets: [
        // What Swift cannot import by itself.
        .target(name: "CLinux"),
        .systemLibrary(
            name: "CLiburing", pkgConfig: "liburing", providers: [.apt(["liburing-dev"])]),
        .systemLibrary(name: "CLibbpf", pkgConfig: "libbpf", providers: [.apt(["libbpf-dev"])]),

        // The packet's way, bottom up.
        .target(name: "Wire", dependencies: ["CLinux"], swiftSettings: hotPath),
        .target(name: "Forwarding", dependencies: ["CLinux", "Wire"], swiftSettings: hotPath),
        .target(name: "Uring", dependencies: ["CLinux", "CLiburing"], swiftSettings: hotPath),
        .target(
            name: "Ports", dependencies: ["CLinux", "CLibbpf", "Wire"], swiftSettings: language),
        .target(name: "Capture", dependencies: ["ControlAPI"], swiftSettings: hotPath),
        .target(
            name: "Datapath",
            dependencies: [
                "Capture", "Catalog", "CLinux", "ControlAPI", "Forwarding", "Ports", "Uring",
                "Wire",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: hotPath),

        // Desired state and control.
        .target(
            name: "Catalog",
            dependencies: ["ControlAPI", "Wire", .product(name: "Yams", package: "Yams")],
            swiftSettings: language),
        .target(name: "ControlAPI", swiftSettings: language),
        .target(name: "BenchSupport", swiftSettings: language),
        .target(name: "CAllocationCount"),
        .target(
            name: "ForwardingBench", dependencies: ["Forwarding", "TestFrames", "Wire"],
            swiftSettings: hotPath),
        .target(name: "Lab", dependencies: ["CLinux", "Wire"], swiftSettings: language),

        .executableTarget(
            name: "weftd",
            dependencies: [
                "CLinux", "Catalog", "ControlAPI", "Datapath", "Ports", "Wire",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "FlyingFox", package: "FlyingFox"),
                .product(name: "FlyingSocks", package: "FlyingFox"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: language),
        .executableTarget(
            name: "weft",
            dependencies: [
                "ControlAPI", "Lab",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: language),
        .executableTarget(
            name: "weft-bench",
            dependencies: [
                "BenchSupport", "CLinux", "ControlAPI", "ForwardingBench", "Lab", "Wire",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: language),

        // Frames to test with, built without the code under test.
        .target(
            name: "TestFrames", dependencies: ["Wire"], path: "Tests/TestFrames",
            swiftSettings: language),
        .testTarget(
            name: "WireTests", dependencies: ["TestFrames", "Wire"], swiftSettings: language),
        .testTarget(
            name: "ForwardingTests", dependencies: ["Forwarding", "TestFrames", "Wire"],
            swiftSettings: language),
        .testTarget(
            name: "CaptureTests", dependencies: ["Capture", "ControlAPI", "TestFrames"],
            swiftSettings: language),
        .testTarget(name: "UringTests", dependencies: ["Uring"], swiftSettings: language),
        .testTarget(
            name: "PortsTests", dependencies: ["Ports", "Uring", "Wire"], swiftSettings: language),
        .testTarget(
            name: "CatalogTests", dependencies: ["Catalog", "ControlAPI", "Wire"],
            swiftSettings: language),
        .testTarget(name: "ControlAPITests", dependencies: ["ControlAPI"], swiftSettings: language),
        .testTarget(
            name: "ControlServerTests",
            dependencies: [
                "Catalog", "ControlAPI", "Wire", "weftd",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: language),
        .testTarget(
            name: "WeftTests", dependencies: ["Capture", "ControlAPI", "weft"],
            swiftSettings: language),
        .testTarget(
            name: "DatapathTests",
            dependencies: [
                "Catalog", "ControlAPI", "Datapath", "Forwarding", "TestFrames", "Uring", "Wire",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: language),
        .testTarget(
            name: "BenchTests", dependencies: ["BenchSupport"], swiftSettings: language),
        .testTarget(
            name: "ForwardingBenchTests", dependencies: ["CAllocationCount", "ForwardingBench"],
            swiftSettings: language),
        .testTarget(
            name: "LabTests", dependencies: ["Catalog", "Lab", "Wire"], swiftSettings: language),
        .testTarget(name: "PackagingTests", swiftSettings: language),
        .testTarget(name: "TidyTests", swiftSettings: language),
        .testTarget(
            name: "ScenarioTests",
            dependencies: ["CLinux", "ControlAPI", "Lab", "TestFrames", "Wire"],
            exclude: ["Support/Guest", "Support/Python", "Support/schemathesis.toml"],
            swiftSettings: language),
    ]
)
