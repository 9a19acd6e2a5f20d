/// An initial RAM filesystem for Linux: a cpio archive in the "newc" format (kernel
/// documentation, driver-api/early-userspace/buffer-format).
package struct Initramfs {
    private var bytes: [UInt8] = []
    private var inode = 0

    package init() {}

    /// Adds a directory; its parent must have been added before.
    package mutating func addDirectory(_ path: String) {
        add(path, mode: 0o040755, contents: [])
    }

    /// Adds a regular file. An executable one may be executed by everybody.
    package mutating func addFile(_ path: String, contents: [UInt8], executable: Bool = false) {
        add(path, mode: executable ? 0o100755 : 0o100644, contents: contents)
    }

    /// The archive, with the entry that ends it.
    package func finished() -> [UInt8] {
        var archive = self
        archive.add("TRAILER!!!", mode: 0, contents: [])
        return archive.bytes
    }

    private mutating func add(_ path: String, mode: Int, contents: [UInt8]) {
        inode += 1
        let name = Array(path.utf8) + [0]
        // Inode, mode, user, group, links, time, size, the device's and the node's numbers, the
        // length of the name, and a checksum that this format does not use.
        let fields = [inode, mode, 0, 0, 1, 0, contents.count, 0, 0, 0, 0, name.count, 0]
        bytes += Array("070701".utf8)
        for field in fields {
            let digits = String(field, radix: 16)
            bytes += Array(repeating: UInt8(ascii: "0"), count: 8 - digits.utf8.count)
            bytes += Array(digits.utf8)
        }
        bytes += name
        pad()
        bytes += contents
        pad()
    }

    /// Names and contents end on a multiple of four bytes.
    private mutating func pad() {
        while bytes.count % 4 != 0 { bytes.append(0) }
    }
}
