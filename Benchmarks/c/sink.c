/* Opens AMQP 0-9-1 connections as a broker would, then only reads, as fast as it can, or delivers to one consumer.
 *
 * Counts complete publishes; in confirm mode it acknowledges once per read, with `multiple`, the highest complete one.
 * Stores, routes and returns nothing, checks no password, sends no heartbeat. A consumer gets one and the same message
 * over and over, as many unacknowledged ones as its prefetch count allows; only acks with `multiple` are understood.
 *
 * Prints "port N" once it listens and "connection publishes=N acks=N settled=N octets=N reads=N end=WORD" for every
 * connection that ended. The parent accepts; each connection is a process of its own with blocking calls, which costs a read and
 * (with confirms) a write per batch and nothing else. SIGTERM ends it, and so does a time without traffic.
 *
 *     protocol header -> start -> start-ok -> tune -> tune-ok -> open -> open-ok -> (channels)
 *     a channel: closed -> idle -> publish -> header -> body ... -> idle
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "message.h"
#include "wire.h"

enum phase { AWAIT_START_OK, AWAIT_TUNE_OK, AWAIT_OPEN, OPEN };
enum channel_state { CHANNEL_CLOSED, CHANNEL_IDLE, CHANNEL_HEADER, CHANNEL_BODY };

struct channel {
    uint64_t body_left;
    uint64_t published; /* since confirm.select */
    uint64_t acked;
    uint8_t state;
    uint8_t confirms;
    uint8_t touched;
};

/* Deliveries that are sent by one call. */
enum { BATCH = 200 };

/* The one consumer of a connection. */
static struct {
    uint16_t channel; /* 0 while there is none */
    uint16_t prefetch;
    uint64_t delivered, settled;
    uint8_t *batch; /* BATCH deliveries, whose tags are filled in */
    size_t size, tag_at;
} consumer;

/* One connection per process, so its state is the process's. */
static struct {
    int socket;
    enum phase phase;
    const char *end; /* why the connection ends; null while it lives */
    uint64_t publishes, acks, octets, reads;
    uint16_t touched[CHANNEL_MAX + 1];
    int touched_count;
    struct channel channels[CHANNEL_MAX + 1];
} connection;

static void end_connection(const char *word) {
    if (!connection.end) connection.end = word;
}

static void send_all(const uint8_t *bytes, size_t count) {
    while (count > 0) {
        ssize_t sent = send(connection.socket, bytes, count, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) {
            end_connection("send-failed");
            return;
        }
        bytes += sent;
        count -= (size_t)sent;
    }
}

static void send_frames(const struct writer *w) {
    if (w->overflow) abort();
    send_all(w->bytes, w->size);
}

static void put_true(struct writer *w, const char *name) {
    put_short_string(w, name);
    put8(w, 't');
    put8(w, 1);
}

static void send_start(void) {
    struct writer capabilities = {.size = 0};
    put_true(&capabilities, "publisher_confirms");
    put_true(&capabilities, "basic.nack");
    put_true(&capabilities, "exchange_exchange_bindings");
    put_true(&capabilities, "consumer_cancel_notify");
    put_true(&capabilities, "connection.blocked");
    put_true(&capabilities, "authentication_failure_close");

    struct writer properties = {.size = 0};
    put_short_string(&properties, "product");
    put8(&properties, 'S');
    put_long_string(&properties, "sink", 4);
    put_short_string(&properties, "capabilities");
    put8(&properties, 'F');
    put_long_string(&properties, capabilities.bytes, capabilities.size);

    struct writer w = {.size = 0};
    begin_method(&w, 0, CONNECTION_START);
    put8(&w, 0);
    put8(&w, 9);
    put_long_string(&w, properties.bytes, properties.size);
    put_long_string(&w, "PLAIN AMQPLAIN", 14);
    put_long_string(&w, "en_US", 5);
    end_frame(&w);
    send_frames(&w);
}

/* connection.close, section 1.5.2.10 of the reference; the caller drops the connection. */
static void refuse(uint16_t code, const char *text, uint32_t method) {
    if (connection.end) return;
    struct writer w = {.size = 0};
    begin_method(&w, 0, CONNECTION_CLOSE);
    put16(&w, code);
    put_short_string(&w, text);
    put32(&w, method);
    end_frame(&w);
    send_frames(&w);
    fprintf(stderr, "sink: refused (%u): %s, method %u.%u\n", code, text, method >> 16, method & 0xFFFF);
    end_connection("refused");
}

static void reply(uint16_t channel, uint32_t method) {
    struct writer w = {.size = 0};
    begin_method(&w, channel, method);
    if (method == CONNECTION_OPEN_OK) put_short_string(&w, "");
    if (method == CHANNEL_OPEN_OK) put32(&w, 0);
    end_frame(&w);
    send_frames(&w);
}

static void connection_method(uint32_t method) {
    if (method == CONNECTION_CLOSE) {
        reply(0, CONNECTION_CLOSE_OK);
        end_connection("closed");
    } else if (method == CONNECTION_START_OK && connection.phase == AWAIT_START_OK) {
        struct writer w = {.size = 0};
        begin_method(&w, 0, CONNECTION_TUNE);
        put16(&w, CHANNEL_MAX);
        put32(&w, FRAME_MAX);
        put16(&w, 0);
        end_frame(&w);
        send_frames(&w);
        connection.phase = AWAIT_TUNE_OK;
    } else if (method == CONNECTION_TUNE_OK && connection.phase == AWAIT_TUNE_OK) {
        connection.phase = AWAIT_OPEN;
    } else if (method == CONNECTION_OPEN && connection.phase == AWAIT_OPEN) {
        reply(0, CONNECTION_OPEN_OK);
        connection.phase = OPEN;
    } else {
        refuse(503, "COMMAND_INVALID - not now on channel 0", method);
    }
}

/* Methods that are answered with an empty or fixed reply: where their no-wait bit is, and the reply.
 * `strings` short strings stand between the reserved 16 bits and the bits. */
static const struct simple_method {
    uint32_t method;
    uint32_t reply;
    uint8_t reserved;
    uint8_t strings;
    uint8_t no_wait;
    uint8_t counts; /* 32-bit zeros in the reply */
} SIMPLE_METHODS[] = {
    {EXCHANGE_DECLARE, EXCHANGE_DECLARE_OK, 2, 2, 1 << 4, 0},
    {METHOD(40, 20), METHOD(40, 21), 2, 1, 1 << 1, 0}, /* exchange.delete */
    {METHOD(40, 30), METHOD(40, 31), 2, 3, 1 << 0, 0}, /* exchange.bind */
    {METHOD(40, 40), METHOD(40, 51), 2, 3, 1 << 0, 0}, /* exchange.unbind */
    {QUEUE_DECLARE, QUEUE_DECLARE_OK, 2, 1, 1 << 4, 2},
    {METHOD(50, 20), METHOD(50, 21), 2, 3, 1 << 0, 0}, /* queue.bind */
    {METHOD(50, 30), METHOD(50, 31), 2, 1, 1 << 0, 1}, /* queue.purge */
    {METHOD(50, 40), METHOD(50, 41), 2, 1, 1 << 2, 1}, /* queue.delete */
    {METHOD(50, 50), METHOD(50, 51), 2, 3, 0, 0},      /* queue.unbind */
    {BASIC_QOS, BASIC_QOS_OK, 6, 0, 0, 0},
    {CONFIRM_SELECT, CONFIRM_SELECT_OK, 0, 0, 1 << 0, 0},
};

static void simple_method(uint16_t number, uint32_t method, const uint8_t *fields, size_t size) {
    const struct simple_method *found = NULL;
    for (size_t i = 0; i < sizeof SIMPLE_METHODS / sizeof *SIMPLE_METHODS; i++)
        if (SIMPLE_METHODS[i].method == method) found = &SIMPLE_METHODS[i];
    if (!found) {
        refuse(540, "NOT_IMPLEMENTED - the sink has no such method", method);
        return;
    }
    size_t at = found->reserved;
    char name[256] = "";
    for (int i = 0; i < found->strings; i++) {
        if (at >= size || (size_t)fields[at] > size - at - 1) {
            refuse(501, "FRAME_ERROR - a string ends after its frame", method);
            return;
        }
        if (i == 0) {
            memcpy(name, fields + at + 1, fields[at]);
            name[fields[at]] = 0;
        }
        at += 1u + fields[at];
    }
    if (found->no_wait && at >= size) {
        refuse(501, "FRAME_ERROR - the method ends before its bits", method);
        return;
    }
    if (method == CONFIRM_SELECT) connection.channels[number].confirms = 1;
    if (method == BASIC_QOS && size >= 6) consumer.prefetch = read16(fields + 4);
    if (found->no_wait && (fields[at] & found->no_wait)) return;

    struct writer w = {.size = 0};
    begin_method(&w, number, found->reply);
    if (method == QUEUE_DECLARE) put_short_string(&w, name[0] ? name : "amq.gen-sink");
    for (int i = 0; i < found->counts; i++) put32(&w, 0);
    end_frame(&w);
    send_frames(&w);
}

/* Makes the deliveries for a consumer with a tag. */
static int prepare_deliveries(uint16_t number, const char *tag) {
    struct writer w = {.size = 0};
    begin_method(&w, number, BASIC_DELIVER);
    put_short_string(&w, tag);
    consumer.tag_at = w.size;
    put64(&w, 0);
    put8(&w, 0);
    put_short_string(&w, EXCHANGE);
    put_short_string(&w, ROUTING_KEY);
    end_frame(&w);
    begin_frame(&w, FRAME_HEADER, number);
    put16(&w, 60);
    put16(&w, 0);
    put64(&w, sizeof BODY - 1);
    put16(&w, 0x9000); /* content-type and delivery-mode */
    put_short_string(&w, CONTENT_TYPE);
    put8(&w, DELIVERY_MODE);
    end_frame(&w);
    begin_frame(&w, FRAME_BODY, number);
    put_bytes(&w, BODY, sizeof BODY - 1);
    end_frame(&w);
    if (w.overflow) abort();
    consumer.size = w.size;
    free(consumer.batch);
    consumer.batch = malloc(BATCH * w.size);
    for (int i = 0; consumer.batch && i < BATCH; i++) memcpy(consumer.batch + i * w.size, w.bytes, w.size);
    return consumer.batch != NULL;
}

/* As many deliveries as the consumer may have. */
static void deliver(void) {
    while (consumer.channel && !connection.end) {
        uint64_t held = consumer.delivered - consumer.settled, free_places = BATCH;
        if (consumer.prefetch) free_places = held < consumer.prefetch ? consumer.prefetch - held : 0;
        if (free_places == 0) return;
        uint64_t count = free_places < BATCH ? free_places : BATCH;
        for (uint64_t i = 0; i < count; i++) {
            uint64_t tag = __builtin_bswap64(++consumer.delivered);
            memcpy(consumer.batch + i * consumer.size + consumer.tag_at, &tag, sizeof tag);
        }
        send_all(consumer.batch, count * consumer.size);
    }
}

static void reply_with_tag(uint16_t number, uint32_t method, const char *tag) {
    struct writer w = {.size = 0};
    begin_method(&w, number, method);
    put_short_string(&w, tag);
    end_frame(&w);
    send_frames(&w);
}

/* basic.consume, basic.cancel, basic.ack and basic.nack. */
static void consumer_method(uint16_t number, uint32_t method, const uint8_t *fields, size_t size) {
    char tag[256] = "";
    if (method == BASIC_NACK) return; /* what a consumer that leaves has not taken */
    if (method == BASIC_ACK) {
        uint64_t settled = size >= 9 && fields[8] == 1 ? read64(fields) : 0;
        if (settled <= consumer.settled || settled > consumer.delivered)
            refuse(406, "PRECONDITION_FAILED - only acks of several deliveries are understood", method);
        else consumer.settled = settled;
        return;
    }
    size_t at = method == BASIC_CONSUME ? 2 : 0;
    if (method == BASIC_CONSUME && at < size) at += 1u + fields[at];
    if (at >= size || (size_t)fields[at] + 1 >= size - at) {
        refuse(501, "FRAME_ERROR - a string ends after its frame", method);
        return;
    }
    memcpy(tag, fields + at + 1, fields[at]);
    tag[fields[at]] = 0;
    uint8_t bits = fields[at + 1u + fields[at]];
    if (method == BASIC_CANCEL) {
        consumer.channel = 0;
        if (!(bits & 1)) reply_with_tag(number, BASIC_CANCEL_OK, tag);
        return;
    }
    if (consumer.channel || !prepare_deliveries(number, tag[0] ? tag : "amq.ctag-sink")) {
        refuse(540, "NOT_IMPLEMENTED - the sink has one consumer", method);
        return;
    }
    if (!(bits & 8)) reply_with_tag(number, BASIC_CONSUME_OK, tag[0] ? tag : "amq.ctag-sink");
    consumer.channel = number;
}

static void channel_method(uint16_t number, uint32_t method, const uint8_t *fields, size_t size) {
    struct channel *channel = &connection.channels[number];
    if (method == CHANNEL_OPEN) {
        if (channel->state != CHANNEL_CLOSED) {
            refuse(504, "CHANNEL_ERROR - the channel is open already", method);
            return;
        }
        memset(channel, 0, sizeof *channel);
        channel->state = CHANNEL_IDLE;
        reply(number, CHANNEL_OPEN_OK);
    } else if (channel->state != CHANNEL_IDLE) {
        refuse(channel->state == CHANNEL_CLOSED ? 504 : 505, "the channel does not expect a method", method);
    } else if (method == CHANNEL_CLOSE) {
        channel->state = CHANNEL_CLOSED;
        if (consumer.channel == number) consumer.channel = 0;
        reply(number, CHANNEL_CLOSE_OK);
    } else if (method == BASIC_CONSUME || method == BASIC_CANCEL || method == BASIC_ACK ||
               method == BASIC_NACK) {
        consumer_method(number, method, fields, size);
    } else if (method == CHANNEL_FLOW && size >= 1) {
        struct writer w = {.size = 0};
        begin_method(&w, number, CHANNEL_FLOW_OK);
        put8(&w, fields[0]);
        end_frame(&w);
        send_frames(&w);
    } else {
        simple_method(number, method, fields, size);
    }
}

/* What was published before confirm.select has no tag. */
static inline void published(uint16_t number, struct channel *channel) {
    connection.publishes++;
    channel->state = CHANNEL_IDLE;
    if (!channel->confirms) return;
    channel->published++;
    if (!channel->touched) {
        channel->touched = 1;
        connection.touched[connection.touched_count++] = number;
    }
}

/* Acks of publishes so far, before anything else is said on their channels. */
static void send_acks(void) {
    for (int i = 0; i < connection.touched_count && !connection.end; i++) {
        struct channel *channel = &connection.channels[connection.touched[i]];
        channel->touched = 0;
        struct writer w = {.size = 0};
        begin_method(&w, connection.touched[i], BASIC_ACK);
        put64(&w, channel->published);
        put8(&w, channel->published - channel->acked > 1);
        end_frame(&w);
        channel->acked = channel->published;
        connection.acks++;
        send_frames(&w);
    }
    connection.touched_count = 0;
}

static void method_frame(uint16_t number, const uint8_t *payload, uint32_t size) {
    if (size < 4) {
        refuse(501, "FRAME_ERROR - a method of less than four octets", 0);
        return;
    }
    uint32_t method = read32(payload);
    struct channel *channel = &connection.channels[number];
    if (method == BASIC_PUBLISH && channel->state == CHANNEL_IDLE) {
        channel->state = CHANNEL_HEADER;
        return;
    }
    send_acks();
    if (connection.end) return;
    if (number == 0) connection_method(method);
    else if (connection.phase != OPEN) refuse(503, "COMMAND_INVALID - the connection is not open", method);
    else channel_method(number, method, payload + 4, size - 4);
}

static inline void header_frame(uint16_t number, const uint8_t *payload, uint32_t size) {
    struct channel *channel = &connection.channels[number];
    if (channel->state != CHANNEL_HEADER || size < 14 || read16(payload) != 60) {
        refuse(505, "UNEXPECTED_FRAME - a header", 0);
        return;
    }
    channel->body_left = read64(payload + 4);
    channel->state = CHANNEL_BODY;
    if (channel->body_left == 0) published(number, channel);
}

static inline void body_frame(uint16_t number, uint32_t size) {
    struct channel *channel = &connection.channels[number];
    if (channel->state != CHANNEL_BODY || size > channel->body_left) {
        refuse(505, "UNEXPECTED_FRAME - a body", 0);
        return;
    }
    channel->body_left -= size;
    if (channel->body_left == 0) published(number, channel);
}

/* Takes the complete frames of what was received; returns how many octets those are. */
static size_t take_frames(const uint8_t *bytes, size_t count) {
    size_t at = 0;
    while (count - at >= FRAME_HEAD_SIZE && !connection.end) {
        const uint8_t *frame = bytes + at;
        uint8_t type = frame[0];
        uint16_t number = read16(frame + 1);
        uint32_t size = read32(frame + 3);
        if (size > FRAME_MAX - FRAME_OVERHEAD || number > CHANNEL_MAX) {
            refuse(501, "FRAME_ERROR - size or channel out of range", 0);
            break;
        }
        if (type != FRAME_BODY && type != FRAME_HEADER && type != FRAME_METHOD && type != FRAME_HEARTBEAT) {
            refuse(501, "FRAME_ERROR - unknown type", 0);
            break;
        }
        if (count - at < size + FRAME_OVERHEAD) break;
        const uint8_t *payload = frame + FRAME_HEAD_SIZE;
        if (payload[size] != FRAME_END) {
            refuse(501, "FRAME_ERROR - no end octet", 0);
            break;
        }
        if (type == FRAME_METHOD) method_frame(number, payload, size);
        else if (type == FRAME_HEADER) header_frame(number, payload, size);
        else if (type == FRAME_BODY) body_frame(number, size);
        at += size + FRAME_OVERHEAD;
    }
    return at;
}

/* Octets received, or 0 at the end of the stream, an error or a time of silence. */
static size_t receive(uint8_t *bytes, size_t room) {
    ssize_t got;
    do got = recv(connection.socket, bytes, room, 0);
    while (got < 0 && errno == EINTR);
    if (got == 0) end_connection("eof");
    else if (got < 0) end_connection(errno == EAGAIN ? "idle" : "receive-failed");
    if (got <= 0) return 0;
    connection.reads++;
    connection.octets += (uint64_t)got;
    return (size_t)got;
}

/* Closing with unread octets makes the kernel reset the connection, and the peer would lose what we said last. */
static void drop(uint8_t *bytes, size_t room) {
    struct timeval patience = {.tv_sec = 1};
    setsockopt(connection.socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    shutdown(connection.socket, SHUT_WR);
    for (int i = 0; i < 64 && recv(connection.socket, bytes, room, 0) > 0; i++) continue;
    close(connection.socket);
}

static void serve(int socket, size_t read_size, int idle_seconds) {
    connection.socket = socket;
    struct timeval idle = {.tv_sec = idle_seconds};
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &idle, sizeof idle);
    setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &idle, sizeof idle);
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));

    /* Room for a read behind the largest frame that is not complete yet. */
    size_t room = read_size + FRAME_MAX;
    uint8_t *bytes = malloc(room);
    if (!bytes) return;
    size_t held = 0;
    while (held < sizeof PROTOCOL_HEADER && !connection.end)
        held += receive(bytes + held, sizeof PROTOCOL_HEADER - held);
    if (!connection.end && memcmp(bytes, PROTOCOL_HEADER, sizeof PROTOCOL_HEADER) != 0) {
        send_all(PROTOCOL_HEADER, sizeof PROTOCOL_HEADER);
        end_connection("no-amqp");
    }
    if (!connection.end) send_start();
    held = 0;
    while (!connection.end) {
        held += receive(bytes + held, read_size);
        size_t taken = take_frames(bytes, held);
        send_acks();
        deliver();
        held -= taken;
        if (taken && held) memmove(bytes, bytes + taken, held);
    }
    drop(bytes, room);
    free(bytes);
    char line[240];
    int size = snprintf(line, sizeof line,
                        "connection publishes=%" PRIu64 " acks=%" PRIu64 " settled=%" PRIu64 " octets=%" PRIu64
                        " reads=%" PRIu64 " end=%s\n",
                        connection.publishes, connection.acks, consumer.settled, connection.octets, connection.reads,
                        connection.end);
    if (write(STDOUT_FILENO, line, (size_t)size) != size) _exit(1);
}

static void terminated(int signal) {
    (void)signal;
    _exit(0);
}

static int number_option(const char *text, int least, int most) {
    char *end;
    long value = strtol(text, &end, 10);
    if (!*text || *end || value < least || value > most) {
        fprintf(stderr, "sink: %s is not a number from %d to %d\n", text, least, most);
        exit(2);
    }
    return (int)value;
}

int main(int argc, char **argv) {
    int port = 0, idle_seconds = 60, read_kib = 128;
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 < argc && !strcmp(argv[i], "--port")) port = number_option(argv[i + 1], 0, 65535);
        else if (i + 1 < argc && !strcmp(argv[i], "--idle")) idle_seconds = number_option(argv[i + 1], 1, 86400);
        else if (i + 1 < argc && !strcmp(argv[i], "--read")) read_kib = number_option(argv[i + 1], 4, 4096);
        else {
            fprintf(stderr, "usage: sink [--port PORT] [--idle SECONDS] [--read KIB]\n");
            return 2;
        }
    }
    signal(SIGPIPE, SIG_IGN);
    struct sigaction action = {.sa_handler = terminated};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);

    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, length) != 0 || listen(listener, 128) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) != 0) {
        fprintf(stderr, "sink: cannot listen on 127.0.0.1:%d: %s\n", port, strerror(errno));
        return 1;
    }
    dprintf(STDOUT_FILENO, "port %d\n", ntohs(address.sin_port));

    pid_t parent = getpid();
    int children = 0;
    for (;;) {
        struct pollfd ready = {.fd = listener, .events = POLLIN};
        int polled = poll(&ready, 1, idle_seconds * 1000);
        while (children > 0 && waitpid(-1, NULL, WNOHANG) > 0) children--;
        if (polled == 0 && children == 0) return 0;
        if (polled <= 0) continue;
        int socket = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (socket < 0) continue;
        pid_t child = fork();
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGTERM);
            if (getppid() != parent) _exit(0);
            close(listener);
            serve(socket, (size_t)read_kib * 1024, idle_seconds);
            _exit(0);
        }
        if (child > 0) children++;
        else fprintf(stderr, "sink: cannot fork: %s\n", strerror(errno));
        close(socket);
    }
}
