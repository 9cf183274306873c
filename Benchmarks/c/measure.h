/* What every client in C shares: the message, the command line, clocks, the confirm ledger and the line of results.
 * The Swift client prints the same line; `Benchmarks/run` reads it. */
#ifndef MEASURE_H
#define MEASURE_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "message.h"

enum mode { MODE_NONE, MODE_WINDOW, MODE_ONE, MODE_CONSUME };
static const char *const MODE_NAMES[] = {"none", "window", "one", "consume"};

enum { WINDOW_MAX = 65536, PREFETCH = 1000, ACK_EVERY = 100 };

struct options {
    const char *host;
    int port;
    enum mode mode;
    const char *style;
    uint64_t messages;
    uint64_t warmup;
    uint64_t window;
};

static void usage(const char *program) {
    fprintf(stderr,
            "usage: %s --port PORT [--host HOST] [--mode none|window|one|consume] [--style plain|prepared]\n"
            "       [--messages N] [--warmup N] [--window N]\n",
            program);
    exit(2);
}

static uint64_t parse_number(const char *program, const char *text, uint64_t least, uint64_t most) {
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != 0 || value < least || value > most) {
        fprintf(stderr, "%s: %s is not a number from %" PRIu64 " to %" PRIu64 "\n", program, text, least, most);
        exit(2);
    }
    return value;
}

static struct options parse_options(int argc, char **argv) {
    struct options o = {"127.0.0.1", 0, MODE_NONE, "plain", 100000, 2000, 1000};
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *name = argv[i], *value = argv[i + 1];
        if (!strcmp(name, "--host")) o.host = value;
        else if (!strcmp(name, "--port")) o.port = (int)parse_number(argv[0], value, 1, 65535);
        else if (!strcmp(name, "--messages")) o.messages = parse_number(argv[0], value, 1, 1000000000);
        else if (!strcmp(name, "--warmup")) o.warmup = parse_number(argv[0], value, 0, 1000000000);
        else if (!strcmp(name, "--window")) o.window = parse_number(argv[0], value, 1, WINDOW_MAX);
        else if (!strcmp(name, "--style") && (!strcmp(value, "plain") || !strcmp(value, "prepared"))) o.style = value;
        else if (!strcmp(name, "--mode") && !strcmp(value, "none")) o.mode = MODE_NONE;
        else if (!strcmp(name, "--mode") && !strcmp(value, "window")) o.mode = MODE_WINDOW;
        else if (!strcmp(name, "--mode") && !strcmp(value, "one")) o.mode = MODE_ONE;
        else if (!strcmp(name, "--mode") && !strcmp(value, "consume")) o.mode = MODE_CONSUME;
        else usage(argv[0]);
    }
    if (argc % 2 == 0 || o.port == 0) usage(argv[0]);
    return o;
}

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* User and system time of this process, all threads. */
static uint64_t cpu_us(void) {
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (uint64_t)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000u +
           (uint64_t)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

/* Which publishes are confirmed: all up to `low`, and above it those that are marked.
 * Tags start at 1 and are dense; a publisher never has more than WINDOW_MAX of them open. */
struct ledger {
    uint64_t published;
    uint64_t low;
    uint8_t marked[WINDOW_MAX];
};

static inline uint64_t outstanding(const struct ledger *l) { return l->published - l->low; }

/* 0, or -1 for a tag that was not published or is confirmed already. */
static inline int confirm(struct ledger *l, uint64_t tag, int multiple) {
    if (tag <= l->low || tag > l->published) return -1;
    if (!multiple && tag != l->low + 1) {
        if (l->marked[tag % WINDOW_MAX]) return -1;
        l->marked[tag % WINDOW_MAX] = 1;
        return 0;
    }
    while (l->low < tag) l->marked[++l->low % WINDOW_MAX] = 0;
    while (l->low < l->published && l->marked[(l->low + 1) % WINDOW_MAX]) l->marked[++l->low % WINDOW_MAX] = 0;
    return 0;
}

struct measurement {
    uint64_t started_ns, started_us;
    uint64_t ended_ns, ended_us;
    uint32_t *latencies; /* nanoseconds; only one at a time */
    uint64_t count;
};

/* Allocates before the clock starts, and touches every page. */
static struct measurement prepare_measurement(const struct options *o) {
    struct measurement m = {0};
    if (o->mode == MODE_ONE) {
        m.latencies = malloc(o->messages * sizeof *m.latencies);
        if (!m.latencies) {
            fprintf(stderr, "no memory for %" PRIu64 " latencies\n", o->messages);
            exit(1);
        }
        memset(m.latencies, 0xFF, o->messages * sizeof *m.latencies);
    }
    return m;
}

static void start_measurement(struct measurement *m) {
    m->started_us = cpu_us();
    m->started_ns = now_ns();
}

static void end_measurement(struct measurement *m) {
    m->ended_ns = now_ns();
    m->ended_us = cpu_us();
}

static inline void record_latency(struct measurement *m, uint64_t ns) {
    m->latencies[m->count++] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
}

static int compare_latencies(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void print_result(const char *client, const struct options *o, struct measurement *m) {
    double seconds = (double)(m->ended_ns - m->started_ns) / 1e9;
    double cpu = (double)(m->ended_us - m->started_us);
    printf("result client=%s style=%s mode=%s messages=%" PRIu64
           " seconds=%.6f cpu_seconds=%.6f messages_per_second=%.0f cpu_us_per_message=%.4f",
           client, o->style, MODE_NAMES[o->mode], o->messages, seconds, cpu / 1e6, (double)o->messages / seconds,
           cpu / (double)o->messages);
    if (m->count) {
        qsort(m->latencies, m->count, sizeof *m->latencies, compare_latencies);
        printf(" median_us=%.3f p99_us=%.3f", m->latencies[m->count / 2] / 1e3,
               m->latencies[m->count * 99 / 100] / 1e3);
    }
    printf("\n");
}

#endif
