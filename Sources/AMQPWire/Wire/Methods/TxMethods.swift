// The methods of class tx (90): transactions.

extension AMQPMethod {
    /// `tx.select`. Puts the channel into transaction mode.
    /// Source: AMQP 0-9-1 reference, section 1.9.2.1.
    public struct TxSelect: MethodPayload {
        public static let id = AMQPMethodID.txSelect

        /// The method, which has no fields.
        public init() {}

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {}
    }

    /// `tx.select-ok`. The channel is in transaction mode.
    /// Source: AMQP 0-9-1 reference, section 1.9.2.2.
    public struct TxSelectOk: MethodPayload {
        public static let id = AMQPMethodID.txSelectOk

        /// The method, which has no fields.
        public init() {}

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {}
    }

    /// `tx.commit`. Commits the publishes and acknowledgements since the last commit or rollback.
    /// Source: AMQP 0-9-1 reference, section 1.9.2.3.
    public struct TxCommit: MethodPayload {
        public static let id = AMQPMethodID.txCommit

        /// The method, which has no fields.
        public init() {}

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {}
    }

    /// `tx.commit-ok`. The transaction is committed.
    /// Source: AMQP 0-9-1 reference, section 1.9.2.4.
    public struct TxCommitOk: MethodPayload {
        public static let id = AMQPMethodID.txCommitOk

        /// The method, which has no fields.
        public init() {}

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {}
    }

    /// `tx.rollback`. Abandons the publishes and acknowledgements since the last commit or rollback.
    /// Source: AMQP 0-9-1 reference, section 1.9.2.5.
    public struct TxRollback: MethodPayload {
        public static let id = AMQPMethodID.txRollback

        /// The method, which has no fields.
        public init() {}

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {}
    }

    /// `tx.rollback-ok`. The transaction is rolled back.
    /// Source: AMQP 0-9-1 reference, section 1.9.2.6.
    public struct TxRollbackOk: MethodPayload {
        public static let id = AMQPMethodID.txRollbackOk

        /// The method, which has no fields.
        public init() {}

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {}
    }
}
