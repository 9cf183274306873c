/* Bytes of AMQP 0-9-1 that the sink and the raw writer share. Knows nothing of sockets. */
#ifndef WIRE_H
#define WIRE_H

#include <stdint.h>
#include <string.h>

enum {
    FRAME_METHOD = 1,
    FRAME_HEADER = 2,
    FRAME_BODY = 3,
    FRAME_HEARTBEAT = 8,
    FRAME_END = 0xCE,
    FRAME_HEAD_SIZE = 7,
    FRAME_OVERHEAD = 8, /* head and end octet */
    FRAME_MAX = 131072,
    CHANNEL_MAX = 2047,
};

#define METHOD(class_id, method_id) ((uint32_t)(class_id) << 16 | (uint32_t)(method_id))

enum {
    CONNECTION_START = METHOD(10, 10),
    CONNECTION_START_OK = METHOD(10, 11),
    CONNECTION_TUNE = METHOD(10, 30),
    CONNECTION_TUNE_OK = METHOD(10, 31),
    CONNECTION_OPEN = METHOD(10, 40),
    CONNECTION_OPEN_OK = METHOD(10, 41),
    CONNECTION_CLOSE = METHOD(10, 50),
    CONNECTION_CLOSE_OK = METHOD(10, 51),
    CHANNEL_OPEN = METHOD(20, 10),
    CHANNEL_OPEN_OK = METHOD(20, 11),
    CHANNEL_FLOW = METHOD(20, 20),
    CHANNEL_FLOW_OK = METHOD(20, 21),
    CHANNEL_CLOSE = METHOD(20, 40),
    CHANNEL_CLOSE_OK = METHOD(20, 41),
    EXCHANGE_DECLARE = METHOD(40, 10),
    EXCHANGE_DECLARE_OK = METHOD(40, 11),
    QUEUE_DECLARE = METHOD(50, 10),
    QUEUE_DECLARE_OK = METHOD(50, 11),
    BASIC_QOS = METHOD(60, 10),
    BASIC_QOS_OK = METHOD(60, 11),
    BASIC_CONSUME = METHOD(60, 20),
    BASIC_CONSUME_OK = METHOD(60, 21),
    BASIC_CANCEL = METHOD(60, 30),
    BASIC_CANCEL_OK = METHOD(60, 31),
    BASIC_PUBLISH = METHOD(60, 40),
    BASIC_DELIVER = METHOD(60, 60),
    BASIC_ACK = METHOD(60, 80),
    BASIC_NACK = METHOD(60, 120),
    CONFIRM_SELECT = METHOD(85, 10),
    CONFIRM_SELECT_OK = METHOD(85, 11),
};

static const uint8_t PROTOCOL_HEADER[8] = {'A', 'M', 'Q', 'P', 0, 0, 9, 1};

static inline uint16_t read16(const uint8_t *p) {
    uint16_t value;
    memcpy(&value, p, sizeof value);
    return __builtin_bswap16(value);
}

static inline uint32_t read32(const uint8_t *p) {
    uint32_t value;
    memcpy(&value, p, sizeof value);
    return __builtin_bswap32(value);
}

static inline uint64_t read64(const uint8_t *p) {
    uint64_t value;
    memcpy(&value, p, sizeof value);
    return __builtin_bswap64(value);
}

/* A few frames under construction. What does not fit is dropped and shows as `overflow`. */
struct writer {
    uint8_t bytes[768];
    size_t size;
    size_t frame;
    int overflow;
};

static inline void put_bytes(struct writer *w, const void *bytes, size_t count) {
    if (count > sizeof w->bytes - w->size) {
        w->overflow = 1;
        return;
    }
    memcpy(w->bytes + w->size, bytes, count);
    w->size += count;
}

static inline void put8(struct writer *w, uint8_t value) { put_bytes(w, &value, 1); }

static inline void put16(struct writer *w, uint16_t value) {
    value = __builtin_bswap16(value);
    put_bytes(w, &value, sizeof value);
}

static inline void put32(struct writer *w, uint32_t value) {
    value = __builtin_bswap32(value);
    put_bytes(w, &value, sizeof value);
}

static inline void put64(struct writer *w, uint64_t value) {
    value = __builtin_bswap64(value);
    put_bytes(w, &value, sizeof value);
}

/* At most 255 octets of text. */
static inline void put_short_string(struct writer *w, const char *text) {
    size_t count = strlen(text);
    if (count > 255) count = 255;
    put8(w, (uint8_t)count);
    put_bytes(w, text, count);
}

static inline void put_long_string(struct writer *w, const void *bytes, size_t count) {
    put32(w, (uint32_t)count);
    put_bytes(w, bytes, count);
}

static inline void begin_frame(struct writer *w, uint8_t type, uint16_t channel) {
    w->frame = w->size;
    put8(w, type);
    put16(w, channel);
    put32(w, 0);
}

static inline void begin_method(struct writer *w, uint16_t channel, uint32_t method) {
    begin_frame(w, FRAME_METHOD, channel);
    put32(w, method);
}

static inline void end_frame(struct writer *w) {
    put8(w, FRAME_END);
    if (w->overflow) return;
    uint32_t payload = __builtin_bswap32((uint32_t)(w->size - w->frame - FRAME_OVERHEAD));
    memcpy(w->bytes + w->frame + 3, &payload, sizeof payload);
}

#endif
