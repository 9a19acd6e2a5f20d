/// The registers of classic BPF while a program looks at a packet.
private struct Machine {
    var a: UInt32 = 0
    var x: UInt32 = 0
    var memory = InlineArray<16, UInt32>(repeating: 0)
}

extension PacketFilter {
    /// How many bytes of a packet the program wants to keep; 0 = it does not want it.
    public func run(_ packet: PacketPieces) -> UInt32 {
        var machine = Machine()
        var next = 0
        while true {
            let instruction = instructions[next]
            next &+= 1
            switch instruction.code & Code.classMask {
            case 0x00:
                guard let value = machine.loadA(instruction, packet) else { return 0 }
                machine.a = value
            case 0x01:
                guard let value = machine.loadX(instruction, packet) else { return 0 }
                machine.x = value
            case 0x02: machine.memory[Int(instruction.k)] = machine.a
            case 0x03: machine.memory[Int(instruction.k)] = machine.x
            case 0x04:
                guard let value = machine.compute(instruction) else { return 0 }
                machine.a = value
            case 0x05: next &+= machine.jump(instruction)
            case 0x06: return instruction.code == Code.retA ? machine.a : instruction.k
            default:
                if instruction.code == Code.copyAToX {
                    machine.x = machine.a
                } else {
                    machine.a = machine.x
                }
            }
        }
    }
}

extension Machine {
    @inline(__always)
    func loadA(_ instruction: PacketFilter.Instruction, _ packet: PacketPieces) -> UInt32? {
        let k = Int(instruction.k)
        return switch instruction.code {
        case Code.loadWord: packet.load(k, bytes: 4)
        case Code.loadHalf: packet.load(k, bytes: 2)
        case Code.loadByte: packet.load(k, bytes: 1)
        case Code.loadWordIndexed: packet.load(k &+ Int(x), bytes: 4)
        case Code.loadHalfIndexed: packet.load(k &+ Int(x), bytes: 2)
        case Code.loadByteIndexed: packet.load(k &+ Int(x), bytes: 1)
        case Code.loadLength: UInt32(truncatingIfNeeded: packet.length)
        case Code.loadMemory: memory[k]
        default: instruction.k
        }
    }

    @inline(__always)
    func loadX(_ instruction: PacketFilter.Instruction, _ packet: PacketPieces) -> UInt32? {
        let k = Int(instruction.k)
        return switch instruction.code {
        case Code.loadXLength: UInt32(truncatingIfNeeded: packet.length)
        case Code.loadXMemory: memory[k]
        case Code.loadXHeaderLength: packet.load(k, bytes: 1).map { ($0 & 0xf) << 2 }
        default: instruction.k
        }
    }

    /// Nil for a division by zero, which ends the program.
    @inline(__always)
    func compute(_ instruction: PacketFilter.Instruction) -> UInt32? {
        let usesX = instruction.code & 0x08 != 0
        let operand = usesX ? x : instruction.k
        switch instruction.code & 0xf0 {
        case 0x00: return a &+ operand
        case 0x10: return a &- operand
        case 0x20: return a &* operand
        case 0x30: return operand == 0 ? nil : a / operand
        case 0x40: return a | operand
        case 0x50: return a & operand
        // Swift's own shifts: by 32 and more gives 0.
        case 0x60: return a << operand
        case 0x70: return a >> operand
        case 0x80: return 0 &- a
        case 0x90: return operand == 0 ? nil : a % operand
        default: return a ^ operand
        }
    }

    /// How many instructions to pass over.
    @inline(__always)
    func jump(_ instruction: PacketFilter.Instruction) -> Int {
        let operand = instruction.code & 0x08 != 0 ? x : instruction.k
        let holds: Bool
        switch instruction.code & 0xf0 {
        case 0x00: return Int(instruction.k)
        case 0x10: holds = a == operand
        case 0x20: holds = a > operand
        case 0x30: holds = a >= operand
        default: holds = a & operand != 0
        }
        return Int(holds ? instruction.jumpTrue : instruction.jumpFalse)
    }
}
