import CLinux

/// What sysinfo(2) says of the running machine: less than the files in `/proc`, but no sandbox hides it.
struct SystemInfo {
    /// The load averages, with two decimals.
    let loads: (Double, Double, Double)
    /// In bytes.
    let memory: (total: UInt64, free: UInt64, buffers: UInt64)
    /// In bytes.
    let swap: (total: UInt64, free: UInt64)

    /// Nil where the kernel refuses to say.
    init?() {
        var info = sysinfo()
        guard sysinfo(&info) == 0 else { return nil }
        // Fixed-point numbers with 16 binary places (SI_LOAD_SHIFT), rounded as /proc/loadavg is: to the nearest hundredth.
        func load(_ raw: UInt) -> Double { (Double(raw) / 65_536 * 100).rounded() / 100 }
        loads = (load(info.loads.0), load(info.loads.1), load(info.loads.2))
        let unit = UInt64(max(1, info.mem_unit))
        func bytes(_ units: UInt) -> UInt64 { UInt64(units).multipliedClamped(by: unit) }
        memory = (bytes(info.totalram), bytes(info.freeram), bytes(info.bufferram))
        swap = (bytes(info.totalswap), bytes(info.freeswap))
    }
}
