import Testing

@testable import HostMetrics

/// File systems that are really mounted, in a namespace of mounts of each test's own. What df says of a place where a file system
/// can be seen is what the collector has to say of it.
@Suite(
    .enabled(if: OwnNamespace.isPossible, "needs root, loop devices and the packages of Scripts/packages.txt"),
    .timeLimit(.minutes(5))
)
struct DiskSpaceMountTests {
    @Test("below a folder that is covered, and where a mount is covered itself, there are no figures of the cover's")
    func belowAFolderThatIsCovered() throws {
        let ours = try OwnNamespace(
            script: """
                ext4 /home
                ext4 /home/data
                head -c 8000000 /dev/zero > "$tree/home/data/blob"
                echo "# before"; "$program"
                echo "# df"; df_says "$tree/home" "$tree/home/data"
                mount -t tmpfs -o size=4M cover "$tree/home"
                echo "# covered"; "$program"
                mkdir "$tree/home/data"
                head -c 3000000 /dev/zero > "$tree/home/f"
                echo "# with a folder of the same name"; "$program"
                """
        )
        #expect(ours.spaces("before").count == 2)
        for (place, space) in ours.spaces("df") { #expect(ours.spaces("before")[place]?[3] == space[3]) }
        for mark in ["covered", "with a folder of the same name"] {
            #expect(ours.spaces(mark) == [:])
            for place in ["/home", "/home/data"] {
                let why = try #require(ours.failures(mark)[place])
                #expect(why.contains("tmpfs is mounted over"))
                #expect(why.contains("ProtectHome=read-only"))
            }
        }
    }

    @Test("the first process sees what a sandbox covers, so hddspace says the same as outside of it")
    func theFirstProcessSeesWhat() throws {
        // The unit is a namespace below that of process 1, as systemd makes it for ProtectSystem=strict, ProtectHome=yes,
        // PrivateTmp=yes and InaccessiblePaths=/boot.
        let ours = try OwnNamespace(
            "-m -p -f --mount-proc",
            script: """
                mount --make-rshared /
                ext4 /home; ext4 /var; ext4 /tmp; ext4 /boot
                mkdir -p "$tree/tmp/systemd-private-1/tmp" "$tree/inaccessible"
                head -c 5000000 /dev/zero > "$tree/home/blob"
                echo "# outside"; "$program"
                cat > "$tree/unit" <<'END'
                for at in . home boot var tmp; do mount -o remount,bind,ro "$tree/$at"; done
                mount --bind "$tree/tmp/systemd-private-1/tmp" "$tree/tmp"
                mount -t tmpfs -o size=4k,mode=0,ro inaccessible "$tree/home"
                mount -t tmpfs -o size=4k,mode=0,ro inaccessible "$tree/boot"
                mount -o remount,bind,rw "$tree/var"
                END
                tree=$tree unshare -m --propagation slave sh -euc ". $tree/unit; echo '# inside'; '$program'"
                """
        )
        #expect(ours.spaces("outside").count == 4)
        #expect(ours.failures("inside") == [:])
        #expect(ours.spaces("inside") == ours.spaces("outside"))
    }

    @Test("the host's mounts that a container does not get are failures with the remedy, or seen by process 1")
    func inAContainerThatDoesNotGet() throws {
        let ours = try OwnNamespace(
            "-m -p -f --mount-proc",
            script: """
                mount --make-rshared /
                mkdir -p "$tree/usb" "$tree/root/host" "$tree/proc/1"
                mkfifo "$tree/go" "$tree/ready"
                export tree program
                unshare -m --propagation private sh -euc '
                    mount --rbind / "$tree/root/host"
                    mount --make-rprivate /
                    echo ready > "$tree/ready"; read line < "$tree/go"
                    export HOST_ROOT="$tree/root/host"
                    echo "# as process 1 sees it"
                    HOST_PROC="$tree/root/host/proc" "$program"
                    # What a container sees that may not look through process 1.
                    cat /proc/1/mountinfo > "$tree/proc/1/mountinfo"; cat /proc/filesystems > "$tree/proc/filesystems"
                    echo "# by its path"
                    HOST_PROC="$tree/proc" "$program"
                    echo "# without the root"
                    HOST_ROOT= HOST_PROC="$tree/proc" "$program"
                ' &
                read line < "$tree/ready"
                ext4 /usb
                head -c 9000000 /dev/zero > "$tree/usb/blob"
                echo "# host"; df_says "$tree/usb"
                echo go > "$tree/go"
                wait
                """
        )
        let usb = try #require(ours.spaces("host")["/usb"])
        #expect(ours.spaces("as process 1 sees it")["/usb"] == usb)
        #expect(ours.spaces("by its path")["/usb"] == nil)
        let why = try #require(ours.failures("by its path")["/usb"])
        #expect(why.contains("rslave") && why.contains("HOST_ROOT"))
        #expect(ours.spaces("without the root")["/usb"] == nil)
        #expect(ours.failures("without the root")["/usb"]?.contains("rslave") == true)
    }

    @Test("a part of a file system that is bound elsewhere does not give its name to the whole")
    func aPartOfAFileSystem() throws {
        let ours = try OwnNamespace(
            script: """
                ext4 /volume1
                mkdir -p "$tree/volume1/@Entware/opt" "$tree/opt" "$tree/x"
                mount --bind "$tree/volume1/@Entware/opt" "$tree/opt"
                touch "$tree/volume1/f" "$tree/c"
                mount --bind "$tree/volume1/f" "$tree/c"
                mount --bind "$tree/volume1" "$tree/x"
                echo "# all"; "$program"
                umount "$tree/x" "$tree/volume1"
                echo "# parts"; "$program"
                umount "$tree/opt"
                echo "# a file"; "$program"
                """
        )
        #expect(Array(ours.spaces("all").keys) == ["/volume1"])
        #expect(Array(ours.spaces("parts").keys) == ["/opt"])
        #expect(Array(ours.spaces("a file").keys) == ["/c"])
    }

    @Test("subvolumes of btrfs lead to their file system, wherever it is seen, and a covered one to none")
    func subvolumesOfBtrfsLeadTo() throws {
        let ours = try OwnNamespace(
            script: """
                loop /top 128M mkfs.btrfs -q
                btrfs -q subvolume create "$tree/top/@home"
                device=$(losetup -n -O NAME -j "$tree/.images/_top")
                mkdir -p "$tree/home" "$tree/bound" "$tree/top/@home/folder"
                mount -o subvol=@home "$device" "$tree/home"
                mount --bind "$tree/home/folder" "$tree/bound"
                echo "# all"; "$program"
                umount "$tree/top"
                echo "# a subvolume"; "$program"
                echo "# df"; df_says "$tree/home"
                umount "$tree/home"
                echo "# a folder of one"; "$program"
                mount -t tmpfs cover "$tree/bound"
                echo "# covered"; "$program"
                """
        )
        #expect(Array(ours.spaces("all").keys) == ["/top"])
        #expect(ours.spaces("a subvolume")["/home"]?[3] == ours.spaces("df")["/home"]?[3])
        #expect(Array(ours.spaces("a subvolume").keys) == ["/home"])
        #expect(Array(ours.spaces("a folder of one").keys) == ["/bound"])
        #expect(ours.spaces("covered") == [:])
        #expect(Array(ours.failures("covered").keys) == ["/bound"])
    }

    @Test("an image-based root is no reading; its disk is the one at /sysroot, or /var")
    func anImageBasedRootIsNoReading() throws {
        let ours = try OwnNamespace(
            script: """
                mkdir -p "$tree/src" "$tree/lower" "$tree/disk"
                for at in proc dev etc var sysroot boot tmp; do mkdir "$tree/src/$at"; done
                cp "$program" "$tree/src/program"
                for file in $(ldd "$program" | grep -o '/[^ ]*'); do
                    mkdir -p "$tree/src/$(dirname "$file")"; cp -L "$file" "$tree/src/$file"
                done
                mkfs.erofs "$tree/image" "$tree/src" > "$tree/erofs.log" 2>&1
                mount -o loop,ro -t erofs "$tree/image" "$tree/lower"
                ext4 /disk
                ext4 /boot
                mkdir -p "$tree/disk/etc" "$tree/disk/var" "$tree/disk/objects" "$tree/root"
                head -c 6000000 /dev/zero > "$tree/disk/var/blob"
                mount -t overlay composefs -o "ro,lowerdir=$tree/lower:$tree/disk/objects" "$tree/root"
                mount --bind "$tree/disk/etc" "$tree/root/etc"
                mount --bind "$tree/disk/var" "$tree/root/var"
                mount --bind "$tree/disk" "$tree/root/sysroot"
                mount --bind "$tree/boot" "$tree/root/boot"
                mount -t proc proc "$tree/root/proc"
                echo "# df"; df_says "$tree/disk" "$tree/boot"
                echo "# image"; chroot "$tree/root" /program
                umount "$tree/root/sysroot"
                echo "# without sysroot"; chroot "$tree/root" /program
                echo "# asked for"; chroot "$tree/root" /program overlay
                """
        )
        let (disk, boot) = (ours.spaces("df")["/disk"]?[3], ours.spaces("df")["/boot"]?[3])
        #expect(Set(ours.part("image").filter { $0.first != "end" }.map { $0[1] }) == ["/sysroot", "/boot"])
        #expect(ours.spaces("image")["/sysroot"]?[3] == disk)
        #expect(ours.spaces("image")["/boot"]?[3] == boot)
        #expect(Set(ours.spaces("without sysroot").keys) == ["/var", "/boot"])
        #expect(ours.spaces("without sysroot")["/var"]?[3] == disk)
        #expect(ours.part("asked for").contains { $0.count > 1 && $0[1] == "/" })
    }

    @Test("images are left out by their nature, also where nobody knows their type; a full disk is none")
    func imagesAreLeftOutByTheirNature() throws {
        let ours = try OwnNamespace(
            script: """
                mkdir "$tree/src"; head -c 1000000 /dev/urandom > "$tree/src/file"; mkdir "$tree/ero"
                mkfs.erofs "$tree/image" "$tree/src" > "$tree/erofs.log" 2>&1
                mount -o loop,ro -t erofs "$tree/image" "$tree/ero"
                ext4 /full
                head -c 100000000 /dev/zero > "$tree/full/blob" 2> /dev/null || true
                echo "# usual"; "$program"
                mount -o remount,ro "$tree/full"
                echo "# read-only"; "$program"
                echo "# asked for"; "$program" erofs tmpfs
                """
        )
        #expect(Array(ours.spaces("usual").keys) == ["/full"])
        // Blocks kept back for root are free.
        #expect(Array(ours.spaces("read-only").keys) == ["/full"])
        #expect(Set(ours.spaces("asked for").keys).isSuperset(of: ["/ero", "/full", ""]))
    }

    @Test("where a sandbox hides all of /proc but processes, file systems, memory, uptime and load are there")
    func withoutProcFilesystems() throws {
        let ours = try OwnNamespace(
            "-m -p -f",
            script: """
                ext4 /disk
                echo "# with"; "$program"; COLLECTOR=proc "$program"
                mount -t proc -o subset=pid proc /proc
                ! test -e /proc/uptime
                echo "# without"; "$program"; COLLECTOR=proc "$program"
                """
        )
        #expect(ours.spaces("with").count == 1)
        #expect(ours.spaces("with") == ours.spaces("without"))
        #expect(ours.part("without").contains { $0.first == "space" && $0[1] == "/" })
        func numbers(_ mark: String, _ name: String) throws -> [Double] {
            let line = try #require(ours.part(mark).first { $0.first == name })
            return line.dropFirst().compactMap { Double($0) }
        }
        let (memory, other) = (try numbers("with", "mem"), try numbers("without", "mem"))
        #expect(memory[0] == other[0] && memory[2] == other[2])
        // What the zones hold back, and what others did in between.
        #expect(abs(memory[1] - other[1]) < memory[0] / 10)
        let uptime = (try numbers("with", "uptime")[0], try numbers("without", "uptime")[0])
        #expect(uptime.0 <= uptime.1 && uptime.1 < uptime.0 + 60)
        #expect(zip(try numbers("with", "load"), try numbers("without", "load")).allSatisfy { abs($0 - $1) < 1 })
    }
}
