// The methods of class confirm (85): publisher confirms, RabbitMQ's extension.

extension AMQPMethod {
    /// `confirm.select`. Puts the channel into confirm mode: the server acknowledges each publish.
    /// Source: RabbitMQ's extension.
    public struct ConfirmSelect: MethodPayload {
        public static let id = AMQPMethodID.confirmSelect
        /// Send no answer.
        public var nowait: Bool

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(nowait: Bool = false) {
            self.nowait = nowait
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.bit("nowait", &nowait)
        }
    }

    /// `confirm.select-ok`. The channel is in confirm mode.
    /// Source: RabbitMQ's extension.
    public struct ConfirmSelectOk: MethodPayload {
        public static let id = AMQPMethodID.confirmSelectOk

        /// The method, which has no fields.
        public init() {}

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {}
    }
}
