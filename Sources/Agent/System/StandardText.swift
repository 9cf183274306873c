#if Agent
import Glibc

/// Writes a line to standard error, without secrets.
func standardError(_ line: String) {
    var output = OutputFile(descriptor: STDERR_FILENO)
    do throws(SystemError) {
        try output.append(line: Secrets.shared.hidden(line))
        try output.flush()
    } catch {
        // There is nowhere left to say so.
    }
}

/// Writes lines to standard output, without secrets.
func standardOutput(_ text: String) throws(SystemError) {
    var output = OutputFile.standardOutput
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
        try output.append(line: Secrets.shared.hidden(String(line)))
    }
    try output.flush()
}
#endif
