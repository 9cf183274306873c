/* The parts of Linux's C library that Swift's Glibc module leaves out. A header only: nothing to compile or link. */
#ifndef CLINUX_H
#define CLINUX_H

#if defined(__linux__)
#include <features.h> /* says whether the C library is Glibc */
#endif
#if !defined(__linux__) || !defined(__GLIBC__)
#error "psistats, AMQPWire and HostMetrics need Linux with Glibc: no other system is supported."
#endif

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/sysmacros.h>
#include <sys/timerfd.h>
#include <signal.h>
#include <unistd.h>

/* EPOLLIN and its like are an enumeration in C and would come to Swift as one; as numbers they can be combined. */
static const uint32_t clinux_epoll_in = EPOLLIN;
static const uint32_t clinux_epoll_out = EPOLLOUT;
static const uint32_t clinux_epoll_edge = EPOLLET;
static const uint32_t clinux_epoll_error = EPOLLERR;
static const uint32_t clinux_epoll_hangup = EPOLLHUP;

/* prctl takes a variable number of arguments, which Swift cannot pass. At most 15 octets of the name are kept. */
static inline void clinux_name_thread(const char *name) {
    prctl(PR_SET_NAME, name, 0, 0, 0);
}

/* A descriptor that stands for a process: what is sent through it cannot reach another that was given the same number since.
   Linux 5.3; glibc has no wrapper before 2.36. */
static inline int clinux_pidfd_open(pid_t pid) {
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

static inline int clinux_pidfd_send_signal(int pidfd, int number) {
    return (int)syscall(SYS_pidfd_send_signal, pidfd, number, (void *)0, 0);
}

/* Shown by fcntl.h to C programs that ask for GNU extensions only. */
static const int clinux_o_path = 010000000;

/* openat2(2): opens a path as if `folder` were the root directory, for absolute paths, absolute symbolic links and `..` too.
   Returns the descriptor, or -1 with errno: ENOSYS before Linux 5.6, EPERM in some sandboxes, EAGAIN when something on the
   way was renamed meanwhile. glibc has no wrapper. */
#ifndef SYS_openat2
#define SYS_openat2 437
#endif

static inline int clinux_open_in_root(int folder, const char *path, int flags) {
    /* struct open_how and RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS of linux/openat2.h, which older headers lack. */
    struct {
        uint64_t flags, mode, resolve;
    } how = {(uint64_t)(unsigned)flags, 0, 0x10 | 0x02};
    return (int)syscall(SYS_openat2, folder, path, &how, sizeof how);
}

/* Where an open file is. */
struct clinux_place {
    unsigned int major, minor, mode;
    /* The number of the mount in /proc/PID/mountinfo; 0 where the kernel does not tell (before Linux 5.8). */
    uint64_t mount;
};

/* statx(2) of a descriptor, one of O_PATH too, or else fstat(2). Returns 0, or -1 with errno. */
static inline int clinux_place(int descriptor, struct clinux_place *place) {
    /* struct statx of linux/stat.h, whose older versions lack the number of the mount. */
    struct {
        uint32_t mask, blksize;
        uint64_t attributes;
        uint32_t nlink, uid, gid;
        uint16_t mode, spare0;
        uint64_t ino, size, blocks, attributes_mask, times[8];
        uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
        uint64_t mount, spare1[13];
    } answer;
    memset(&answer, 0, sizeof answer);
#ifdef SYS_statx
    /* AT_EMPTY_PATH; STATX_TYPE | STATX_MNT_ID. */
    if (syscall(SYS_statx, descriptor, "", 0x1000, 0x1 | 0x1000, &answer) == 0) {
        place->major = answer.dev_major;
        place->minor = answer.dev_minor;
        place->mode = answer.mode;
        place->mount = answer.mask & 0x1000 ? answer.mount : 0;
        return 0;
    }
#endif
    struct stat status;
    if (fstat(descriptor, &status) != 0) return -1;
    place->major = major(status.st_dev);
    place->minor = minor(status.st_dev);
    place->mode = status.st_mode;
    place->mount = 0;
    return 0;
}

/* The number of a network interface of this process's network, by its name; 0 if there is none. Any socket will do. */
static inline int clinux_interface_number(int socket, const char *name) {
    /* struct ifreq and SIOCGIFINDEX of linux/if.h and linux/sockios.h: their headers would bring this module what is Glibc's. */
    struct {
        char name[16];
        int number;
        char rest[24];
    } request;
    memset(&request, 0, sizeof request);
    if (strlen(name) >= sizeof request.name) return 0;
    strcpy(request.name, name);
    return ioctl(socket, 0x8933, &request) == 0 ? request.number : 0;
}

/* Whether the call exists depends on the C library that the headers are of (glibc 2.34), its number does not. */
static inline int clinux_close_from(unsigned int first) {
    return (int)syscall(436 /* close_range */, first, ~0U, 0);
}

/* The names of the limits are an enumeration in C with some flags of the compiler and numbers with others. */
static inline void clinux_raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

#endif
