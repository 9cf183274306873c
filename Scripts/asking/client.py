"""A client that asks a broker one thing on a connection of its own and says in a few words what came back."""

import contextlib
import re
import struct

from recording.handmade import (
    CAPABILITIES,
    CHANNEL_CLOSE,
    CHANNEL_CLOSE_OK,
    CLOSE,
    HEADER,
    METHOD,
    OPEN,
    PROPERTIES,
    QOS,
    START,
    START_OK,
    TUNE,
    TUNE_OK,
    Client,
    long,
    method,
    short,
    table,
)

NAMES = {
    (10, 10): "connection.start", (10, 20): "connection.secure", (10, 30): "connection.tune",
    (10, 41): "connection.open-ok", (10, 50): "connection.close", (10, 51): "connection.close-ok",
    (10, 60): "connection.blocked", (10, 61): "connection.unblocked", (10, 71): "connection.update-secret-ok",
    (20, 11): "channel.open-ok", (20, 20): "channel.flow", (20, 21): "channel.flow-ok", (20, 40): "channel.close",
    (20, 41): "channel.close-ok", (40, 11): "exchange.declare-ok", (40, 21): "exchange.delete-ok",
    (40, 31): "exchange.bind-ok", (40, 51): "exchange.unbind-ok", (50, 11): "queue.declare-ok", (50, 21): "queue.bind-ok",
    (50, 31): "queue.purge-ok", (50, 41): "queue.delete-ok", (50, 51): "queue.unbind-ok", (60, 11): "basic.qos-ok",
    (60, 21): "basic.consume-ok", (60, 30): "basic.cancel", (60, 31): "basic.cancel-ok", (60, 50): "basic.return",
    (60, 60): "basic.deliver", (60, 71): "basic.get-ok", (60, 72): "basic.get-empty", (60, 80): "basic.ack",
    (60, 111): "basic.recover-ok", (60, 120): "basic.nack", (85, 11): "confirm.select-ok", (90, 11): "tx.select-ok",
    (90, 21): "tx.commit-ok", (90, 31): "tx.rollback-ok",
}  # fmt: skip
QOS_OK = (60, 11)
GONE, SILENCE = "hangs up without a word", "nothing"


class Asker(Client):
    """Reads what is answered, and never raises over it."""

    def __init__(self, port, patience=8):
        super().__init__(port)
        self.socket.settimeout(patience)

    def greet(self, user=b"guest", password=b"guest", properties=PROPERTIES, mechanism="PLAIN"):
        self.send(b"AMQP\x00\x00\x09\x01")
        self.expect(START)
        response = b"\x00" + user + b"\x00" + password
        self.send(method(0, START_OK, properties, short(mechanism), long(response), short("en_US")))
        return self

    def tuned(self, channel_max=2047, frame_max=131072, heartbeat=0):
        self.greet().expect(TUNE)
        self.send(method(0, TUNE_OK, struct.pack(">HIH", channel_max, frame_max, heartbeat)))
        return self

    def opened(self, vhost="/"):
        self.send(method(0, OPEN, short(vhost), short(""), b"\x00"))
        return self

    def ready(self):
        """Logged in, with channel 1 open."""
        return self.login().open_channel()

    def next(self):
        """The next method: its identifier and arguments, or a word for how the stream ended."""
        while True:
            try:
                head = self.stream.read(7)
                if len(head) < 7:
                    return GONE, b""
                if head[:4] == b"AMQP":
                    rest = self.stream.read(1)
                    return "protocol header " + " ".join(str(byte) for byte in (head + rest)[4:]), b""
                kind, _, size = struct.unpack(">BHI", head)
                payload = self.stream.read(size + 1)[:-1]
            except TimeoutError:
                return SILENCE, b""
            except OSError:
                return GONE, b""
            if kind == METHOD:
                return struct.unpack(">HH", payload[:4]), payload[4:]
            if kind == HEADER:
                self.header = payload

    def answer_header(self):
        """Reads the header frame that is next."""
        kind, _, self.header = self.read_frame()
        if kind != HEADER:
            raise RuntimeError(f"a frame of kind {kind} instead of a header")

    def answer(self, *wanted):
        """The next answer in words; of several methods up to the last one wanted, joined."""
        said = []
        while True:
            identifier, arguments = self.next()
            said.append(words(identifier, arguments))
            if isinstance(identifier, str) or identifier == CLOSE:
                break
            if identifier == CHANNEL_CLOSE:
                with contextlib.suppress(OSError):
                    self.send(method(1, CHANNEL_CLOSE_OK))
                break
            if not wanted or identifier in wanted:
                break
        return ", ".join(said)

    def until_quiet(self):
        """Everything up to the answer of a basic.qos that is sent behind the question; only the close, if it ends in one."""
        with contextlib.suppress(OSError):
            self.send(method(1, QOS, struct.pack(">IHB", 0, 0, 0)))
        said = []
        while True:
            identifier, arguments = self.next()
            if identifier == QOS_OK:
                return ", ".join(said) or SILENCE
            said.append(words(identifier, arguments))
            if isinstance(identifier, str) or identifier in (CLOSE, CHANNEL_CLOSE):
                return said[-1]


def words(identifier, arguments):
    if isinstance(identifier, str):
        return identifier
    name = NAMES.get(identifier, f"method {identifier[0]}.{identifier[1]}")
    if identifier in (CLOSE, CHANNEL_CLOSE):
        code, size = struct.unpack(">HB", arguments[:3])
        text = arguments[3 : 3 + size].decode(errors="replace")
        return f"{name} {code} {plain(text)}"
    return name


def plain(text):
    """A reply text in one line, without what differs from one broker to the next of the same release."""
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r"psistats-[0-9a-f]{8}@localhost", "NODE", text)
    return re.sub(r"amq\.gen-[\w-]{22}", "amq.gen-...", text)


WITHOUT_FAILURE_CLOSE = table(
    ("product", "S", long("handmade")), ("capabilities", "F", table(*CAPABILITIES[1:]))
)
