/* The limit: the same frames, encoded once, in writes of 64 KiB; what the kernel and the peer allow with no client.
 *
 * In a window it writes as many whole messages as fit in 64 KiB and in the window, and reads acks when it is full. One
 * at a time it writes a message and reads its ack: the round trip itself.
 * The clock stops when the channel is closed: its close-ok proves that the peer has read everything. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "measure.h"
#include "wire.h"

enum { WRITE_SIZE = 65536 };

static int peer;
static struct ledger ledger;
static uint8_t received[65536];
static size_t received_start, received_end;
static uint8_t batch[WRITE_SIZE];
static size_t message_size;
static uint64_t batch_messages;

static void fail(const char *what, const char *why) {
    fprintf(stderr, "raw-writer: %s: %s\n", what, why);
    exit(1);
}

static void send_all(const void *bytes, size_t count) {
    const uint8_t *at = bytes;
    while (count > 0) {
        ssize_t sent = send(peer, at, count, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) fail("sending", strerror(errno));
        at += sent;
        count -= (size_t)sent;
    }
}

static void send_frames(const struct writer *w) {
    if (w->overflow) fail("sending", "frames larger than their buffer");
    send_all(w->bytes, w->size);
}

static void receive(void) {
    if (received_start > 0) memmove(received, received + received_start, received_end - received_start);
    received_end -= received_start;
    received_start = 0;
    if (received_end == sizeof received) fail("receiving", "a frame larger than 64 KiB");
    ssize_t got;
    do got = recv(peer, received + received_end, sizeof received - received_end, 0);
    while (got < 0 && errno == EINTR);
    if (got <= 0) fail("receiving", got == 0 ? "the peer ended the connection" : strerror(errno));
    received_end += (size_t)got;
}

/* Takes an ack, or returns the payload of another method; null if no complete frame is there. */
static const uint8_t *take_frame(int *took) {
    *took = 0;
    size_t held = received_end - received_start;
    const uint8_t *frame = received + received_start;
    if (held < FRAME_HEAD_SIZE) return NULL;
    uint32_t size = read32(frame + 3);
    if (size > FRAME_MAX) fail("receiving", "a frame larger than allowed");
    if (held < (size_t)size + FRAME_OVERHEAD) return NULL;
    received_start += size + FRAME_OVERHEAD;
    *took = 1;
    if (frame[0] != FRAME_METHOD || size < 4) return NULL;
    uint32_t method = read32(frame + FRAME_HEAD_SIZE);
    if (method == BASIC_NACK) fail("waiting for confirms", "refused by the peer");
    if (method == BASIC_ACK && size >= 13) {
        if (confirm(&ledger, read64(frame + 11), frame[19] & 1) != 0)
            fail("waiting for confirms", "a tag without a publish");
        return NULL;
    }
    return frame + FRAME_HEAD_SIZE;
}

static void take_confirms(void) {
    receive();
    int took;
    do {
        if (take_frame(&took)) fail("waiting for confirms", "something else arrived");
    } while (took);
}

static void expect(uint32_t expected) {
    for (;;) {
        int took;
        const uint8_t *method = take_frame(&took);
        if (method && read32(method) == expected) return;
        if (method && read32(method) != expected) fail("waiting for a reply", "another method arrived");
        if (!took) receive();
    }
}

static void connect_to(const struct options *o) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)o->port)};
    if (inet_pton(AF_INET, o->host, &address.sin_addr) != 1) fail("--host", "not an IPv4 address");
    peer = socket(AF_INET, SOCK_STREAM, 0);
    if (peer < 0 || connect(peer, (struct sockaddr *)&address, sizeof address) != 0)
        fail("connecting", strerror(errno));
    setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
}

static void open_connection(const struct options *o) {
    send_all(PROTOCOL_HEADER, sizeof PROTOCOL_HEADER);
    expect(CONNECTION_START);
    struct writer w = {.size = 0};
    begin_method(&w, 0, CONNECTION_START_OK);
    put32(&w, 0);
    put_short_string(&w, "PLAIN");
    put_long_string(&w, "\0guest\0guest", 12);
    put_short_string(&w, "en_US");
    end_frame(&w);
    send_frames(&w);
    expect(CONNECTION_TUNE);
    w = (struct writer){.size = 0};
    begin_method(&w, 0, CONNECTION_TUNE_OK);
    put16(&w, CHANNEL_MAX);
    put32(&w, FRAME_MAX);
    put16(&w, 0);
    end_frame(&w);
    begin_method(&w, 0, CONNECTION_OPEN);
    put_short_string(&w, "/");
    put_short_string(&w, "");
    put8(&w, 0);
    end_frame(&w);
    send_frames(&w);
    expect(CONNECTION_OPEN_OK);
    w = (struct writer){.size = 0};
    begin_method(&w, 1, CHANNEL_OPEN);
    put_short_string(&w, "");
    end_frame(&w);
    send_frames(&w);
    expect(CHANNEL_OPEN_OK);
    w = (struct writer){.size = 0};
    begin_method(&w, 1, EXCHANGE_DECLARE);
    put16(&w, 0);
    put_short_string(&w, EXCHANGE);
    put_short_string(&w, EXCHANGE_TYPE);
    put8(&w, 0);
    put32(&w, 0);
    end_frame(&w);
    send_frames(&w);
    expect(EXCHANGE_DECLARE_OK);
    if (o->mode == MODE_NONE) return;
    w = (struct writer){.size = 0};
    begin_method(&w, 1, CONFIRM_SELECT);
    put8(&w, 0);
    end_frame(&w);
    send_frames(&w);
    expect(CONFIRM_SELECT_OK);
}

static void close_channel(void) {
    struct writer w = {.size = 0};
    begin_method(&w, 1, CHANNEL_CLOSE);
    put16(&w, 200);
    put_short_string(&w, "");
    put32(&w, 0);
    end_frame(&w);
    send_frames(&w);
    expect(CHANNEL_CLOSE_OK);
}

static void close_connection(void) {
    struct writer w = {.size = 0};
    begin_method(&w, 0, CONNECTION_CLOSE);
    put16(&w, 200);
    put_short_string(&w, "");
    put32(&w, 0);
    end_frame(&w);
    send_frames(&w);
    expect(CONNECTION_CLOSE_OK);
    close(peer);
}

static void fill_batch(void) {
    struct writer w = {.size = 0};
    begin_method(&w, 1, BASIC_PUBLISH);
    put16(&w, 0);
    put_short_string(&w, EXCHANGE);
    put_short_string(&w, ROUTING_KEY);
    put8(&w, 0);
    end_frame(&w);
    begin_frame(&w, FRAME_HEADER, 1);
    put16(&w, 60);
    put16(&w, 0);
    put64(&w, sizeof BODY - 1);
    put16(&w, 1 << 15 | 1 << 12);
    put_short_string(&w, CONTENT_TYPE);
    put8(&w, DELIVERY_MODE);
    end_frame(&w);
    begin_frame(&w, FRAME_BODY, 1);
    put_bytes(&w, BODY, sizeof BODY - 1);
    end_frame(&w);
    message_size = w.size;
    for (batch_messages = 0; (batch_messages + 1) * message_size <= WRITE_SIZE; batch_messages++)
        memcpy(batch + batch_messages * message_size, w.bytes, message_size);
}

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

static void run(const struct options *o, uint64_t messages, struct measurement *m) {
    while (messages > 0) {
        uint64_t count = least(messages, batch_messages), began = 0;
        if (o->mode == MODE_WINDOW) {
            while (outstanding(&ledger) >= o->window) take_confirms();
            count = least(count, o->window - outstanding(&ledger));
        } else if (o->mode == MODE_ONE) {
            count = 1;
            began = now_ns();
        }
        ledger.published += o->mode == MODE_NONE ? 0 : count;
        send_all(batch, count * message_size);
        messages -= count;
        if (o->mode != MODE_ONE) continue;
        while (outstanding(&ledger) > 0) take_confirms();
        if (m) record_latency(m, now_ns() - began);
    }
    while (outstanding(&ledger) > 0) take_confirms();
}

int main(int argc, char **argv) {
    struct options o = parse_options(argc, argv);
    struct measurement m = prepare_measurement(&o);
    fill_batch();
    connect_to(&o);
    open_connection(&o);

    run(&o, o.warmup, NULL);
    start_measurement(&m);
    run(&o, o.messages, &m);
    close_channel();
    end_measurement(&m);

    close_connection();
    print_result("raw-writer", &o, &m);
    return 0;
}
