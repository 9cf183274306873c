/* The parts of Linux's C library that Swift's Glibc module leaves out. A header only: nothing to compile or link. */
#ifndef CLINUX_H
#define CLINUX_H

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
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

#endif
