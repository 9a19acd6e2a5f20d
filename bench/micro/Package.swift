// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that nothing that runs Weft waits for the benchmark library to build.
// Without its traits: their counts of allocations read 0 on some machines whatever is allocated;
// CAllocationCount's is asserted to count.
let package = Package(
    name: "weft-micro",
    dependencies: [
        .package(name: "weft", path: "../.."),
        .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.1", traits: []),
    ],
    targets: [
        .executableTarget(
            name: "Micro",
            dependencies: [
                .product(name: "Benchmark", package: "benchmark"),
                .product(name: "ForwardingBench", package: "weft"),
            ],
            path: "Benchmarks/Micro",
            plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")])
    ]
)
