import Testing

@testable import HostMetrics

@Suite struct AddressCollectorTests {
    private let loopback4: [UInt8] = [127, 0, 0, 1]
    private let loopback6: [UInt8] = [UInt8](repeating: 0, count: 15) + [1]
    private let global4: [UInt8] = [192, 0, 2, 7]
    private let global6: [UInt8] = [0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [7]
    private let linkLocal4: [UInt8] = [169, 254, 3, 4]
    private let linkLocal6: [UInt8] = [0xFE, 0xBF] + [UInt8](repeating: 0, count: 13) + [1]
    private let siteLocal6: [UInt8] = [0xFE, 0xC0] + [UInt8](repeating: 0, count: 13) + [1]

    private func text(_ octets: [UInt8], on interface: String = "eth0", _ collector: AddressCollector) -> String? {
        octets.withUnsafeBytes { collector.address($0, interface: interface)?.description }
    }

    @Test("loopback and link-local addresses are left out") func loopbackAndLinkLocalAddressesAre() {
        let collector = AddressCollector()
        #expect(text(global4, collector) == "192.0.2.7")
        #expect(text(global6, collector) == "2001:db8::7")
        #expect(text(siteLocal6, collector) == "fec0::1")
        for octets in [loopback4, loopback6, linkLocal4, linkLocal6] { #expect(text(octets, collector) == nil) }
    }

    @Test("an address of another kind on the loopback interface is reported") func anAddressOfAnotherKindOn() {
        #expect(text(global4, on: "lo", AddressCollector()) == "192.0.2.7")
    }

    @Test("loopback and link-local addresses come on demand, the latter with their zones")
    func loopbackAndLinkLocalAddressesCome() throws {
        let collector = AddressCollector(loopback: true, linkLocal: true)
        #expect(text(loopback4, on: "lo", collector) == "127.0.0.1")
        #expect(text(loopback6, on: "lo", collector) == "::1")
        #expect(text(linkLocal4, collector) == "169.254.3.4")
        #expect(text(linkLocal6, collector) == "febf::1%eth0")
        let address = try #require(linkLocal6.withUnsafeBytes { collector.address($0, interface: "wlan0") })
        #expect(address == .init(interface: "wlan0", family: .ipv6, text: "febf::1", zone: "wlan0"))
    }

    @Test("named interfaces are reported alone, with their loopback addresses; excluded ones never")
    func namedInterfacesAreReportedAloneWith() {
        let collector = AddressCollector(interfaces: ["lo", "eth*"], excludedInterfaces: ["eth1"])
        #expect(text(loopback4, on: "lo", collector) == "127.0.0.1")
        #expect(text(global4, on: "eth0", collector) != nil)
        #expect(text(global4, on: "eth1", collector) == nil)
        #expect(text(global4, on: "wlan0", collector) == nil)
        #expect(text(linkLocal6, on: "eth0", collector) == nil)
    }

    @Test("octets that are no address are none") func octetsThatAreNoAddressAre() {
        for count in [0, 3, 5, 15, 17] {
            #expect(text([UInt8](repeating: 1, count: count), AddressCollector()) == nil)
        }
    }

    @Test("the running machine has a loopback address, and nothing if an interface that it has not is named")
    func theRunningMachineHasALoopback() throws {
        let sample = try #require(try AddressCollector(interfaces: ["lo"], loopback: true).read())
        #expect(sample.addresses.contains(.init(interface: "lo", family: .ipv4, text: "127.0.0.1", zone: nil)))
        #expect(try AddressCollector(interfaces: ["no such one"]).read()?.addresses == [])
    }

    @Test("an interface that is asked for and not there is told; one without addresses is there")
    func anInterfaceThatIs()
        throws
    {
        let sample = try #require(try AddressCollector(interfaces: ["lo", "psistats-none"]).read())
        #expect(sample.missing == ["psistats-none"])
        #expect(sample.addresses.allSatisfy { $0.interface == "lo" })
    }
}
