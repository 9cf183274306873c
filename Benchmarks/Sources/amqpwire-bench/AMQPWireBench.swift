import Glibc

/// Publishes or consumes with AMQPWire and prints one line of results; `Benchmarks/run` calls it.
@main
struct AMQPWireBench {
    static func main() async {
        do {
            let options = try Options(CommandLine.arguments.dropFirst())
            let measurement =
                options.mode == .consume
                ? try await ConsumingClient.run(options) : try await PublishingClient.run(options)
            print(measurement.resultLine(options))
        } catch let error as UsageError {
            complain("\(error.message)\n\(Options.usage)")
            exit(2)
        } catch {
            complain("\(error)")
            exit(1)
        }
    }

    private static func complain(_ message: String) {
        var text = "amqpwire-bench: \(message)\n"
        text.withUTF8 { bytes in
            _ = write(STDERR_FILENO, bytes.baseAddress, bytes.count)
        }
    }
}
