/* A message whose headers hold every type that rabbitmq-c knows: published, or got and compared.
 *
 *   tables publish PORT QUEUE    publishes it
 *   tables expect PORT QUEUE     gets a message and says in which field it differs, if it does
 *
 * The same table stands in RabbitMQCTableTests.swift. Every failure ends the program with 1 and a line that says why. */
#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(const char *what, const char *why) {
    printf("tables: %s: %s\n", what, why);
    exit(1);
}

static void check_reply(const char *what, amqp_rpc_reply_t reply) {
    if (reply.reply_type == AMQP_RESPONSE_NORMAL) return;
    if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) fail(what, amqp_error_string2(reply.library_error));
    fail(what, "refused by the broker");
}

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))
#define ENTRY(name, type, field, ...) {{sizeof name - 1, name}, {type, {.field = __VA_ARGS__}}}
#define OCTETS(text) {sizeof text - 1, text}

static amqp_table_entry_t inner[] = {
    ENTRY("c", AMQP_FIELD_KIND_UTF8, bytes, OCTETS("nested")),
    ENTRY("n", AMQP_FIELD_KIND_I16, i16, -2),
};
static amqp_table_entry_t middle[] = {ENTRY("b", AMQP_FIELD_KIND_TABLE, table, {COUNT(inner), inner})};
static amqp_field_value_t elements[] = {
    {AMQP_FIELD_KIND_I32, {.i32 = 1}},
    {AMQP_FIELD_KIND_UTF8, {.bytes = OCTETS("two")}},
    {AMQP_FIELD_KIND_VOID, {.i32 = 0}},
    {AMQP_FIELD_KIND_BOOLEAN, {.boolean = 1}},
    {AMQP_FIELD_KIND_TABLE, {.table = {COUNT(middle), middle}}},
    {AMQP_FIELD_KIND_ARRAY, {.array = {0, NULL}}},
};
static amqp_table_entry_t entries[] = {
    ENTRY("true", AMQP_FIELD_KIND_BOOLEAN, boolean, 1),
    ENTRY("false", AMQP_FIELD_KIND_BOOLEAN, boolean, 0),
    ENTRY("i8", AMQP_FIELD_KIND_I8, i8, INT8_MIN),
    ENTRY("u8", AMQP_FIELD_KIND_U8, u8, UINT8_MAX),
    ENTRY("i16", AMQP_FIELD_KIND_I16, i16, INT16_MIN),
    ENTRY("u16", AMQP_FIELD_KIND_U16, u16, UINT16_MAX),
    ENTRY("i32", AMQP_FIELD_KIND_I32, i32, INT32_MIN),
    ENTRY("u32", AMQP_FIELD_KIND_U32, u32, UINT32_MAX),
    ENTRY("i64", AMQP_FIELD_KIND_I64, i64, INT64_MIN),
    ENTRY("u64", AMQP_FIELD_KIND_U64, u64, (uint64_t)1 << 40),
    ENTRY("float", AMQP_FIELD_KIND_F32, f32, 1.5f),
    ENTRY("double", AMQP_FIELD_KIND_F64, f64, 0.1),
    ENTRY("decimal", AMQP_FIELD_KIND_DECIMAL, decimal, {2, 314}),
    ENTRY("string", AMQP_FIELD_KIND_UTF8, bytes, OCTETS("Zürich")),
    ENTRY("empty", AMQP_FIELD_KIND_UTF8, bytes, OCTETS("")),
    ENTRY("array", AMQP_FIELD_KIND_ARRAY, array, {COUNT(elements), elements}),
    ENTRY("timestamp", AMQP_FIELD_KIND_TIMESTAMP, u64, 1600000000),
    ENTRY("table", AMQP_FIELD_KIND_TABLE, table, {COUNT(middle), middle}),
    ENTRY("void", AMQP_FIELD_KIND_VOID, i32, 0),
    ENTRY("bytes", AMQP_FIELD_KIND_BYTES, bytes, OCTETS("\x00\xce\xff")),
};
static const amqp_table_t headers = {COUNT(entries), entries};

static int are_same_octets(amqp_bytes_t a, amqp_bytes_t b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.bytes, b.bytes, a.len) == 0);
}

static int is_same_table(amqp_table_t a, amqp_table_t b);

static int is_same(const amqp_field_value_t *a, const amqp_field_value_t *b) {
    /* RabbitMQ 4 knows one type of 64 bits. */
    if (a->kind == AMQP_FIELD_KIND_I64 && b->kind == AMQP_FIELD_KIND_U64) return a->value.u64 == b->value.u64;
    if (a->kind != b->kind) return 0;
    switch (a->kind) {
    case AMQP_FIELD_KIND_BOOLEAN: return !a->value.boolean == !b->value.boolean;
    case AMQP_FIELD_KIND_I8: return a->value.i8 == b->value.i8;
    case AMQP_FIELD_KIND_U8: return a->value.u8 == b->value.u8;
    case AMQP_FIELD_KIND_I16: return a->value.i16 == b->value.i16;
    case AMQP_FIELD_KIND_U16: return a->value.u16 == b->value.u16;
    case AMQP_FIELD_KIND_I32: return a->value.i32 == b->value.i32;
    case AMQP_FIELD_KIND_U32: return a->value.u32 == b->value.u32;
    case AMQP_FIELD_KIND_I64: return a->value.i64 == b->value.i64;
    case AMQP_FIELD_KIND_U64:
    case AMQP_FIELD_KIND_TIMESTAMP: return a->value.u64 == b->value.u64;
    case AMQP_FIELD_KIND_F32: return a->value.f32 == b->value.f32;
    case AMQP_FIELD_KIND_F64: return a->value.f64 == b->value.f64;
    case AMQP_FIELD_KIND_DECIMAL:
        return a->value.decimal.decimals == b->value.decimal.decimals &&
               a->value.decimal.value == b->value.decimal.value;
    case AMQP_FIELD_KIND_UTF8:
    case AMQP_FIELD_KIND_BYTES: return are_same_octets(a->value.bytes, b->value.bytes);
    case AMQP_FIELD_KIND_VOID: return 1;
    case AMQP_FIELD_KIND_TABLE: return is_same_table(a->value.table, b->value.table);
    case AMQP_FIELD_KIND_ARRAY:
        if (a->value.array.num_entries != b->value.array.num_entries) return 0;
        for (int i = 0; i < a->value.array.num_entries; i++)
            if (!is_same(&a->value.array.entries[i], &b->value.array.entries[i])) return 0;
        return 1;
    default: return 0;
    }
}

static int is_same_table(amqp_table_t a, amqp_table_t b) {
    if (a.num_entries != b.num_entries) return 0;
    for (int i = 0; i < a.num_entries; i++)
        if (!are_same_octets(a.entries[i].key, b.entries[i].key) ||
            !is_same(&a.entries[i].value, &b.entries[i].value))
            return 0;
    return 1;
}

static void publish(amqp_connection_state_t connection, amqp_bytes_t queue) {
    amqp_basic_properties_t properties = {._flags = AMQP_BASIC_HEADERS_FLAG, .headers = headers};
    amqp_confirm_select(connection, 1);
    check_reply("selecting confirms", amqp_get_rpc_reply(connection));
    int status = amqp_basic_publish(connection, 1, amqp_empty_bytes, queue, 0, 0, &properties,
                                    amqp_cstring_bytes("typed"));
    if (status != AMQP_STATUS_OK) fail("publishing", amqp_error_string2(status));
    amqp_frame_t frame;
    status = amqp_simple_wait_frame(connection, &frame);
    if (status != AMQP_STATUS_OK) fail("waiting for the confirm", amqp_error_string2(status));
    if (frame.frame_type != AMQP_FRAME_METHOD || frame.payload.method.id != AMQP_BASIC_ACK_METHOD)
        fail("waiting for the confirm", "something else came");
}

static void expect(amqp_connection_state_t connection, amqp_bytes_t queue) {
    amqp_rpc_reply_t reply = amqp_basic_get(connection, 1, queue, 1);
    check_reply("getting a message", reply);
    if (reply.reply.id != AMQP_BASIC_GET_OK_METHOD) fail("getting a message", "the queue is empty");
    amqp_message_t message;
    check_reply("reading the message", amqp_read_message(connection, 1, &message, 0));
    if (!are_same_octets(message.body, amqp_cstring_bytes("typed"))) fail("body", "another one");
    if (!(message.properties._flags & AMQP_BASIC_HEADERS_FLAG)) fail("headers", "none");
    amqp_table_t came = message.properties.headers;
    /* By name: RabbitMQ 4 gives them back in the order of their names. */
    for (int i = 0; i < headers.num_entries; i++) {
        amqp_table_entry_t *meant = &headers.entries[i], *found = NULL;
        for (int j = 0; j < came.num_entries && !found; j++)
            if (are_same_octets(came.entries[j].key, meant->key)) found = &came.entries[j];
        if (!found || !is_same(&found->value, &meant->value)) fail("this field is another", meant->key.bytes);
    }
    if (came.num_entries != headers.num_entries) fail("headers", "more than were meant");
    amqp_destroy_message(&message);
}

int main(int argc, char **argv) {
    if (argc != 4) fail("usage", "tables publish|expect PORT QUEUE");
    amqp_connection_state_t connection = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(connection);
    if (!socket) fail("connecting", "no memory");
    int status = amqp_socket_open(socket, "127.0.0.1", atoi(argv[2]));
    if (status != AMQP_STATUS_OK) fail("connecting", amqp_error_string2(status));
    check_reply("logging in", amqp_login(connection, "/", 0, AMQP_DEFAULT_FRAME_SIZE, 0, AMQP_SASL_METHOD_PLAIN,
                                         "guest", "guest"));
    amqp_channel_open(connection, 1);
    check_reply("opening a channel", amqp_get_rpc_reply(connection));
    if (strcmp(argv[1], "publish") == 0) {
        publish(connection, amqp_cstring_bytes(argv[3]));
    } else if (strcmp(argv[1], "expect") == 0) {
        expect(connection, amqp_cstring_bytes(argv[3]));
    } else {
        fail("usage", "tables publish|expect PORT QUEUE");
    }
    check_reply("closing the connection", amqp_connection_close(connection, AMQP_REPLY_SUCCESS));
    amqp_destroy_connection(connection);
    puts("all is well");
    return 0;
}
