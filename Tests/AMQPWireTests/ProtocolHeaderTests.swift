import Testing

@testable import AMQPWire

@Test("the protocol header names version 0-9-1")
func protocolHeader() {
    #expect(AMQPProtocolHeader.octets == Array("AMQP".utf8) + [0, 0, 9, 1])
}
