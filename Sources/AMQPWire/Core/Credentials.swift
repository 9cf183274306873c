/// A user and a password. Printing it shows the user only.
public struct AMQPCredentials: Hashable, Sendable {
    /// Name of the user.
    public var user: String
    /// The password, or an OAuth 2 token.
    public var password: AMQPSecret
    /// How long the password is good for, from now on; nil where it does not expire. See ``AMQPConfiguration/credentials``.
    public var lifetime: Duration?

    /// A user and a password.
    public init(user: String, password: String, lifetime: Duration? = nil) {
        self.user = user
        self.password = AMQPSecret(password)
        self.lifetime = lifetime
    }

    /// A user and a password, or a token.
    public init(user: String, password: AMQPSecret, lifetime: Duration? = nil) {
        self.user = user
        self.password = password
        self.lifetime = lifetime
    }
}
