import ControlAPI
import Glibc

/// libpcap's own interpreter of classic BPF, where the library is installed.
struct Libpcap: Sendable {
    private typealias Filter =
        @convention(c) @Sendable (UnsafeRawPointer, UnsafePointer<UInt8>, UInt32, UInt32) -> UInt32
    private typealias Validate = @convention(c) @Sendable (UnsafeRawPointer, Int32) -> Int32

    static let shared = Libpcap()

    private let filter: Filter
    private let validate: Validate

    private init?() {
        guard let library = dlopen("libpcap.so.0.8", RTLD_NOW),
            let filter = dlsym(library, "bpf_filter"),
            let validate = dlsym(library, "bpf_validate")
        else { return nil }
        // SAFETY: pcap/bpf.h declares them so.
        self.filter = unsafeBitCast(filter, to: Filter.self)
        self.validate = unsafeBitCast(validate, to: Validate.self)
    }

    /// What `bpf_filter` returns for a packet that was captured whole.
    func run(_ program: [FilterInstruction], _ packet: [UInt8]) -> UInt32 {
        packed(program).withUnsafeBytes { code in
            packet.withUnsafeBufferPointer {
                // An empty array has no address, and the packet's length says that there is none.
                let start = $0.baseAddress ?? UnsafePointer(bitPattern: 1)!
                return filter(code.baseAddress!, start, UInt32($0.count), UInt32($0.count))
            }
        }
    }

    /// Whether `bpf_validate` lets a program pass.
    func accepts(_ program: [FilterInstruction]) -> Bool {
        packed(program).withUnsafeBytes { validate($0.baseAddress!, Int32(program.count)) != 0 }
    }

    /// Instructions as C lays them out: u16, u8, u8, u32.
    private func packed(_ program: [FilterInstruction]) -> [UInt64] {
        program.map {
            UInt64($0.code) | UInt64($0.jumpTrue) << 16 | UInt64($0.jumpFalse) << 24
                | UInt64($0.k) << 32
        }
    }
}
