import Testing

@testable import AMQPWire

/// Every method in every state of connection and channel.
///
/// The columns are the places in their order. How to read a cell: `a` accepted, it had an effect; `.` ignored; `3` `4` `5`
/// answered by connection.close 503, 504 or 505; `c` the connection ended without one; `-` cannot be.
@Suite("Every method in every state")
struct ReactionTableTests {
    /// Where a connection is when the method comes, in the order of the columns.
    enum Place: CaseIterable {
        /// Protocol header sent, on channel 0.
        case greeting
        /// Start-ok sent, on channel 0.
        case login
        /// Open sent, on channel 0.
        case vhost
        /// Open, on channel 0.
        case connection
        /// Open, on channel 0, with the call in flight that the method answers.
        case connectionAsked
        /// On a channel that is not open.
        case noChannel
        /// On a channel whose open is not answered.
        case opening
        /// On an idle channel.
        case channel
        /// On a channel with the call in flight that the method answers.
        case asked
        /// On a channel with one publish to be confirmed.
        case confirms
        /// On a channel between basic.deliver and its header.
        case beforeHeader
        /// On a channel between a header and its body.
        case beforeBody
        /// On a channel whose close is sent.
        case closingChannel
        /// On a channel that the broker closed.
        case closedByBroker
        /// On a channel that the broker closed and whose number is being opened again.
        case reopening
        /// On a channel that the broker closed while its own close was on its way.
        case crossing
        /// On channel 0, with connection.close sent.
        case closing
        /// On channel 1, with connection.close sent.
        case closingOnChannel
        /// On channel 1, during the login.
        case loginOnChannel
        /// The connection is over.
        case closed
    }

    static func rig(_ place: Place, _ id: AMQPMethodID) throws -> (rig: CoreRig, channel: UInt16)? {
        let rig = CoreRig()
        switch place {
        case .greeting: return (rig, 0)
        case .login, .loginOnChannel:
            rig.receive(.connectionStart, 0, CoreRig.start)
            return (rig, place == .login ? 0 : 1)
        case .vhost:
            rig.receive(.connectionStart, 0, CoreRig.start)
            rig.receive(.connectionTune, 0, [2_047, 131_072, 0])
            return (rig, 0)
        case .connection:
            rig.open()
            return (rig, 0)
        case .connectionAsked:
            guard id == .connectionUpdateSecretOk else { return nil }
            rig.open()
            _ = try rig.call(.connectionUpdateSecret(.init()), 0)
            return (rig, 0)
        case .noChannel:
            rig.open()
            return (rig, 1)
        case .opening:
            rig.open()
            _ = rig.watch(try rig.core.openChannel(confirmWindow: 1, deadline: nil).waiter)
            return (rig, 1)
        case .channel: break
        case .asked:
            guard let request = requests.first(where: { $0.id.traits.replies.contains(id) }) else { return nil }
            rig.open()
            try rig.openChannel()
            _ = try rig.call(request)
            return (rig, 1)
        case .confirms:
            rig.open()
            try rig.openChannel()
            try rig.core.selectConfirms(1)
            _ = try rig.publishConfirmed()
            return (rig, 1)
        case .beforeHeader, .beforeBody:
            rig.open()
            try rig.openChannel()
            rig.receive(.basicDeliver, 1, ["tag", 1])
            if place == .beforeBody { rig.receive(PeerCodec.header(1, bodySize: 4)) }
            return (rig, 1)
        case .closingChannel:
            rig.open()
            try rig.openChannel()
            _ = try rig.call(.queueDeclare(.init()))
            rig.receive(.queueDeclareOk, 1)
            _ = try rig.closeChannel()
            return (rig, 1)
        case .closedByBroker, .reopening:
            rig.open(channelMax: 1)
            try rig.openChannel()
            rig.receive(.channelClose, 1, [406, "PRECONDITION_FAILED"])
            if place == .reopening { _ = rig.watch(try rig.core.openChannel(confirmWindow: 1, deadline: nil).waiter) }
            return (rig, 1)
        case .crossing:
            rig.open()
            try rig.openChannel()
            _ = try rig.closeChannel()
            rig.receive(.channelClose, 1, [406, "PRECONDITION_FAILED"])
            return (rig, 1)
        case .closing, .closingOnChannel:
            rig.open()
            try rig.openChannel()
            _ = try rig.close()
            return (rig, place == .closing ? 0 : 1)
        case .closed:
            rig.open()
            rig.core.transportEnded(AMQPError(.connectionLost, "gone"))
            rig.settle()
            return (rig, 0)
        }
        rig.open()
        try rig.openChannel()
        return (rig, 1)
    }

    /// All methods on a channel that have a reply.
    static let requests: [AMQPMethod] = [
        .channelFlow(.init()), .exchangeDeclare(.init()), .exchangeDelete(.init()), .exchangeBind(.init()),
        .exchangeUnbind(.init()), .queueDeclare(.init()), .queueBind(.init()), .queueUnbind(.init()),
        .queuePurge(.init()), .queueDelete(.init()), .basicQos(.init()), .basicConsume(.init()), .basicCancel(.init()),
        .basicGet(.init()), .basicRecover(.init()), .txSelect(.init()), .txCommit(.init()), .txRollback(.init()),
        .confirmSelect(.init()),
    ]

    static func values(_ id: AMQPMethodID) -> [PeerValue] {
        switch id {
        case .connectionStart: CoreRig.start
        case .connectionTune: [2_047, 131_072, 0]
        case .basicAck, .basicNack: [1, 0]
        default: []
        }
    }

    static func reaction(_ place: Place, _ id: AMQPMethodID) throws -> Character {
        guard let (rig, channel) = try rig(place, id) else { return "-" }
        let wasOver = rig.end != nil
        let answered = rig.answers.count
        _ = rig.takeSent()
        _ = rig.takeEvents()
        rig.receive(id, channel, values(id))
        defer { rig.finish("\(id.name) in \(place)") }
        let sent = rig.takeSent()
        if !wasOver, let error = rig.end {
            guard let close = sent.first(where: { $0.method == .connectionClose }) else { return "c" }
            #expect(error.replyCode.map(UInt64.init) == close.values[0].number)
            #expect(sent.last?.method == .connectionClose)
            switch close.values[0].number {
            case 503: return "3"
            case 504: return "4"
            case 505: return "5"
            default: return "?"
            }
        }
        // Content under way is an effect that shows in what may come next.
        let isBusy = (rig.core.channel(channel)?.content.isBusy ?? false) && id.traits.hasContent
        let isQuiet = sent.isEmpty && rig.takeEvents().isEmpty && rig.answers.count == answered && !isBusy
        return isQuiet ? "." : "a"
    }

    @Test("is taken, ignored or answered by the close that the table names")
    func table() throws {
        var lines: [String] = []
        for id in AMQPMethodID.allCases {
            let cells = try Place.allCases.map { String(try Self.reaction($0, id)) }
            lines.append(id.name + String(repeating: " ", count: 29 - id.name.count) + cells.joined(separator: " "))
        }
        let expected = Self.expected.split(separator: "\n").map(String.init)
        #expect(lines.count == expected.count)
        for (line, expectation) in zip(lines, expected) { #expect(line == expectation) }
        if lines != expected { print(lines.joined(separator: "\n")) }
    }

    static let expected = """
        connection.start             a c c 3 - 4 3 3 - 3 5 5 . . . . . . c .
        connection.start-ok          c c c 3 - 4 3 3 - 3 5 5 . . . . . . c .
        connection.secure            c a c 3 - 4 3 3 - 3 5 5 . . . . . . c .
        connection.secure-ok         c c c 3 - 4 3 3 - 3 5 5 . . . . . . c .
        connection.tune              c a c 3 - 4 3 3 - 3 5 5 . . . . . . c .
        connection.tune-ok           c c c 3 - 4 3 3 - 3 5 5 . . . . . . c .
        connection.open              c c c 3 - 4 3 3 - 3 5 5 . . . . . . c .
        connection.open-ok           c c a 3 - 4 3 3 - 3 5 5 . . . . . . c .
        connection.close             c c c c - 4 3 3 - 3 5 5 . . . . a . c .
        connection.close-ok          c c c 3 - 4 3 3 - 3 5 5 . . . . c . c .
        connection.blocked           a a a a - 4 3 3 - 3 5 5 . . . . . . c .
        connection.unblocked         a a a a - 4 3 3 - 3 5 5 . . . . . . c .
        connection.update-secret     c c c 3 - 4 3 3 - 3 5 5 . . . . . . c .
        connection.update-secret-ok  c c c 3 a 4 3 3 - 3 5 5 . . . . . . c .
        channel.open                 c c c 3 - 4 3 3 - 3 5 5 . . . . . . c .
        channel.open-ok              c c c 3 - 4 a 3 - 3 5 5 . . a . . . c .
        channel.flow                 c c c 3 - 4 3 a - a 5 5 . . . . . . c .
        channel.flow-ok              c c c 3 - 4 3 3 a 3 5 5 . . . . . . c .
        channel.close                c c c 3 - 4 a a - a a a a . a a . . c .
        channel.close-ok             c c c 3 - 4 3 3 - 3 5 5 a . . a . . c .
        exchange.declare             c c c 3 - 4 3 3 - 3 5 5 . . . . . . c .
        exchange.declare-ok          c c c 3 - 4 3 3 a 3 5 5 . . . . . . c .
        exchange.delete              c c c 3 - 4 3 3 - 3 5 5 . . . . . . c .
        exchange.delete-ok           c c c 3 - 4 3 3 a 3 5 5 . . . . . . c .
        exchange.bind                c c c 3 - 4 3 3 - 3 5 5 . . . . . . c .
        exchange.bind-ok             c c c 3 - 4 3 3 a 3 5 5 . . . . . . c .
        exchange.unbind              c c c 3 - 4 3 3 - 3 5 5 . . . . . . c .
        exchange.unbind-ok           c c c 3 - 4 3 3 a 3 5 5 . . . . . . c .
        queue.declare                c c c 3 - 4 3 3 - 3 5 5 . . . . . . c .
        queue.declare-ok             c c c 3 - 4 3 3 a 3 5 5 . . . . . . c .
        queue.bind                   c c c 3 - 4 3 3 - 3 5 5 . . . . . . c .
        queue.bind-ok                c c c 3 - 4 3 3 a 3 5 5 . . . . . . c .
        queue.unbind                 c c c 3 - 4 3 3 - 3 5 5 . . . . . . c .
        queue.unbind-ok              c c c 3 - 4 3 3 a 3 5 5 . . . . . . c .
        queue.purge                  c c c 3 - 4 3 3 - 3 5 5 . . . . . . c .
        queue.purge-ok               c c c 3 - 4 3 3 a 3 5 5 . . . . . . c .
        queue.delete                 c c c 3 - 4 3 3 - 3 5 5 . . . . . . c .
        queue.delete-ok              c c c 3 - 4 3 3 a 3 5 5 . . . . . . c .
        basic.qos                    c c c 3 - 4 3 3 - 3 5 5 . . . . . . c .
        basic.qos-ok                 c c c 3 - 4 3 3 a 3 5 5 . . . . . . c .
        basic.consume                c c c 3 - 4 3 3 - 3 5 5 . . . . . . c .
        basic.consume-ok             c c c 3 - 4 3 3 a 3 5 5 . . . . . . c .
        basic.cancel                 c c c 3 - 4 3 a - a 5 5 . . . . . . c .
        basic.cancel-ok              c c c 3 - 4 3 . a . 5 5 . . . . . . c .
        basic.publish                c c c 3 - 4 3 3 - 3 5 5 a . . . . . c .
        basic.return                 c c c 3 - 4 3 a - a 5 5 a . . . . . c .
        basic.deliver                c c c 3 - 4 3 a - a 5 5 a . . . . . c .
        basic.get                    c c c 3 - 4 3 3 - 3 5 5 . . . . . . c .
        basic.get-ok                 c c c 3 - 4 3 3 a 3 5 5 a . . . . . c .
        basic.get-empty              c c c 3 - 4 3 3 a 3 5 5 . . . . . . c .
        basic.ack                    c c c 3 - 4 3 3 - a 5 5 . . . . . . c .
        basic.reject                 c c c 3 - 4 3 3 - 3 5 5 . . . . . . c .
        basic.recover-async          c c c 3 - 4 3 3 - 3 5 5 . . . . . . c .
        basic.recover                c c c 3 - 4 3 3 - 3 5 5 . . . . . . c .
        basic.recover-ok             c c c 3 - 4 3 3 a 3 5 5 . . . . . . c .
        basic.nack                   c c c 3 - 4 3 3 - a 5 5 . . . . . . c .
        tx.select                    c c c 3 - 4 3 3 - 3 5 5 . . . . . . c .
        tx.select-ok                 c c c 3 - 4 3 3 a 3 5 5 . . . . . . c .
        tx.commit                    c c c 3 - 4 3 3 - 3 5 5 . . . . . . c .
        tx.commit-ok                 c c c 3 - 4 3 3 a 3 5 5 . . . . . . c .
        tx.rollback                  c c c 3 - 4 3 3 - 3 5 5 . . . . . . c .
        tx.rollback-ok               c c c 3 - 4 3 3 a 3 5 5 . . . . . . c .
        confirm.select               c c c 3 - 4 3 3 - 3 5 5 . . . . . . c .
        confirm.select-ok            c c c 3 - 4 3 3 a 3 5 5 . . . . . . c .
        """
}
