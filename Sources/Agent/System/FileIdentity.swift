#if Agent
import Glibc

/// Which file it is, whatever it is called.
struct FileIdentity: Hashable {
    private var device: dev_t
    private var inode: ino_t

    /// The file that a path names, itself and not what it points to; nil where there is none.
    init?(at path: String) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        (device, inode) = (status.st_dev, status.st_ino)
    }

    /// The file that a path leads to in the end; nil where there is none.
    init?(behind path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        (device, inode) = (status.st_dev, status.st_ino)
    }

    /// The file that is open.
    init?(of descriptor: Int32) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return nil }
        (device, inode) = (status.st_dev, status.st_ino)
    }
}
#endif
