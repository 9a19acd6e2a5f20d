import Catalog
import ControlAPI
import Testing
import Wire

private let file = ConfigurationFile(
    name: "weft.yaml",
    text: """
        host: a
        underlay: {address: 10.1.0.1}
        peers:
          - {name: b, address: 10.1.0.2}
        networks:
          - {name: red, vni: 100, endpoints: [{mac: 02:00:00:00:00:01, ips: [10.0.0.1], peer: b}]}
          - {name: blue, vni: 200}
        ports:
          - {name: vm1, network: red, kind: tap}
        """)

private func object(_ text: String) throws -> JSONTree {
    try Configuration.parseJSON(Array(text.utf8))
}

private func overlay(
    _ section: Overlay.Section, _ name: String, _ text: String
) throws -> Overlay {
    var overlay = Overlay()
    overlay[section, name] = try object(text)
    return overlay
}

private func problems(_ overlay: Overlay) -> [String] {
    do {
        _ = try Configuration.parse(file, with: overlay)
        return []
    } catch {
        return error.problems.map { "\($0.file) \($0.path): \($0.message)" }
    }
}

@Suite("What was set beside the file")
struct OverlayTests {
    @Test("stands beside the file's objects, and in place of those of its name")
    func merges() throws {
        var set = try overlay(.ports, "vm2", #"{"name":"vm2","network":"red","kind":"tap"}"#)
        set[.networks, "blue"] = try object(#"{"name":"blue","vni":300,"mtu":"auto"}"#)
        let configuration = try Configuration.parse(file, with: set)
        #expect(configuration.ports.map(\.name) == ["vm1", "vm2"])
        #expect(configuration.networks.map(\.vni) == [100, 300])
        #expect(Set(configuration.networks.map(\.name)) == ["red", "blue"])
    }

    @Test("problems name the object and the key, without lines")
    func paths() throws {
        let set = try overlay(
            .ports, "vm2", #"{"name":"vm2","network":"rde","kind":"tap","macs":["02:zz"]}"#)
        #expect(
            problems(set) == [
                "API ports/vm2.network: no network is named `rde` (did you mean `red`?); "
                    + "expected one that there is",
                "API ports/vm2.macs[0]: found `02:zz`, expected a MAC address like "
                    + "`02:00:0a:00:00:01`",
            ])
        let clash = try overlay(.networks, "green", #"{"name":"green","vni":100}"#)
        #expect(problems(clash) == ["API networks/green.vni: 100 is already the VNI of `red`"])
    }

    @Test("endpoints stand beside those of their network, by MAC")
    func endpoints() throws {
        var set = Overlay()
        set[network: "red", mac: "02:00:00:00:00:01"] = try object(
            #"{"mac":"02:00:00:00:00:01","ips":["10.0.0.9"],"peer":"b"}"#)
        set[network: "red", mac: "02:00:00:00:00:02"] = try object(
            #"{"mac":"02:00:00:00:00:02","peer":"b"}"#)
        let red = try #require(try Configuration.parse(file, with: set).network(named: "red"))
        #expect(red.endpoints.map { "\($0.mac)" } == ["02:00:00:00:00:01", "02:00:00:00:00:02"])
        #expect(red.endpoints[0].ips.map(\.description) == ["10.0.0.9"])

        set[network: "gone", mac: "02:00:00:00:00:02"] = .object([:])
        #expect(problems(set).count == 1)
        #expect(problems(set).first?.hasPrefix("API networks/gone/endpoints: ") == true)
    }

    @Test("survives its JSON")
    func coding() throws {
        var set = try overlay(.peers, "c", #"{"name":"c","address":"10.1.0.3"}"#)
        set[network: "red", mac: "02:00:00:00:00:02"] = try object(#"{"peer":"c","n":[1,2.5]}"#)
        #expect(try JSON.decode(Overlay.self, from: JSON.encode(set)).endpoints == set.endpoints)
        #expect(
            try JSON.decode(Overlay.self, from: JSON.encode(set))[.peers, "c"] == set[.peers, "c"])
    }
}

@Suite("A whole desired state")
struct DesiredDocumentTests {
    private func cover(_ text: String, _ set: Overlay = Overlay()) throws -> Configuration {
        let document = ConfigurationFile(name: "document", text: text)
        return try Configuration.parse(file, with: try set.covering(document, over: file))
    }

    @Test("the file itself asks for nothing")
    func itself() throws {
        let set = try Overlay().covering(file, over: file)
        let both = try Configuration.parse(file, with: set)
        #expect(try both == Configuration.parse(file))
        #expect(set.objects.values.map(\.count).max() == 0)
    }

    @Test("sections that it has are meant whole, others stay")
    func sections() throws {
        let set = try overlay(.ports, "vm2", #"{"name":"vm2","network":"red","kind":"tap"}"#)
        let ports = """
            ports:
              - {name: vm1, network: blue, kind: tap}
              - {name: vm3, network: blue, kind: tap}
            """
        let after = try cover(ports, set)
        #expect(Set(after.ports.map { "\($0.name) \($0.network)" }) == ["vm1 blue", "vm3 blue"])
        let before = try Configuration.parse(file)
        #expect(after.networks == before.networks)
        #expect(try cover("networks: ~", set).ports.count == 2)
    }

    @Test("what only the file can take away is named")
    func missing() throws {
        #expect(throws: FileObjectsMissing(objects: ["port vm1"])) { try cover("ports: []") }
        #expect(throws: FileObjectsMissing(objects: ["network blue"])) {
            try cover(
                "networks: [{name: red, vni: 100}]\n")
        }
    }

    @Test("problems have the document's lines")
    func lines() throws {
        do {
            _ = try cover("\nports:\n  - {name: vm1, network: rad, kind: tap}\n")
            Issue.record("accepted")
        } catch let error as ConfigurationError {
            #expect(error.problems.map(\.place?.line) == [3])
            #expect(error.problems.map(\.file) == ["document"])
        }
    }
}

@Suite("Objects as the file would have them")
struct WritingTests {
    /// Every key of docs/configuration.md that these objects can have at once.
    private static let text = """
        host: a
        underlay: {address: 10.1.0.1}
        peers:
          - {name: b, address: 10.1.0.2, networks: [red, blue]}
          - {name: c, address: 10.1.0.3}
          - {name: d, address: 10.1.0.4, networks: []}
        networks:
          - name: red
            vni: 100
            mtu: 1400
            gateway: [10.0.0.254, "fd00::1"]
            learning: false
            ageing: 60
            vlan: pass
            arpSuppression: false
            endpoints: [{mac: 02:00:00:00:00:01, ips: [10.0.0.1], peer: b}]
          - {name: blue, vni: 200}
        ports:
          - {name: vm1, network: red, kind: tap, device: t1, netns: n1, macs: [02:00:00:00:00:02],
             ips: [10.0.0.2, "fd00::2"], owner: root, group: "0", floodUnknown: false}
          - {name: vm2, network: red, kind: tap, trunk: true, mac: 02:00:00:00:00:03,
             limits: {fromVM: {rate: 1G, burst: 1M}, toVM: {packets: 50k}}}
          - {name: h, network: blue, kind: host, addresses: [10.9.0.1/24], mac: 02:00:00:00:00:04}
          - {name: i, network: blue, kind: interface, device: eth9}
        """

    @Test("reading what is written gives the same again")
    func roundTrip() throws {
        let configuration = try Configuration.parse(yaml: Self.text, file: "weft.yaml")
        var set = Overlay()
        for section in Overlay.Section.allCases {
            for (name, json) in configuration.objects(section) { set[section, name] = json }
        }
        let bare = ConfigurationFile(
            name: "bare", text: "host: a\nunderlay: {address: 10.1.0.1}\n")
        let again = try Configuration.parse(bare, with: set)
        for section in Overlay.Section.allCases {
            let (one, other) = (configuration.objects(section), again.objects(section))
            #expect(one.map(\.name).sorted() == other.map(\.name).sorted())
        }
        #expect(
            again.networks.sorted { $0.name < $1.name }
                == configuration.networks.sorted { $0.name < $1.name })
        #expect(
            again.ports.sorted { $0.name < $1.name }
                == configuration.ports.sorted { $0.name < $1.name })
        #expect(
            again.peers.sorted { $0.name < $1.name }
                == configuration.peers.sorted { $0.name < $1.name })
    }

    @Test("every key that is read is written")
    func keys() throws {
        let configuration = try Configuration.parse(yaml: Self.text, file: "weft.yaml")
        for (section, keys) in Configuration.objectKeys {
            let written = configuration.objects(section).reduce(into: Set<String>()) { keys, next in
                if case .object(let fields) = next.json { keys.formUnion(fields.keys) }
            }
            #expect(written == Set(keys), "\(section)")
        }
    }
}
