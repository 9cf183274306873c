/// A user and a password. Printing it shows the user only.
public struct AMQPCredentials: Hashable, Sendable {
    /// Name of the user.
    public var user: String
    /// The password, or an OAuth 2 token.
    public var password: AMQPSecret

    /// A user and a password.
    public init(user: String, password: String) {
        self.user = user
        self.password = AMQPSecret(password)
    }

    /// A user and a password, or a token.
    public init(user: String, password: AMQPSecret) {
        self.user = user
        self.password = password
    }
}
