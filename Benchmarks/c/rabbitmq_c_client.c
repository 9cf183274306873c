/* The yardstick: a publisher and a consumer on rabbitmq-c (Debian's librabbitmq-dev), as its users write them, at their
 * best.
 *
 * amqp_basic_publish sends method, header and body at once, three system calls, the first two with MSG_MORE. The
 * library has no call that gathers several publishes, and whoever writes frames around it no longer measures it; so
 * there is no batching here. Heartbeats are off, which spares it a clock reading per publish. Acks are read only when
 * the window is full: asking after each publish would cost it more system calls per message, and asking at half the
 * window made no difference.
 *
 * Of a publisher the clock stops when the channel is closed: its close-ok proves that the peer has read everything. Of a
 * consumer it stops with the last ack. */
#include <amqp.h>
#include <amqp_tcp_socket.h>

#include "measure.h"

static amqp_connection_state_t connection;
static struct ledger ledger;

static void fail(const char *what, const char *why) {
    fprintf(stderr, "rabbitmq-c: %s: %s\n", what, why);
    exit(1);
}

static void check(const char *what, int status) {
    if (status != AMQP_STATUS_OK) fail(what, amqp_error_string2(status));
}

static void check_reply(const char *what, amqp_rpc_reply_t reply) {
    if (reply.reply_type == AMQP_RESPONSE_NORMAL) return;
    if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) fail(what, amqp_error_string2(reply.library_error));
    fail(what, "refused by the peer");
}

static void take_confirm(const amqp_frame_t *frame) {
    if (frame->frame_type != AMQP_FRAME_METHOD || frame->payload.method.id != AMQP_BASIC_ACK_METHOD)
        fail("waiting for confirms", "something else arrived");
    const amqp_basic_ack_t *ack = frame->payload.method.decoded;
    if (confirm(&ledger, ack->delivery_tag, ack->multiple) != 0)
        fail("waiting for confirms", "a tag without a publish");
}

/* Waits for one frame, then takes those that arrived with it. */
static void take_confirms(void) {
    amqp_frame_t frame;
    do {
        check("waiting for confirms", amqp_simple_wait_frame(connection, &frame));
        take_confirm(&frame);
    } while (amqp_frames_enqueued(connection) || amqp_data_in_buffer(connection));
    amqp_maybe_release_buffers(connection);
}

static inline void publish(amqp_bytes_t exchange, amqp_bytes_t key, amqp_bytes_t body) {
    amqp_basic_properties_t properties;
    properties._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG;
    properties.content_type = amqp_cstring_bytes(CONTENT_TYPE);
    properties.delivery_mode = DELIVERY_MODE;
    int status = amqp_basic_publish(connection, 1, exchange, key, 0, 0, &properties, body);
    if (status != AMQP_STATUS_OK) check("publishing", status);
}

static void start_consumer(void) {
    amqp_basic_qos(connection, 1, 0, PREFETCH, 0);
    check_reply("limiting the prefetch", amqp_get_rpc_reply(connection));
    amqp_basic_consume(connection, 1, amqp_cstring_bytes(QUEUE), amqp_empty_bytes, 0, 0, 0, amqp_empty_table);
    check_reply("consuming", amqp_get_rpc_reply(connection));
}

/* Takes so many messages, and acknowledges a hundred at a time. */
static void consume(uint64_t messages) {
    for (uint64_t i = 1; i <= messages; i++) {
        amqp_envelope_t envelope;
        amqp_maybe_release_buffers(connection);
        check_reply("waiting for a message", amqp_consume_message(connection, &envelope, NULL, 0));
        if (envelope.message.body.len != sizeof BODY - 1) fail("consuming", "a message of another size");
        if (i % ACK_EVERY == 0) check("acknowledging", amqp_basic_ack(connection, 1, envelope.delivery_tag, 1));
        amqp_destroy_envelope(&envelope);
    }
}

static void run(const struct options *o, uint64_t messages, struct measurement *m) {
    amqp_bytes_t exchange = amqp_cstring_bytes(EXCHANGE), key = amqp_cstring_bytes(ROUTING_KEY);
    amqp_bytes_t body = {sizeof BODY - 1, (void *)BODY};
    switch (o->mode) {
    case MODE_NONE:
        for (uint64_t i = 0; i < messages; i++) publish(exchange, key, body);
        break;
    case MODE_WINDOW:
        for (uint64_t i = 0; i < messages; i++) {
            while (outstanding(&ledger) >= o->window) take_confirms();
            ledger.published++;
            publish(exchange, key, body);
        }
        while (outstanding(&ledger) > 0) take_confirms();
        break;
    case MODE_ONE:
        for (uint64_t i = 0; i < messages; i++) {
            uint64_t began = now_ns();
            ledger.published++;
            publish(exchange, key, body);
            while (outstanding(&ledger) > 0) take_confirms();
            if (m) record_latency(m, now_ns() - began);
        }
        break;
    case MODE_CONSUME: consume(messages); break;
    }
}

int main(int argc, char **argv) {
    struct options o = parse_options(argc, argv);
    if (strcmp(o.style, "plain") != 0) fail("--style prepared", "rabbitmq-c has no prepared publisher");
    struct measurement m = prepare_measurement(&o);

    connection = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(connection);
    if (!socket) fail("connecting", "no memory");
    check("connecting", amqp_socket_open(socket, o.host, o.port));
    check_reply("logging in",
                amqp_login(connection, "/", 0, AMQP_DEFAULT_FRAME_SIZE, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest"));
    amqp_channel_open(connection, 1);
    check_reply("opening a channel", amqp_get_rpc_reply(connection));
    amqp_exchange_declare(connection, 1, amqp_cstring_bytes(EXCHANGE), amqp_cstring_bytes(EXCHANGE_TYPE), 0, 0, 0, 0,
                          amqp_empty_table);
    check_reply("declaring the exchange", amqp_get_rpc_reply(connection));
    if (o.mode == MODE_CONSUME) start_consumer();
    else if (o.mode != MODE_NONE) {
        amqp_confirm_select(connection, 1);
        check_reply("selecting confirms", amqp_get_rpc_reply(connection));
    }

    run(&o, o.warmup, NULL);
    start_measurement(&m);
    run(&o, o.messages, &m);
    if (o.mode == MODE_CONSUME) end_measurement(&m);
    check_reply("closing the channel", amqp_channel_close(connection, 1, AMQP_REPLY_SUCCESS));
    if (o.mode != MODE_CONSUME) end_measurement(&m);

    check_reply("closing the connection", amqp_connection_close(connection, AMQP_REPLY_SUCCESS));
    check("closing the connection", amqp_destroy_connection(connection));
    print_result("rabbitmq-c", &o, &m);
    return 0;
}
