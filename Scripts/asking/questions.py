"""The questions, in the order of the methods. Each gets a broker and returns its answer in a few words."""

import struct
from dataclasses import dataclass
from typing import Callable

from recording.handmade import (
    ACK,
    BODY,
    CANCEL,
    CANCEL_OK,
    CHANNEL_OPEN,
    CONFIRM,
    CONSUME,
    CONSUME_OK,
    DELIVER,
    FLOW,
    GET,
    GET_OK,
    HEADER,
    PUBLISH,
    QOS,
    QUEUE_DECLARE,
    QUEUE_DECLARE_OK,
    START,
    TUNE,
    TUNE_OK,
    UPDATE_SECRET,
    frame,
    long,
    method,
    publish,
    short,
    table,
)

from .client import WITHOUT_FAILURE_CLOSE, Asker

QUESTIONS = []
PASSIVE, DURABLE, EXCLUSIVE, AUTO_DELETE = 1, 2, 4, 8
EXCHANGE_DECLARE, EXCHANGE_DELETE, EXCHANGE_BIND = (40, 10), (40, 20), (40, 30)
QUEUE_BIND, QUEUE_PURGE, QUEUE_DELETE, QUEUE_UNBIND = (50, 20), (50, 30), (50, 40), (50, 50)
REJECT, RECOVER_ASYNC, RECOVER, NACK = (60, 90), (60, 100), (60, 110), (60, 120)
TX_SELECT, TX_COMMIT = (90, 10), (90, 20)
NO_TABLE = b"\x00\x00\x00\x00"
MEBIBYTE = 1 << 20


@dataclass
class Question:
    method: str
    text: str
    ask: Callable
    # A line of rabbitmq.conf that the broker is to have. RabbitMQ 3.10 does not start with what it does not know.
    setting: str | None = None


def question(name, text, setting=None):
    def register(function):
        QUESTIONS.append(Question(name, text, function, setting))
        return function

    return register


def simply(name, text, *frames, setting=None):
    """A question of frames on an open channel; the answer is all that comes."""

    @question(name, text, setting)
    def ask(broker):
        client = Asker(broker.port).ready()
        client.send(*frames)
        return client.until_quiet()


# Frames ------------------------------------------------------------------------------------------


def exchange(name, kind, flags=0, arguments=NO_TABLE):
    return method(1, EXCHANGE_DECLARE, b"\x00\x00", short(name), short(kind), bytes([flags]), arguments)


def queue(name, flags=EXCLUSIVE, *arguments):
    return method(1, QUEUE_DECLARE, b"\x00\x00", short(name), bytes([flags]), table(*arguments))


def removal(name, flags=0):
    return method(1, QUEUE_DELETE, b"\x00\x00", short(name), bytes([flags]))


def consume(name, tag, flags=0, *arguments, channel=1):
    return method(channel, CONSUME, b"\x00\x00", short(name), short(tag), bytes([flags]), table(*arguments))


def number(value):
    return struct.pack(">i", value)


def publish_to(exchange_name, key, flags=0, body=b"x", properties=b"\x00\x00"):
    pieces = method(1, PUBLISH, b"\x00\x00", short(exchange_name), short(key), bytes([flags]))
    return pieces + frame(HEADER, 1, struct.pack(">HHQ", 60, 0, len(body)) + properties) + frame(BODY, 1, body)


# connection --------------------------------------------------------------------------------------


@question("protocol header", "AMQP 1.0 asked for")
def amqp_1_0(broker):
    client = Asker(broker.port)
    client.send(b"AMQP\x00\x01\x00\x00")
    return client.answer()


@question("protocol header", "AMQP 0-8 asked for")
def amqp_0_8(broker):
    client = Asker(broker.port)
    client.send(b"AMQP\x01\x01\x08\x00")
    return client.answer()


@question("protocol header", "no AMQP at all: an HTTP request")
def http(broker):
    client = Asker(broker.port)
    client.send(b"GET / HTTP/1.1\r\n\r\n")
    return client.answer()


@question("connection.start", "the capabilities that the broker tells")
def capabilities(broker):
    client = Asker(broker.port)
    client.send(b"AMQP\x00\x00\x09\x01")
    _, arguments = client.expect(START)
    known = (
        "publisher_confirms exchange_exchange_bindings basic.nack consumer_cancel_notify connection.blocked "
        "consumer_priorities authentication_failure_close per_consumer_qos direct_reply_to"
    )
    return ", ".join(name for name in known.split() if short(name) + b"t\x01" in arguments)


@question("connection.start-ok", "a wrong password")
def wrong_password(broker):
    return Asker(broker.port).greet(password=b"wrong").answer()


@question("connection.start-ok", "a wrong password, without the capability authentication_failure_close")
def wrong_password_silent(broker):
    return Asker(broker.port).greet(password=b"wrong", properties=WITHOUT_FAILURE_CLOSE).answer()


@question("connection.start-ok", "a mechanism that the broker does not have")
def unknown_mechanism(broker):
    return Asker(broker.port).greet(mechanism="KERBEROS").answer()


@question("connection.start-ok", "a frame of 5,000 bytes")
def long_start_ok(broker):
    return Asker(broker.port).greet(properties=table(("product", "S", long("x" * 4_900)))).answer()


@question("connection.start-ok", "a frame of 20,000 bytes")
def longer_start_ok(broker):
    return Asker(broker.port).greet(properties=table(("product", "S", long("x" * 19_900)))).answer()


@question("connection.tune", "what the broker proposes: channel-max, frame-max, heartbeat")
def tune(broker):
    _, arguments = Asker(broker.port).greet().expect(TUNE)
    return ", ".join(f"{value:,}" for value in struct.unpack(">HIH", arguments))


def tuning(text, **limits):
    @question("connection.tune-ok", text)
    def ask(broker):
        client = Asker(broker.port).tuned(**limits)
        try:
            client.opened()
        except OSError:
            pass
        return client.answer()


tuning("a frame-max of 0", frame_max=0)
tuning("a frame-max of 4,095", frame_max=4_095)
tuning("a frame-max of 4,096", frame_max=4_096)
tuning("a frame-max of 8,191", frame_max=8_191)
tuning("a frame-max of 8,192", frame_max=8_192)
tuning("a frame-max larger than proposed", frame_max=262_144)
tuning("a channel-max of 0", channel_max=0)
tuning("a channel-max larger than proposed", channel_max=65_535)


@question("connection.open", "a virtual host that does not exist")
def no_vhost(broker):
    return Asker(broker.port).tuned().opened("nowhere").answer()


@question("connection.open", "a virtual host that this user may not open")
def closed_vhost(broker):
    client = Asker(broker.port).greet(b"limited", b"limited")
    client.expect(TUNE)
    client.send(method(0, TUNE_OK, struct.pack(">HIH", 2047, 131072, 0)))
    return client.opened("stats").answer()


@question("connection.open", "a second time")
def open_twice(broker):
    return Asker(broker.port).ready().opened().answer()


@question("connection.update-secret", "from a user with a password")
def update_secret(broker):
    client = Asker(broker.port).ready()
    client.send(method(0, UPDATE_SECRET, long("guest"), short("because")))
    return client.answer()


simply("any", "a method that does not exist", method(1, (60, 999)))
simply("any", "a class that does not exist", method(1, (99, 10)))
simply("any", "a frame of a kind that does not exist", frame(7, 1, b""))
simply("any", "a frame without its end byte", method(1, FLOW, b"\x01")[:-1] + b"\x00")
simply("any", "a heartbeat on channel 1", frame(8, 1, b""))
simply("any", "a frame longer than frame-max", frame(BODY, 1, bytes(131_072 + 100)))
simply("any", "a method on a channel that is not open", method(7, FLOW, b"\x01"))
simply("any", "a table with a field of the type U", queue("", EXCLUSIVE, ("x", "U", b"\x00\x01")))
simply("any", "a name that is not UTF-8", queue(b"\xff\xfe"))

# channel -----------------------------------------------------------------------------------------

simply("channel.open", "a channel that is open", method(1, CHANNEL_OPEN, short("")))


@question("channel.open", "a number above channel-max")
def channel_above(broker):
    client = Asker(broker.port).ready()
    client.send(method(3000, CHANNEL_OPEN, short("")))
    return client.answer()


simply("channel.flow", "off", method(1, FLOW, b"\x00"))
simply("channel.flow", "on", method(1, FLOW, b"\x01"))

# exchange ----------------------------------------------------------------------------------------

simply("exchange.declare", "a type that the broker does not know", exchange("asked.x", "x-nothing"))
simply("exchange.declare", "an exchange that exists with another type", exchange("amq.topic", "fanout", DURABLE))
simply("exchange.declare", "a name with the prefix amq.", exchange("amq.asked", "fanout"))
simply("exchange.declare", "passive, an exchange that does not exist", exchange("asked.none", "fanout", PASSIVE))
simply("exchange.declare", "the default exchange", exchange("", "direct"))
simply(
    "exchange.declare",
    "transient, of type topic",
    exchange("asked.transient", "topic", 0),
    method(1, EXCHANGE_DELETE, b"\x00\x00", short("asked.transient"), b"\x00"),
)
simply("exchange.delete", "an exchange that does not exist", method(1, EXCHANGE_DELETE, b"\x00\x00", short("asked.none"), b"\x00"))
simply("exchange.delete", "amq.direct", method(1, EXCHANGE_DELETE, b"\x00\x00", short("amq.direct"), b"\x00"))
simply(
    "exchange.bind",
    "an exchange that does not exist",
    method(1, EXCHANGE_BIND, b"\x00\x00", short("asked.none"), short("amq.topic"), short("k"), b"\x00", NO_TABLE),
)

# queue -------------------------------------------------------------------------------------------

simply(
    "queue.declare",
    "neither durable nor exclusive",
    queue("asked.transient", 0),
    removal("asked.transient"),
)
simply("queue.declare", "exclusive, not durable", queue("asked.exclusive"))
simply(
    "queue.declare",
    "exclusive, once without and once with x-queue-type classic",
    queue("asked.typed"),
    queue("asked.typed", EXCLUSIVE, ("x-queue-type", "S", long("classic"))),
)
simply(
    "queue.declare",
    "exclusive, once with and once without x-queue-type classic",
    queue("asked.typed", EXCLUSIVE, ("x-queue-type", "S", long("classic"))),
    queue("asked.typed"),
)
simply("queue.declare", "x-queue-type that does not exist", queue("", EXCLUSIVE, ("x-queue-type", "S", long("nothing"))))
simply("queue.declare", "quorum and exclusive", queue("asked.q", EXCLUSIVE, ("x-queue-type", "S", long("quorum"))))
simply("queue.declare", "quorum and not durable", queue("asked.q", 0, ("x-queue-type", "S", long("quorum"))))
simply("queue.declare", "quorum and auto-delete", queue("asked.q", DURABLE | AUTO_DELETE, ("x-queue-type", "S", long("quorum"))), removal("asked.q"))
simply(
    "queue.declare",
    "a durable quorum queue, and again as classic",
    queue("asked.q", DURABLE, ("x-queue-type", "S", long("quorum"))),
    queue("asked.q", DURABLE),
)
simply("queue.delete", "a quorum queue", removal("asked.q"))
simply("queue.declare", "stream and not durable", queue("asked.s", 0, ("x-queue-type", "S", long("stream"))))
simply("queue.declare", "x-queue-mode lazy", queue("", EXCLUSIVE, ("x-queue-mode", "S", long("lazy"))))
simply("queue.declare", "x-queue-master-locator", queue("", EXCLUSIVE, ("x-queue-master-locator", "S", long("min-masters"))))
simply("queue.declare", "x-max-priority 256", queue("", EXCLUSIVE, ("x-max-priority", "I", number(256))))
simply("queue.declare", "x-expires 0", queue("", EXCLUSIVE, ("x-expires", "I", number(0))))
simply("queue.declare", "x-message-ttl as text", queue("", EXCLUSIVE, ("x-message-ttl", "S", long("10"))))
simply("queue.declare", "x-message-ttl -1", queue("", EXCLUSIVE, ("x-message-ttl", "I", number(-1))))
simply("queue.declare", "x-delivery-limit on a classic queue", queue("", EXCLUSIVE, ("x-delivery-limit", "I", number(3))))
simply("queue.declare", "x-overflow that does not exist", queue("", EXCLUSIVE, ("x-overflow", "S", long("nothing"))))
simply("queue.declare", "an argument x-anything", queue("", EXCLUSIVE, ("x-anything", "I", number(1))))
simply("queue.declare", "passive, a queue that does not exist", queue("asked.none", PASSIVE))
simply("queue.declare", "a name with the prefix amq.", queue("amq.asked"))
simply(
    "queue.declare",
    "again with another x-message-ttl",
    queue("asked.again", EXCLUSIVE, ("x-message-ttl", "I", number(1))),
    queue("asked.again", EXCLUSIVE, ("x-message-ttl", "I", number(2))),
)
simply("queue.declare", "again as durable", queue("asked.again"), queue("asked.again", EXCLUSIVE | DURABLE))


@question("queue.declare", "a queue that another connection holds exclusively")
def held(broker):
    holder = Asker(broker.port).ready()
    holder.send(queue("asked.held"))
    holder.expect(QUEUE_DECLARE_OK)
    client = Asker(broker.port).ready()
    client.send(queue("asked.held"))
    return client.until_quiet()


simply("queue.delete", "a queue that does not exist", removal("asked.none"))
simply("queue.purge", "a queue that does not exist", method(1, QUEUE_PURGE, b"\x00\x00", short("asked.none"), b"\x00"))
simply(
    "queue.bind",
    "to an exchange that does not exist",
    queue("asked.b"),
    method(1, QUEUE_BIND, b"\x00\x00", short("asked.b"), short("asked.none"), short("k"), b"\x00", NO_TABLE),
)
simply(
    "queue.unbind",
    "a binding that does not exist",
    queue("asked.b"),
    method(1, QUEUE_UNBIND, b"\x00\x00", short("asked.b"), short("amq.topic"), short("k"), NO_TABLE),
)


@question("queue.declare", "the arguments that the broker lists of a queue that was declared without any")
def listed(broker):
    client = Asker(broker.port).ready()
    client.send(queue("asked.listed"))
    client.expect(QUEUE_DECLARE_OK)
    for line in broker.ctl("-q", "list_queues", "name", "arguments").splitlines():
        if line.startswith("asked.listed\t"):
            return line.split("\t")[1]
    return "not listed"


# basic -------------------------------------------------------------------------------------------



def qos(text, *arguments):
    @question("basic.qos", text)
    def ask(broker):
        client = Asker(broker.port).ready()
        client.send(method(1, QOS, struct.pack(">IHB", *arguments)))
        return client.answer()


qos("a prefetch count for the consumers to come", 0, 10, 0)
qos("a prefetch count for the channel (global)", 0, 10, 1)
qos("a prefetch-size", 1024, 0, 0)


@question("basic.qos", "how many messages two consumers get under a channel's prefetch count (global) of 3")
def shared_prefetch(broker):
    client = Asker(broker.port).ready()
    client.send(method(1, QOS, struct.pack(">IHB", 0, 3, 1)), queue("asked.g"))
    client.expect(QUEUE_DECLARE_OK)
    client.send(consume("asked.g", "one"), consume("asked.g", "two"), *(publish("asked.g", b"x") for _ in range(12)))
    client.socket.settimeout(1)
    count = 0
    while True:
        identifier, _ = client.next()
        count += identifier == DELIVER
        if isinstance(identifier, str):
            return str(count)
simply("basic.consume", "a queue that does not exist", consume("asked.none", "t"))
simply("basic.consume", "the same tag twice", queue("asked.c"), consume("asked.c", "t"), consume("asked.c", "t"))
simply(
    "basic.consume",
    "x-priority as text",
    queue("asked.c"),
    consume("asked.c", "t", 0, ("x-priority", "S", long("high"))),
)
simply(
    "basic.consume",
    "x-stream-offset on a classic queue",
    queue("asked.c"),
    consume("asked.c", "t", 0, ("x-stream-offset", "S", long("first"))),
)


def on_stream(text, *frames, name="basic.consume"):
    @question(name, text)
    def ask(broker):
        client = Asker(broker.port).ready()
        client.send(queue("asked.stream", DURABLE, ("x-queue-type", "S", long("stream"))))
        client.expect(QUEUE_DECLARE_OK)
        client.send(*frames)
        return client.until_quiet()


on_stream("a stream, without a prefetch count", consume("asked.stream", "t"))
on_stream("a stream, without acknowledgements", method(1, QOS, struct.pack(">IHB", 0, 10, 0)), consume("asked.stream", "t", 2))
on_stream(
    "a stream, x-stream-offset that does not exist",
    method(1, QOS, struct.pack(">IHB", 0, 10, 0)),
    consume("asked.stream", "t", 0, ("x-stream-offset", "S", long("nothing"))),
)
on_stream("a stream", method(1, GET, b"\x00\x00", short("asked.stream"), b"\x00"), name="basic.get")
on_stream("a stream", removal("asked.stream"), name="queue.delete")


@question("basic.consume", "exclusively, a queue that has a consumer")
def exclusive_consumer(broker):
    client = Asker(broker.port).ready()
    client.send(queue("asked.c"), consume("asked.c", "one"), consume("asked.c", "two", 4))
    return client.until_quiet()


simply("basic.cancel", "a tag that does not exist", method(1, CANCEL, short("nobody"), b"\x00"))


@question("basic.cancel", "right behind its basic.consume, before the consume-ok")
def cancel_early(broker):
    client = Asker(broker.port).ready()
    client.send(queue("asked.c"))
    client.expect(QUEUE_DECLARE_OK)
    client.send(consume("asked.c", "t"), method(1, CANCEL, short("t"), b"\x00"))
    return client.until_quiet()


@question("basic.cancel", "the same on a durable quorum queue")
def cancel_early_quorum(broker):
    client = Asker(broker.port).ready()
    client.send(queue("asked.quorum", DURABLE, ("x-queue-type", "S", long("quorum"))))
    client.expect(QUEUE_DECLARE_OK)
    client.send(consume("asked.quorum", "t"), method(1, CANCEL, short("t"), b"\x00"))
    said = client.until_quiet()
    other = Asker(broker.port).ready()
    other.send(removal("asked.quorum"))
    other.until_quiet()
    return said


simply("basic.cancel-ok", "that nobody asked for", method(1, CANCEL_OK, short("nobody")))


@question("basic.cancel-ok", "as an answer to the broker's basic.cancel, which wants none")
def cancel_answered(broker):
    client = Asker(broker.port).ready()
    client.send(queue("asked.c"), consume("asked.c", "t"))
    client.expect(CONSUME_OK)
    client.send(removal("asked.c"))
    client.expect(CANCEL)
    client.send(method(1, CANCEL_OK, short("t")))
    return client.until_quiet()


simply("basic.publish", "to an exchange that does not exist", publish_to("asked.none", "k"))
simply("basic.publish", "mandatory, to no queue", publish_to("", "asked.none", 1))
simply("basic.publish", "immediate", publish_to("", "asked.none", 2))
simply("basic.publish", "an expiration that is no number", publish_to("", "k", 0, b"x", struct.pack(">H", 1 << 8) + short("soon")))
simply("basic.publish", "a user-id that is not one's own", publish_to("", "k", 0, b"x", struct.pack(">H", 1 << 4) + short("root")))
simply("basic.publish", "reply-to amq.rabbitmq.reply-to without a consumer", publish_to("", "k", 0, b"x", struct.pack(">H", 1 << 9) + short("amq.rabbitmq.reply-to")))
simply("basic.publish", "an empty body frame behind an empty message", publish("asked.none"), frame(BODY, 1, b""))
simply("basic.publish", "the property flag of bit 0, with no further word", publish("asked.none", b"", b"\x00\x01\x00\x00"))
simply("basic.publish", "the property flag of bit 1, which means nothing", publish("asked.none", b"", b"\x00\x02"))
simply("basic.publish", "a header frame of another class", method(1, PUBLISH, b"\x00\x00", short(""), short("k"), b"\x00"), frame(HEADER, 1, struct.pack(">HHQ", 50, 0, 0) + b"\x00\x00"))
simply("basic.publish", "a message said to be of 16 MiB and one byte", method(1, PUBLISH, b"\x00\x00", short(""), short("k"), b"\x00"), frame(HEADER, 1, struct.pack(">HHQ", 60, 0, 16 * MEBIBYTE + 1) + b"\x00\x00"))


def large(text, size):
    @question("basic.publish", text)
    def ask(broker):
        client = Asker(broker.port).ready()
        client.send(method(1, PUBLISH, b"\x00\x00", short(""), short("asked.none"), b"\x00"))
        client.send(frame(HEADER, 1, struct.pack(">HHQ", 60, 0, size) + b"\x00\x00"))
        piece = frame(BODY, 1, bytes(MEBIBYTE // 16))
        try:
            for _ in range(size // (MEBIBYTE // 16)):
                client.send(piece)
            if size % (MEBIBYTE // 16):
                client.send(frame(BODY, 1, bytes(size % (MEBIBYTE // 16))))
        except OSError:
            pass
        return client.until_quiet()


large("a message of 16 MiB", 16 * MEBIBYTE)
large("a message of 16 MiB and one byte", 16 * MEBIBYTE + 1)


def header_names(payload):
    """The names of the fields of a headers table, in their order, from a header frame that has only that property."""
    rest = payload[4 + 8 + 2 :]
    size = struct.unpack(">I", rest[:4])[0]
    fields, names = rest[4 : 4 + size], []
    while fields:
        names.append(fields[1 : 1 + fields[0]].decode())
        fields = fields[1 + fields[0] :]
        kind = fields[:1]
        length = {b"t": 1, b"b": 1, b"I": 4, b"l": 8, b"V": 0}.get(kind)
        if length is None:
            length = 4 + struct.unpack(">I", fields[1:5])[0]
        names[-1] += f" ({kind.decode()})"
        fields = fields[1 + length :]
    return " ".join(names)


HEADERS = table(("zebra", "S", long("z")), ("count", "I", number(1)), ("apple", "S", long("a")), ("flag", "t", b"\x01"))


@question("basic.get", "headers published as zebra (S) count (I) apple (S) flag (t)")
def header_order(broker):
    client = Asker(broker.port).ready()
    client.send(queue("asked.h"), publish("asked.h", b"x", struct.pack(">H", 1 << 13) + HEADERS))
    client.send(method(1, GET, b"\x00\x00", short("asked.h"), b"\x01"))
    client.expect(GET_OK)
    client.answer_header()
    return header_names(client.header)


@question("basic.get", "the same headers after dead-lettering")
def header_order_dead(broker):
    client = Asker(broker.port).ready()
    arguments = (
        ("x-message-ttl", "I", number(0)),
        ("x-dead-letter-exchange", "S", long("")),
        ("x-dead-letter-routing-key", "S", long("asked.dead")),
    )
    client.send(queue("asked.dead"), queue("asked.dying", EXCLUSIVE, *arguments), consume("asked.dead", "t", 2))
    client.expect(CONSUME_OK)
    client.send(publish("asked.dying", b"x", struct.pack(">H", 1 << 13) + HEADERS))
    client.expect(DELIVER)
    client.answer_header()
    return header_names(client.header)


simply("basic.get", "a queue that does not exist", method(1, GET, b"\x00\x00", short("asked.none"), b"\x00"))
simply("basic.ack", "a tag that does not exist", method(1, ACK, struct.pack(">QB", 99, 0)))
simply("basic.reject", "a tag that does not exist", method(1, REJECT, struct.pack(">QB", 99, 0)))
simply("basic.nack", "a tag that does not exist", method(1, NACK, struct.pack(">QB", 99, 0)))
simply("basic.recover", "with requeue", method(1, RECOVER, b"\x01"))
simply("basic.recover", "without requeue", method(1, RECOVER, b"\x00"))
simply("basic.recover-async", "with requeue", method(1, RECOVER_ASYNC, b"\x01"))

# confirm, tx -------------------------------------------------------------------------------------

simply("confirm.select", "on a channel with transactions", method(1, TX_SELECT), method(1, CONFIRM, b"\x00"))
simply("tx.select", "on a channel with confirms", method(1, CONFIRM, b"\x00"), method(1, TX_SELECT))
simply("tx.commit", "without tx.select", method(1, TX_COMMIT))

# What the administrator may deny -----------------------------------------------------------------


@question("rabbitmqctl", "deprecated features and whether they are permitted")
def deprecated(broker):
    return broker.deprecated_features()


@question("rabbitmqctl", "where the broker keeps its queues and users")
def metadata_store(broker):
    store = broker.ctl("-q", "eval", 'try rabbit_khepri:is_enabled() of true -> "Khepri"; _ -> "Mnesia" catch _:_ -> "Mnesia" end.')
    return store.strip().strip('"')


def limit(text, key):
    @question("rabbitmqctl", text)
    def ask(broker):
        value = broker.ctl("-q", "eval", f"application:get_env(rabbit, {key}).").strip()
        return value.removeprefix("{ok,").removesuffix("}") + (f" ({key})" if value else "")


limit("the largest message, in bytes", "max_message_size")
limit("how long a delivery may wait for its acknowledgement, in milliseconds", "consumer_timeout")


DENIED = "deprecated_features.permit.transient_nonexcl_queues=false"
simply("queue.declare", "neither durable nor exclusive, where that is not permitted", queue("asked.denied", 0), setting=DENIED)
simply("queue.declare", "exclusive, not durable, where the former is not permitted", queue("asked.denied"), setting=DENIED)


@question(
    "basic.qos",
    "two consumers under a channel's prefetch count (global) of 3, where that is permitted",
    "deprecated_features.permit.global_qos=true",
)
def shared_prefetch_permitted(broker):
    return shared_prefetch(broker)


# What happens to clients --------------------------------------------------------------------------


def unsettled(kind):
    @question("basic.deliver", f"of a {kind} queue, not acknowledged for longer than consumer_timeout")
    def ask(broker):
        settings = "[{consumer_timeout, 500}, {channel_tick_interval, 200}]"
        before = broker.ctl("-q", "eval", f"[{{K, element(2, application:get_env(rabbit, K))}} || {{K, _}} <- {settings}].")
        broker.ctl("-q", "eval", f"[application:set_env(rabbit, K, V) || {{K, V}} <- {settings}].")
        try:
            client = Asker(broker.port, patience=4).ready()
            client.send(queue("asked.slow", DURABLE, ("x-queue-type", "S", long(kind))))
            client.send(publish("asked.slow", b"x"), consume("asked.slow", "t"))
            client.expect(DELIVER)
            said = client.answer()
        finally:
            broker.ctl("-q", "eval", f"[application:set_env(rabbit, K, V) || {{K, V}} <- {before.strip()}].")
        other = Asker(broker.port).ready()
        other.send(removal("asked.slow"))
        other.until_quiet()
        return said


unsettled("classic")
unsettled("quorum")


@question("connection.close", "when the node is put into maintenance (rabbitmq-upgrade drain)")
def drained(broker):
    client = Asker(broker.port).ready()
    broker.tool("rabbitmq-upgrade", "drain")
    said = client.answer()
    broker.tool("rabbitmq-upgrade", "revive")
    return said


@question("exchange.declare", "passive, a transient exchange after a restart of the node")
def transient_after_restart(broker):
    client = Asker(broker.port).ready()
    client.send(exchange("asked.outlives", "topic"))
    client.answer()
    broker.broker("restart")
    client = Asker(broker.port).ready()
    client.send(exchange("asked.outlives", "topic", PASSIVE))
    said = client.until_quiet()
    client = Asker(broker.port).ready()
    client.send(method(1, EXCHANGE_DELETE, b"\x00\x00", short("asked.outlives"), b"\x00"))
    client.until_quiet()
    return said
