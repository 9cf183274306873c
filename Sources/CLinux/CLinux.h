/* The parts of Linux's C library that Swift's Glibc module leaves out. A header only: nothing to compile or link. */
#ifndef CLINUX_H
#define CLINUX_H

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>

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

#endif
