#if Agent
import Glibc
import Logging

/// SIGHUP: files are opened again, and the configuration is read again.
extension Agent {
    /// Opens log files and output again, then reads the configuration again and takes over all of it, or nothing if it is wrong.
    func applyAnew() {
        service?.send(["RELOADING=1", "MONOTONIC_USEC=\(ServiceNotification.monotonicMicroseconds())"])
        defer { service?.send(["READY=1"]) }
        LoggingRouter.shared.reopen()
        reloads += 1
        do {
            if !isForeground { try OutputStreams(configuration.app).take() }
        } catch {
            log.error("\(error.context): cannot be opened again: \(error.reason): the old file is written on")
        }
        do {
            let new = try reload()
            let newSampler =
                try needsNewSampler(new) ? sampler.successor(Reporters.enabled(in: new), new.app.messageForm) : nil
            let streams = isForeground ? nil : try OutputStreams(new.app)
            try LoggingRouter.shared.apply(new.logging.resolved(foreground: isForeground))
            streams?.take()
            reloadError = nil
            take(over: new, newSampler)
        } catch {
            let text = "\((error as? SystemError).map { "\($0.context): \($0.reason)" } ?? "\(error)")"
            reloadError = text
            log.error("the configuration stays as it was")
            for line in text.split(separator: "\n") { log.error("\(line)") }
        }
    }

    private func take(over new: Configuration, _ newSampler: Sampler?) {
        reloadNotes = startOnly(new)
        for note in reloadNotes { log.warning("\(note)") }
        configuration = new
        if let newSampler {
            for report in sampler.finish() { send(report) }
            sampler = newSampler
        }
        let hostname = new.hostname.name ?? machineName
        encoder = ReportEncoder(hostname: new.hostname.isEnabled ? hostname : nil)
        outbox.setLimit(new.buffer.maxMessages)
        publisher.apply(BrokerSettings(configuration: new, hostname: hostname))
        log.notice("the configuration was read again: \(configurationPath)")
    }

    /// What a reload cannot change, as far as it was changed.
    private func startOnly(_ configuration: Configuration) -> [String] {
        let (new, old) = (configuration.app, initialConfiguration.app)
        var notes: [String] = []
        if new.pidfile != old.pidfile {
            notes.append("pidfile in [app] is changed by a start only; until then it is \(old.pidfile)")
        }
        if new.stdinPath != old.stdinPath, !isForeground {
            notes.append("stdin_path in [app] is changed by a start only; until then it is \(old.stdinPath)")
        }
        if configuration.buffer.journal != initialConfiguration.buffer.journal {
            notes.append("path, fsync and max_bytes in [buffer] are changed by a start only")
        }
        return notes
    }

    /// Whether other things are to be measured, or in another way.
    private func needsNewSampler(_ new: Configuration) -> Bool {
        new.reporters != configuration.reporters || new.system != configuration.system
            || new.app.messageForm != configuration.app.messageForm
    }
}
#endif
