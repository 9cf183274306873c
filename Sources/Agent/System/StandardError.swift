#if Agent
import Glibc

/// Writes a line to standard error.
func standardError(_ line: String) {
    var output = OutputFile(descriptor: STDERR_FILENO)
    do throws(SystemError) {
        try output.append(line: line)
        try output.flush()
    } catch {
        // There is nowhere left to say so.
    }
}
#endif
