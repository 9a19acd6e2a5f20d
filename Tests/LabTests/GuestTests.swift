import Glibc
import Lab
import Testing
import Wire

struct InitramfsTests {
    @Test func isACpioArchive() throws {
        var archive = Initramfs()
        archive.addDirectory("bin")
        archive.addFile("bin/a", contents: Array("hello".utf8), executable: true)
        let bytes = archive.finished()
        // Three headers of 110 bytes, names with their zero, all on multiples of four.
        #expect(bytes.count == (110 + 4 + 2) + (110 + 6 + 0) + 8 + (110 + 11 + 3))
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(text.hasPrefix("0707010000000" + "1" + "000041ed"))
        #expect(text.contains("000081ed"))
        #expect(text.contains("bin/a\0hello\0\0\0070701"))
        #expect(text.hasSuffix("TRAILER!!!\0\0\0\0"))
    }
}

@Suite(
    .enabled(if: geteuid() == 0, "network namespaces need root"),
    .enabled(if: Lab.canBootGuests, "scripts/install.sh test fetches what guests need"))
struct GuestTests {
    /// Two guests on one host, their TAPs in a Linux bridge.
    @Test func bootAndRunCommands() throws {
        try Lab.with(name: "t\(getpid())-guest") { lab in
            let host = try lab.addHost()
            let blue = LabNetwork("blue", vni: 100)
            let one = try lab.addGuest("g1", on: host, network: blue, addresses: ["10.0.0.1/24"])
            let two = try lab.addGuest("g2", on: host, network: blue, addresses: ["10.0.0.2/24"])
            let batch = """
                link add br0 type bridge
                link set g1 master br0
                link set g2 master br0
                link set br0 up

                """
            try host.run(["ip", "-batch", "-"], input: batch).expectSuccess()
            try one.waitUntilReady()
            try two.waitUntilReady()
            #expect(try one.run("echo $((6 * 7)); exit 3").stdout.contains("42"))
            #expect(try one.run("exit 3").status == 3)
            #expect(try one.run("cat /sys/class/net/eth0/mtu").stdout.contains("1450"))
            #expect(try one.run("cat /sys/class/net/eth0/address").stdout.contains("\(one.mac)"))
            let ping = try one.run("ping -c 1 -W 2 10.0.0.2")
            #expect(ping.succeeded, "\(ping.stdout)")
            #expect(try !two.run("ping -c 1 -W 1 10.0.0.3").succeeded)
        }
    }
}
