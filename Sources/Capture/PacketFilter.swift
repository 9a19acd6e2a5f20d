// PacketFilter: classic BPF, the language that libpcap's filter expressions are compiled to.
//
// Programs come from outside and are run by workers on packets from outside. So a program is
// validated once, by the rules of bpf_validate(3), and what a packet makes of it is bounded: jumps
// go forwards only, so no instruction runs twice; places in memory are in range; the last
// instruction returns. A load from beyond the packet's end returns 0, which is "no".

public import ControlAPI

/// Why a program is no filter.
public struct FilterError: Error, Equatable, CustomStringConvertible {
    public let description: String
}

/// A validated program. The memory is its owner's to free.
public struct PacketFilter: @unchecked Sendable {
    /// Most instructions that a program may have: the kernel's own bound (BPF_MAXINSNS).
    public static let maximumLength = 4096
    /// Numbers that a program can keep.
    static let memoryCount = 16

    struct Instruction {
        var code: UInt16
        var jumpTrue: UInt8
        var jumpFalse: UInt8
        var k: UInt32
    }

    let instructions: UnsafePointer<Instruction>

    /// - Throws: `FilterError`, which names the instruction that is wrong.
    public init(_ program: [FilterInstruction]) throws(FilterError) {
        guard (1...Self.maximumLength).contains(program.count) else {
            throw FilterError(
                description: "a filter has 1 to \(Self.maximumLength) instructions, not "
                    + "\(program.count)")
        }
        for (index, instruction) in program.enumerated() {
            if let reason = Self.complaint(instruction, left: program.count - index - 1) {
                throw FilterError(description: "the filter's instruction \(index) \(reason)")
            }
        }
        guard program[program.count - 1].code & Code.classMask == Code.ret else {
            throw FilterError(description: "the filter's last instruction does not return")
        }
        let memory = UnsafeMutablePointer<Instruction>.allocate(capacity: program.count)
        for (index, instruction) in program.enumerated() {
            (memory + index).initialize(
                to: Instruction(
                    code: instruction.code, jumpTrue: instruction.jumpTrue,
                    jumpFalse: instruction.jumpFalse, k: instruction.k))
        }
        instructions = UnsafePointer(memory)
    }

    /// Nobody may run it any more.
    public func deallocate() { instructions.deallocate() }

    /// What is wrong with an instruction that `left` others follow.
    private static func complaint(_ instruction: FilterInstruction, left: Int) -> String? {
        let k = instruction.k
        switch instruction.code {
        case Code.loadWord, Code.loadHalf, Code.loadByte, Code.loadWordIndexed,
            Code.loadHalfIndexed, Code.loadByteIndexed, Code.loadLength, Code.loadImmediate,
            Code.loadXImmediate, Code.loadXLength, Code.loadXHeaderLength, Code.negate,
            Code.copyAToX, Code.copyXToA, Code.retK, Code.retA:
            return nil
        case Code.loadMemory, Code.loadXMemory, Code.store, Code.storeX:
            return k < UInt32(memoryCount) ? nil : "uses memory \(k) of \(memoryCount)"
        case Code.divideK, Code.moduloK:
            return k != 0 ? nil : "divides by zero"
        case Code.shiftLeftK, Code.shiftRightK:
            return k < 32 ? nil : "shifts by \(k)"
        case Code.addK, Code.subtractK, Code.multiplyK, Code.orK, Code.andK, Code.xorK, Code.addX,
            Code.subtractX, Code.multiplyX, Code.divideX, Code.moduloX, Code.orX, Code.andX,
            Code.xorX, Code.shiftLeftX, Code.shiftRightX:
            return nil
        case Code.jump:
            return k < UInt32(left) ? nil : "jumps out of the program"
        case Code.jumpEqualK, Code.jumpGreaterK, Code.jumpGreaterEqualK, Code.jumpSetK,
            Code.jumpEqualX, Code.jumpGreaterX, Code.jumpGreaterEqualX, Code.jumpSetX:
            let farthest = max(instruction.jumpTrue, instruction.jumpFalse)
            return Int(farthest) < left ? nil : "jumps out of the program"
        default:
            return "has an unknown code \(instruction.code)"
        }
    }
}

/// Codes of instructions: linux/bpf_common.h.
enum Code {
    static let classMask: UInt16 = 0x07
    static let ret: UInt16 = 0x06

    static let loadWord: UInt16 = 0x20
    static let loadHalf: UInt16 = 0x28
    static let loadByte: UInt16 = 0x30
    static let loadWordIndexed: UInt16 = 0x40
    static let loadHalfIndexed: UInt16 = 0x48
    static let loadByteIndexed: UInt16 = 0x50
    static let loadLength: UInt16 = 0x80
    static let loadImmediate: UInt16 = 0x00
    static let loadMemory: UInt16 = 0x60
    static let loadXImmediate: UInt16 = 0x01
    static let loadXMemory: UInt16 = 0x61
    static let loadXLength: UInt16 = 0x81
    /// Four times the lower half of a byte: the length of an IPv4 header.
    static let loadXHeaderLength: UInt16 = 0xb1
    static let store: UInt16 = 0x02
    static let storeX: UInt16 = 0x03

    static let addK: UInt16 = 0x04
    static let subtractK: UInt16 = 0x14
    static let multiplyK: UInt16 = 0x24
    static let divideK: UInt16 = 0x34
    static let orK: UInt16 = 0x44
    static let andK: UInt16 = 0x54
    static let shiftLeftK: UInt16 = 0x64
    static let shiftRightK: UInt16 = 0x74
    static let negate: UInt16 = 0x84
    static let moduloK: UInt16 = 0x94
    static let xorK: UInt16 = 0xa4
    static let addX: UInt16 = 0x0c
    static let subtractX: UInt16 = 0x1c
    static let multiplyX: UInt16 = 0x2c
    static let divideX: UInt16 = 0x3c
    static let orX: UInt16 = 0x4c
    static let andX: UInt16 = 0x5c
    static let shiftLeftX: UInt16 = 0x6c
    static let shiftRightX: UInt16 = 0x7c
    static let moduloX: UInt16 = 0x9c
    static let xorX: UInt16 = 0xac

    static let jump: UInt16 = 0x05
    static let jumpEqualK: UInt16 = 0x15
    static let jumpGreaterK: UInt16 = 0x25
    static let jumpGreaterEqualK: UInt16 = 0x35
    static let jumpSetK: UInt16 = 0x45
    static let jumpEqualX: UInt16 = 0x1d
    static let jumpGreaterX: UInt16 = 0x2d
    static let jumpGreaterEqualX: UInt16 = 0x3d
    static let jumpSetX: UInt16 = 0x4d

    static let copyAToX: UInt16 = 0x07
    static let copyXToA: UInt16 = 0x87
    static let retK: UInt16 = 0x06
    static let retA: UInt16 = 0x16
}
