// Filter expressions are libpcap's, and it compiles them: here, so that the daemon has no parser of
// them. The library is loaded only for a filter, by the name that its ABI has had since 1999; so
// `weft` neither needs it to be built nor to start.

package import ControlAPI
import Glibc

/// Why there is no filter.
package struct FilterProblem: Error, Equatable, CustomStringConvertible {
    package let description: String
}

/// libpcap's compiler of filter expressions.
package struct FilterCompiler {
    /// pcap/pcap.h, pcap/bpf.h.
    private typealias OpenDead = @convention(c) (Int32, Int32) -> OpaquePointer?
    private typealias Compile =
        @convention(c) (
            OpaquePointer, UnsafeMutableRawPointer, UnsafePointer<CChar>, Int32, UInt32
        ) -> Int32
    private typealias Free = @convention(c) (UnsafeMutableRawPointer) -> Void
    private typealias ErrorText = @convention(c) (OpaquePointer) -> UnsafePointer<CChar>
    private typealias Close = @convention(c) (OpaquePointer) -> Void

    /// DLT_EN10MB, PCAP_NETMASK_UNKNOWN.
    private static let ethernet: Int32 = 1
    private static let unknownNetmask: UInt32 = 0xffff_ffff

    private let openDead: OpenDead
    private let compile: Compile
    private let free: Free
    private let errorText: ErrorText
    private let close: Close

    /// Loads the library.
    package init() throws(FilterProblem) {
        guard let library = dlopen("libpcap.so.0.8", RTLD_NOW) ?? dlopen("libpcap.so.1", RTLD_NOW)
        else {
            throw FilterProblem(
                description: "a filter needs libpcap, which is not installed: apt install "
                    + "libpcap0.8, or capture without a filter")
        }
        func find(_ name: String) throws(FilterProblem) -> UnsafeMutableRawPointer {
            guard let symbol = dlsym(library, name) else {
                throw FilterProblem(description: "the libpcap here has no \(name)")
            }
            return symbol
        }
        // SAFETY: the headers declare them so.
        openDead = unsafeBitCast(try find("pcap_open_dead"), to: OpenDead.self)
        compile = unsafeBitCast(try find("pcap_compile"), to: Compile.self)
        free = unsafeBitCast(try find("pcap_freecode"), to: Free.self)
        errorText = unsafeBitCast(try find("pcap_geterr"), to: ErrorText.self)
        close = unsafeBitCast(try find("pcap_close"), to: Close.self)
    }

    /// The program of an expression, which keeps `snapLength` bytes of a packet.
    package func program(
        _ expression: String, snapLength: Int
    ) throws(FilterProblem) -> [FilterInstruction] {
        guard let handle = openDead(Self.ethernet, Int32(snapLength)) else {
            throw FilterProblem(description: "libpcap: no memory")
        }
        defer { close(handle) }
        // struct bpf_program: a count, padding, a pointer to instructions.
        let program = UnsafeMutableRawPointer.allocate(byteCount: 16, alignment: 8)
        program.initializeMemory(as: UInt8.self, repeating: 0, count: 16)
        defer { program.deallocate() }
        guard compile(handle, program, expression, 1, Self.unknownNetmask) == 0 else {
            let reason = String(cString: errorText(handle))
            throw FilterProblem(description: "filter `\(expression)`: \(reason) (pcap-filter(7))")
        }
        defer { free(program) }
        let count = Int(program.load(as: UInt32.self))
        let code = program.load(fromByteOffset: 8, as: UnsafeRawPointer?.self)
        guard let code else { return [] }
        return (0..<count).map { index in
            let at = code + index * 8
            return FilterInstruction(
                code: at.load(as: UInt16.self),
                jumpTrue: at.load(fromByteOffset: 2, as: UInt8.self),
                jumpFalse: at.load(fromByteOffset: 3, as: UInt8.self),
                k: at.load(fromByteOffset: 4, as: UInt32.self))
        }
    }
}
