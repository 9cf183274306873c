import Glibc

/// A file of the kernel's that is kept open and read again from its start at every reading, into memory that is kept too.
///
/// A file that has gone, or whose device has, is opened anew at once; one that made no sense, at the next reading. A file that is
/// no kernel's, `/etc/os-release`, say, is replaced by another when it changes, so it can be opened at every reading. Knows
/// nothing of what the file says.
final class SystemFile {
    /// How the kernel hands out what the file says.
    enum Form {
        /// All of it by one call, if there is room: `/proc/stat`, `/proc/meminfo`, `/proc/uptime`, `/proc/loadavg`, what is in
        /// `/sys` (single_open in fs/seq_file.c of the kernel; kernfs), and files on a disk.
        case whole
        /// Possibly in pieces, which end with an empty one: `/proc/diskstats`, `/proc/net/dev`, `/proc/mounts`.
        case pieces
    }

    /// Where a file is: the root directory of its machine, and its absolute path there.
    struct Place {
        let root: HostRoot
        let path: String
    }

    let path: String
    private let place: Place
    private let form: Form
    private let keepsOpen: Bool
    private let limit: Int
    private var descriptor: Int32 = -1
    private var memory: UnsafeMutableRawPointer
    private var capacity: Int

    /// - Parameters:
    ///   - form: `.pieces` is right for every file; `.whole` saves a system call.
    ///   - keepsOpen: false for a file that may be replaced by another.
    ///   - limit: the number of octets that the file may have, at most.
    convenience init(path: String, form: Form = .pieces, keepsOpen: Bool = true, limit: Int = 1 << 20) {
        self.init(Place(root: .own, path: path), form: form, keepsOpen: keepsOpen, limit: limit)
    }

    /// A file of another machine's, whose symbolic links are followed in that machine's tree.
    init(_ place: Place, form: Form = .pieces, keepsOpen: Bool = true, limit: Int = 1 << 20) {
        self.place = place
        path = place.root.path + place.path
        self.form = form
        self.keepsOpen = keepsOpen
        self.limit = limit
        capacity = min(max(limit, 0) &+ 1, 4_096)
        memory = .allocate(byteCount: capacity, alignment: 1)
    }

    deinit {
        closeDescriptor()
        memory.deallocate()
    }

    /// Reads all of the file and calls `body` with it. Where either fails, the next reading opens the file anew.
    func read<Value>(
        _ body: (inout ByteScanner) throws(CollectorError) -> Value
    ) throws(CollectorError) -> Value {
        do throws(CollectorError) {
            let count = try fill()
            var scanner = ByteScanner(UnsafeRawBufferPointer(start: memory, count: count))
            return try body(&scanner)
        } catch {
            // The right one may be in its place by then.
            closeDescriptor()
            throw error
        }
    }

    /// An error that names this file.
    func error(_ what: String) -> CollectorError {
        CollectorError(source: path, reason: .malformed(what))
    }

    private func fill() throws(CollectorError) -> Int {
        guard descriptor >= 0 else {
            try openAnew()
            let count = try readWhole()
            if !keepsOpen { closeDescriptor() }
            return count
        }
        do throws(CollectorError) {
            return try readWhole()
        } catch  where error.isAbsence {
            // The device behind it was taken out and may be back under the same name.
            try openAnew()
            return try readWhole()
        }
    }

    private func openAnew() throws(CollectorError) {
        closeDescriptor()
        // Not to wait for the other end, should it turn out to be a pipe.
        if place.root == .own {
            let opened = try attempt("open") { Int(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) }
            descriptor = Int32(truncatingIfNeeded: opened)
            return
        }
        switch place.root.open(Array(place.path.utf8), O_RDONLY | O_NONBLOCK) {
        case .success(let opened): descriptor = opened
        case .failure(let failure):
            throw CollectorError(source: path, reason: .system(call: "open", errno: failure.number))
        }
    }

    private func closeDescriptor() {
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
    }

    private func readWhole() throws(CollectorError) -> Int {
        var count = 0
        while true {
            if count == capacity { try grow(keeping: count) }
            let got = try attempt("read") { pread(descriptor, memory + count, capacity - count, off_t(count)) }
            count += got
            if got == 0 { return count }
            if form == .whole, count < capacity { return count }
        }
    }

    private func grow(keeping count: Int) throws(CollectorError) {
        guard capacity <= limit else { throw CollectorError(source: path, reason: .tooLarge(limit: limit)) }
        let largerCapacity = min(capacity * 4, limit + 1)
        let larger = UnsafeMutableRawPointer.allocate(byteCount: largerCapacity, alignment: 1)
        larger.copyMemory(from: memory, byteCount: count)
        memory.deallocate()
        (memory, capacity) = (larger, largerCapacity)
    }

    private func attempt(_ call: String, _ body: () -> Int) throws(CollectorError) -> Int {
        while true {
            let result = body()
            if result >= 0 { return result }
            guard errno == EINTR else {
                throw CollectorError(source: path, reason: .system(call: call, errno: errno))
            }
        }
    }
}
