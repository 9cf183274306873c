"""Sessions written octet by octet, for what no ready-made client sends."""

import contextlib
import socket
import struct

from .scenarios import scenario

METHOD, HEADER, BODY = 1, 2, 3

# (class, method) of what is sent or awaited here.
START, START_OK, TUNE, TUNE_OK = (10, 10), (10, 11), (10, 30), (10, 31)
OPEN, OPEN_OK, CLOSE, CLOSE_OK = (10, 40), (10, 41), (10, 50), (10, 51)
UPDATE_SECRET, UPDATE_SECRET_OK = (10, 70), (10, 71)
CHANNEL_OPEN, CHANNEL_OPEN_OK, FLOW = (20, 10), (20, 11), (20, 20)
CHANNEL_CLOSE, CHANNEL_CLOSE_OK = (20, 40), (20, 41)
QUEUE_DECLARE, QUEUE_DECLARE_OK, QUEUE_DELETE, QUEUE_DELETE_OK = (50, 10), (50, 11), (50, 40), (50, 41)
QOS, QOS_OK, CONSUME, CONSUME_OK = (60, 10), (60, 11), (60, 20), (60, 21)
CANCEL, CANCEL_OK, PUBLISH, DELIVER = (60, 30), (60, 31), (60, 40), (60, 60)
GET, GET_OK, GET_EMPTY, ACK = (60, 70), (60, 71), (60, 72), (60, 80)
CONFIRM, CONFIRM_OK = (85, 10), (85, 11)


def short(text):
    data = text if isinstance(text, bytes) else text.encode()
    return struct.pack(">B", len(data)) + data


def long(text):
    data = text if isinstance(text, bytes) else text.encode()
    return struct.pack(">I", len(data)) + data


def table(*fields):
    """A table of (name, type letter, octets of the value)."""
    return long(b"".join(short(name) + kind.encode() + value for name, kind, value in fields))


CAPABILITIES = (
    ("authentication_failure_close", "t", b"\x01"),
    ("basic.nack", "t", b"\x01"),
    ("connection.blocked", "t", b"\x01"),
    ("consumer_cancel_notify", "t", b"\x01"),
    ("publisher_confirms", "t", b"\x01"),
)
PROPERTIES = table(("product", "S", long("handmade")), ("capabilities", "F", table(*CAPABILITIES)))

# One field of every type that RabbitMQ reads, with the extremes of each.
EVERY_TYPE = (
    ("t true", "t", b"\x01"),
    ("t false", "t", b"\x00"),
    ("t two", "t", b"\x02"),
    ("b lowest", "b", struct.pack(">b", -128)),
    ("b highest", "b", struct.pack(">b", 127)),
    ("B highest", "B", struct.pack(">B", 255)),
    ("s lowest", "s", struct.pack(">h", -32768)),
    ("s highest", "s", struct.pack(">h", 32767)),
    ("u highest", "u", struct.pack(">H", 65535)),
    ("I lowest", "I", struct.pack(">i", -(1 << 31))),
    ("I highest", "I", struct.pack(">i", (1 << 31) - 1)),
    ("i highest", "i", struct.pack(">I", (1 << 32) - 1)),
    ("l lowest", "l", struct.pack(">q", -(1 << 63))),
    ("l highest", "l", struct.pack(">q", (1 << 63) - 1)),
    ("L minus one", "L", struct.pack(">q", -1)),
    ("f", "f", struct.pack(">f", 1.5)),
    ("d", "d", struct.pack(">d", -0.1)),
    ("D", "D", struct.pack(">BI", 2, 314)),
    ("D high", "D", struct.pack(">BI", 255, 0xFFFFFFFF)),
    ("T", "T", struct.pack(">Q", 1600000000)),
    ("S", "S", long("Zürich")),
    ("S empty", "S", long("")),
    ("S not UTF-8", "S", long(b"\xff\xfe\xce\x00")),
    ("A", "A", long(b"I" + struct.pack(">i", 1) + b"S" + long("two") + b"V" + b"A" + long(b""))),
    ("A empty", "A", long(b"")),
    ("F", "F", table(("inner", "F", table(("innermost", "V", b""))))),
    ("F empty", "F", table()),
    ("x", "x", long(b"\x00\xce\xff")),
    ("V", "V", b""),
    ("", "S", long("an empty name")),
    ("twice", "I", struct.pack(">i", 1)),
    ("twice", "I", struct.pack(">i", 2)),
)


class Client:
    """A socket that sends frames and reads them; it reacts to nothing by itself."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=15)
        self.stream = self.socket.makefile("rb")

    def send(self, *pieces):
        self.socket.sendall(b"".join(pieces))

    def read_frame(self):
        kind, channel, size = struct.unpack(">BHI", self.stream.read(7))
        payload = self.stream.read(size + 1)[:-1]
        return kind, channel, payload

    def expect(self, *methods):
        """Reads until one of these methods; gives which, and its arguments."""
        while True:
            kind, _, payload = self.read_frame()
            identifier = struct.unpack(">HH", payload[:4]) if kind == METHOD else None
            if identifier in methods:
                return identifier, payload[4:]
            if identifier in (CLOSE, CHANNEL_CLOSE):
                raise RuntimeError(f"the broker closed: {payload[4:]!r}")

    def login(self, mechanism="PLAIN", response=b"\x00guest\x00guest"):
        self.send(b"AMQP\x00\x00\x09\x01")
        self.expect(START)
        self.send(method(0, START_OK, PROPERTIES, short(mechanism), long(response), short("en_US")))
        self.expect(TUNE)
        self.send(method(0, TUNE_OK, struct.pack(">HIH", 2047, 131072, 0)))
        self.send(method(0, OPEN, short("/"), short(""), b"\x00"))
        self.expect(OPEN_OK)
        return self

    def open_channel(self):
        self.send(method(1, CHANNEL_OPEN, short("")))
        self.expect(CHANNEL_OPEN_OK)
        return self

    def close(self):
        self.send(method(0, CLOSE, struct.pack(">H", 200), short("bye"), struct.pack(">HH", 0, 0)))
        self.expect(CLOSE_OK)
        self.hang_up()

    def closed_by_broker(self):
        """Waits for connection.close, answers it and hangs up."""
        self.expect(CLOSE)
        self.send(method(0, CLOSE_OK))
        self.hang_up()

    def left_in_silence(self):
        """Waits until the broker has hung up without another octet."""
        with contextlib.suppress(ConnectionError):
            if self.stream.read():
                raise RuntimeError("the broker answered")
        self.hang_up()

    def hang_up(self):
        self.stream.close()
        self.socket.close()


def frame(kind, channel, payload):
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + b"\xce"


def method(channel, identifier, *arguments):
    return frame(METHOD, channel, struct.pack(">HH", *identifier) + b"".join(arguments))


def declare(name, flags=0, arguments=b"\x00\x00\x00\x00"):
    return method(1, QUEUE_DECLARE, b"\x00\x00", short(name), bytes([flags]), arguments)


def delete(name):
    return method(1, QUEUE_DELETE, b"\x00\x00", short(name), b"\x00")


def consume(queue, tag, flags=0):
    return method(1, CONSUME, b"\x00\x00", short(queue), short(tag), bytes([flags]), table())


def publish(key, body=b"", properties=b"\x00\x00", exchange=""):
    """The frames of a publish; properties are the flags and the values."""
    pieces = method(1, PUBLISH, b"\x00\x00", short(exchange), short(key), b"\x00")
    pieces += frame(HEADER, 1, struct.pack(">HHQ", 60, 0, len(body)) + properties)
    return pieces + (frame(BODY, 1, body) if body else b"")


EXCLUSIVE, NO_ACK = 4, 2


@scenario("handmade", "publish-every-table-type")
def publish_every_table_type(world):
    """every field type that RabbitMQ reads, at its extremes, a name given twice; delivered back as it was"""
    client = Client(world.port).login().open_channel()
    client.send(declare("fixture.types", EXCLUSIVE))
    client.expect(QUEUE_DECLARE_OK)
    client.send(publish("fixture.types", b"typed", struct.pack(">H", 1 << 13) + table(*EVERY_TYPE)))
    client.send(consume("fixture.types", "types", NO_ACK))
    client.expect(DELIVER)
    client.read_frame()
    client.read_frame()
    client.close()


@scenario("handmade", "every-table-type-rewritten")
def every_table_type_rewritten(world):
    """the same headers after dead-lettering: the broker has decoded and encoded them itself"""
    client = Client(world.port).login().open_channel()
    client.send(declare("fixture.rewritten", EXCLUSIVE))
    client.expect(QUEUE_DECLARE_OK)
    arguments = table(
        ("x-message-ttl", "I", struct.pack(">i", 20)),
        ("x-dead-letter-exchange", "S", long("")),
        ("x-dead-letter-routing-key", "S", long("fixture.rewritten")),
    )
    client.send(declare("fixture.rewriter", EXCLUSIVE, arguments))
    client.expect(QUEUE_DECLARE_OK)
    client.send(consume("fixture.rewritten", "rewritten", NO_ACK))
    client.expect(CONSUME_OK)
    client.send(publish("fixture.rewriter", b"typed", struct.pack(">H", 1 << 13) + table(*EVERY_TYPE)))
    client.expect(DELIVER)
    client.read_frame()
    client.read_frame()
    client.close()


@scenario("handmade", "declare-with-every-table-type")
def declare_with_every_table_type(world):
    """the same fields as arguments of a queue"""
    client = Client(world.port).login().open_channel()
    client.send(declare("fixture.typed-arguments", EXCLUSIVE, table(*EVERY_TYPE)))
    client.expect(QUEUE_DECLARE_OK)
    client.close()


@scenario("handmade", "confirms-of-several")
def confirms_of_several(world):
    """200 persistent messages published in one write: basic.ack with multiple"""
    client = Client(world.port).login().open_channel()
    client.send(declare("fixture.durable-confirms", 2))
    client.expect(QUEUE_DECLARE_OK)
    client.send(method(1, CONFIRM, b"\x00"))
    client.expect(CONFIRM_OK)
    persistent = struct.pack(">HB", 1 << 12, 2)
    client.send(*(publish("fixture.durable-confirms", b"%d" % number, persistent) for number in range(200)))
    confirmed, several = set(), False
    while len(confirmed) < 200:
        _, arguments = client.expect(ACK)
        tag, multiple = struct.unpack(">QB", arguments)
        several = several or multiple
        confirmed |= set(range(1, tag + 1)) if multiple else {tag}
    if not several:
        raise RuntimeError("the broker acknowledged each message by itself; record again")
    client.send(delete("fixture.durable-confirms"))
    client.expect(QUEUE_DELETE_OK)
    client.close()


@scenario("handmade", "pipelined-replies")
def pipelined_replies(world):
    """declare, get, consume and delete sent in one write: the answers may come in another order"""
    client = Client(world.port).login().open_channel()
    client.send(
        declare("fixture.pipelined"),
        method(1, GET, b"\x00\x00", short("fixture.pipelined"), b"\x00"),
        consume("fixture.pipelined", "pipelined"),
        delete("fixture.pipelined"),
    )
    awaited = {QUEUE_DECLARE_OK, GET_EMPTY, CONSUME_OK, QUEUE_DELETE_OK}
    while awaited:
        identifier, _ = client.expect(*awaited)
        awaited.discard(identifier)
    client.close()


@scenario("handmade", "deliveries-behind-consume-ok")
def deliveries_behind_consume_ok(world):
    """consume on a filled queue: consume-ok and the first deliveries in one turn of the broker"""
    client = Client(world.port).login().open_channel()
    client.send(declare("fixture.filled", EXCLUSIVE))
    client.expect(QUEUE_DECLARE_OK)
    client.send(*(publish("fixture.filled", b"%d" % number) for number in range(3)))
    client.send(consume("fixture.filled", "filled", NO_ACK))
    client.expect(CONSUME_OK)
    for _ in range(3):
        client.expect(DELIVER)
    client.read_frame()
    client.read_frame()
    client.close()


@scenario("handmade", "update-secret")
def update_secret(world):
    """connection.update-secret from a user of the internal backend, and the broker's answer"""
    client = Client(world.port).login()
    client.send(method(0, UPDATE_SECRET, long("guest"), short("fixture")))
    identifier, _ = client.expect(UPDATE_SECRET_OK, CLOSE)
    if identifier == CLOSE:
        client.send(method(0, CLOSE_OK))
        client.hang_up()
    else:
        client.close()


@scenario("handmade", "amqplain-login")
def amqplain_login(world):
    """AMQPLAIN: the response is a table without its length"""
    credentials = table(("LOGIN", "S", long("guest")), ("PASSWORD", "S", long("guest")))
    Client(world.port).login("AMQPLAIN", credentials[4:]).close()


@scenario("handmade", "login-refused-silently")
def login_refused_silently(world):
    """a wrong password without the capability authentication_failure_close: the broker says nothing and hangs up"""
    client = Client(world.port)
    client.send(b"AMQP\x00\x00\x09\x01")
    client.expect(START)
    properties = table(("product", "S", long("handmade")))
    client.send(method(0, START_OK, properties, short("PLAIN"), long(b"\x00guest\x00wrong"), short("en_US")))
    client.left_in_silence()


@scenario("handmade", "tune-refused-silently")
def tune_refused_silently(world):
    """a frame-max of 0 where the broker has a limit: the broker says nothing and hangs up"""
    client = Client(world.port)
    client.send(b"AMQP\x00\x00\x09\x01")
    client.expect(START)
    client.send(method(0, START_OK, PROPERTIES, short("PLAIN"), long(b"\x00guest\x00guest"), short("en_US")))
    client.expect(TUNE)
    client.send(method(0, TUNE_OK, struct.pack(">HIH", 2047, 0, 0)))
    client.left_in_silence()


@scenario("handmade", "wrong-protocol-header")
def wrong_protocol_header(world):
    """AMQP 1.0 asked for: the broker answers with its own protocol header and hangs up"""
    client = Client(world.port)
    client.send(b"AMQP\x00\x01\x00\x00")
    # 3.10 answers with that of 0-9-1, 4 with that of AMQP 1.0 behind SASL.
    if client.stream.read() not in (b"AMQP\x00\x00\x09\x01", b"AMQP\x03\x01\x00\x00"):
        raise RuntimeError("the broker did not answer with its protocol header")
    client.hang_up()


@scenario("handmade", "flow-off-refused")
def flow_off_refused(world):
    """channel.flow with active false from the client: connection.close 540"""
    client = Client(world.port).login().open_channel()
    client.send(method(1, FLOW, b"\x00"))
    client.closed_by_broker()


@scenario("handmade", "prefetch-size-refused")
def prefetch_size_refused(world):
    """qos with a prefetch-size: connection.close 540"""
    client = Client(world.port).login().open_channel()
    client.send(method(1, QOS, struct.pack(">IHB", 1024, 0, 0)))
    client.closed_by_broker()


@scenario("handmade", "unknown-method")
def unknown_method(world):
    """a method that does not exist: the broker hangs up without connection.close"""
    client = Client(world.port).login().open_channel()
    client.send(method(1, (60, 999)))
    client.left_in_silence()


@scenario("handmade", "cancel-answered")
def cancel_answered(world):
    """cancel-ok in answer to the broker's basic.cancel, which asked for none: connection.close 503"""
    client = Client(world.port).login().open_channel()
    client.send(declare("fixture.answered"), consume("fixture.answered", "answered"))
    client.expect(CONSUME_OK)
    client.send(delete("fixture.answered"))
    client.expect(CANCEL)
    client.send(method(1, CANCEL_OK, short("answered")))
    client.closed_by_broker()


@scenario("handmade", "crossing-closes")
def crossing_closes(world):
    """an error and the client's channel.close cross: channel.close from the broker, then close-ok to ours"""
    client = Client(world.port).login().open_channel()
    close = method(1, CHANNEL_CLOSE, struct.pack(">H", 200), short("done"), struct.pack(">HH", 0, 0))
    client.send(publish("key", b"lost", exchange="fixture.missing"), close)
    while True:
        identifier, _ = client.expect(CHANNEL_CLOSE, CHANNEL_CLOSE_OK)
        if identifier == CHANNEL_CLOSE_OK:
            break
        client.send(method(1, CHANNEL_CLOSE_OK))
    client.close()


@scenario("handmade", "reserved-flag-words")
def reserved_flag_words(world):
    """the one unassigned property flag (bit 1) set: accepted and given back"""
    client = Client(world.port).login().open_channel()
    client.send(declare("fixture.flags", EXCLUSIVE))
    client.expect(QUEUE_DECLARE_OK)
    client.send(publish("fixture.flags", b"flags", struct.pack(">HB", 1 << 12 | 1 << 1, 1)))
    client.send(method(1, GET, b"\x00\x00", short("fixture.flags"), b"\x01"))
    client.expect(GET_OK)
    client.read_frame()
    client.read_frame()
    client.close()
