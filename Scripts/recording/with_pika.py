"""Sessions of pika, the Python client."""

import datetime
import decimal

import pika

from .scenarios import eventually, pattern, scenario

GUEST = pika.PlainCredentials("guest", "guest")


def connect(port, **parameters):
    settings = {"credentials": GUEST, "heartbeat": 0, "socket_timeout": 15, "blocked_connection_timeout": 30}
    return pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", port, **(settings | parameters)))


def refused(error, action, *arguments, **named):
    """Runs what the broker must refuse."""
    try:
        action(*arguments, **named)
    except error as refusal:
        return refusal
    raise RuntimeError(f"the broker did not refuse with {error.__name__}")


@scenario("pika", "handshake-and-close")
def handshake_and_close(world):
    """PLAIN login, tune, open; a channel opened and closed; the connection closed by the client"""
    connection = connect(world.port)
    connection.channel().close()
    connection.close()


@scenario("pika", "login-refused")
def login_refused(world):
    """a wrong password: connection.close 403 in place of tune"""
    refused(
        pika.exceptions.AMQPConnectionError,
        connect,
        world.port,
        credentials=pika.PlainCredentials("guest", "wrong"),
    )


@scenario("pika", "vhost-refused")
def vhost_refused(world):
    """a vhost that does not exist: connection.close 530 in place of open-ok"""
    refused(pika.exceptions.AMQPConnectionError, connect, world.port, virtual_host="nowhere")


@scenario("pika", "vhost-not-allowed")
def vhost_not_allowed(world):
    """a vhost that this user may not open: connection.close 530"""
    limited = pika.PlainCredentials("limited", "limited")
    refused(pika.exceptions.AMQPConnectionError, connect, world.port, virtual_host="stats", credentials=limited)


@scenario("pika", "access-refused")
def access_refused(world):
    """a declaration without the permission: channel.close 403; then another channel on the same connection"""
    connection = connect(world.port, credentials=pika.PlainCredentials("limited", "limited"))
    refused(pika.exceptions.ChannelClosedByBroker, connection.channel().queue_declare, "forbidden")
    connection.channel().close()
    connection.close()


@scenario("pika", "exchange-declare")
def exchange_declare(world):
    """each exchange type, each flag, arguments; passive declare; delete"""
    connection = connect(world.port)
    channel = connection.channel()
    channel.exchange_declare("fixture.direct", "direct")
    channel.exchange_declare("fixture.fanout", "fanout", durable=True)
    channel.exchange_declare("fixture.topic", "topic", auto_delete=True)
    channel.exchange_declare("fixture.headers", "headers", internal=True)
    channel.exchange_declare(
        "fixture.alternate", "direct", arguments={"alternate-exchange": "fixture.fanout"}
    )
    channel.exchange_declare("fixture.direct", "direct", passive=True)
    for name in ("direct", "topic", "headers", "alternate"):
        channel.exchange_delete(f"fixture.{name}")
    channel.exchange_delete("fixture.fanout", if_unused=True)
    connection.close()


@scenario("pika", "queue-declare")
def queue_declare(world):
    """flags and arguments of every kind; a name chosen by the broker"""
    connection = connect(world.port)
    channel = connection.channel()
    channel.queue_declare("", exclusive=True)
    channel.queue_declare("fixture.durable", durable=True)
    channel.queue_declare("fixture.auto-delete", auto_delete=True)
    channel.queue_declare("fixture.ttl", arguments={"x-message-ttl": 60000})
    channel.queue_declare(
        "fixture.arguments",
        arguments={
            "x-expires": 3600000,
            "x-max-length": 1000,
            "x-max-length-bytes": 1 << 33,
            "x-overflow": "reject-publish",
            "x-dead-letter-exchange": "amq.fanout",
            "x-dead-letter-routing-key": "dead",
            "x-max-priority": 5,
            "x-single-active-consumer": True,
        },
    )
    channel.queue_declare("fixture.ttl", passive=True)
    for name in ("durable", "auto-delete", "ttl", "arguments"):
        channel.queue_delete(f"fixture.{name}")
    connection.close()


@scenario("pika", "bind-unbind")
def bind_unbind(world):
    """a queue bound and unbound, with a key and with arguments; an exchange bound to an exchange"""
    connection = connect(world.port)
    channel = connection.channel()
    channel.queue_declare("fixture.bound", exclusive=True)
    channel.exchange_declare("fixture.downstream", "topic", auto_delete=True)
    match = {"x-match": "all", "kind": "cpu", "core": 1}
    channel.queue_bind("fixture.bound", "amq.topic", "stats.*.cpu")
    channel.queue_bind("fixture.bound", "amq.headers", arguments=match)
    channel.exchange_bind("fixture.downstream", "amq.topic", "stats.#")
    channel.queue_bind("fixture.bound", "fixture.downstream", "#")
    channel.exchange_unbind("fixture.downstream", "amq.topic", "stats.#")
    channel.queue_unbind("fixture.bound", "amq.headers", arguments=match)
    channel.queue_unbind("fixture.bound", "amq.topic", "stats.*.cpu")
    connection.close()


@scenario("pika", "publish-all-properties")
def publish_all_properties(world):
    """a message with all 14 properties, published and got back"""
    connection = connect(world.port)
    channel = connection.channel()
    channel.queue_declare("fixture.properties", exclusive=True)
    properties = pika.BasicProperties(
        content_type="application/json",
        content_encoding="utf-8",
        headers={"host": "localhost", "ünïcode": "Zürich"},
        delivery_mode=2,
        priority=5,
        correlation_id="correlation",
        reply_to="fixture.replies",
        expiration="60000",
        message_id="message",
        timestamp=1600000000,
        type="cpu",
        user_id="guest",
        app_id="fixtures",
        cluster_id="reserved",
    )
    channel.basic_publish("", "fixture.properties", b'{"load": 0.5}', properties)
    channel.basic_get("fixture.properties", auto_ack=True)
    connection.close()


@scenario("pika", "publish-table-types")
def publish_table_types(world):
    """the field types that pika writes, in headers published and got back"""
    connection = connect(world.port)
    channel = connection.channel()
    channel.queue_declare("fixture.table", exclusive=True)
    headers = {
        "true": True,
        "false": False,
        "small": 1,
        "negative": -1,
        "large": 1 << 40,
        "decimal": decimal.Decimal("3.14"),
        "timestamp": datetime.datetime(2020, 9, 13, 12, 26, 40, tzinfo=datetime.timezone.utc),
        "string": "Zürich",
        "empty": "",
        "bytes": b"\x00\xce\xff",
        "array": [1, "two", None, [True], {"in": "array"}],
        "table": {"a": {"b": {"c": "nested"}}},
        "void": None,
    }
    channel.basic_publish("", "fixture.table", b"", pika.BasicProperties(headers=headers))
    channel.basic_get("fixture.table", auto_ack=True)
    connection.close()


@scenario("pika", "bodies")
def bodies(world):
    """the smallest frame-max, n: bodies of 0, 1, n-9, n-8 (a full frame), n-7 and n-1 to n+1 octets, and back"""
    frame = world.smallest_frame
    connection = connect(world.port, frame_max=frame)
    channel = connection.channel()
    channel.queue_declare("fixture.bodies", exclusive=True)
    for size in (0, 1, frame - 9, frame - 8, frame - 7, frame - 1, frame, frame + 1):
        channel.basic_publish("", "fixture.bodies", pattern(size))
        channel.basic_get("fixture.bodies", auto_ack=True)
    connection.close()


@scenario("pika", "body-of-a-megabyte")
def body_of_a_megabyte(world):
    """1,048,576 octets published in frames of 131,072 and confirmed"""
    connection = connect(world.port)
    channel = connection.channel()
    channel.queue_declare("fixture.megabyte", exclusive=True)
    channel.confirm_delivery()
    channel.basic_publish("", "fixture.megabyte", pattern(1 << 20))
    connection.close()


@scenario("pika", "confirms")
def confirms(world):
    """confirm.select; each publish confirmed singly"""
    connection = connect(world.port)
    channel = connection.channel()
    channel.queue_declare("fixture.confirms", exclusive=True)
    channel.confirm_delivery()
    for number in range(5):
        channel.basic_publish("", "fixture.confirms", f"message {number}".encode(), mandatory=True)
    connection.close()


@scenario("pika", "confirm-refused")
def confirm_refused(world):
    """a full queue with x-overflow reject-publish: basic.nack"""
    connection = connect(world.port)
    channel = connection.channel()
    arguments = {"x-max-length": 1, "x-overflow": "reject-publish"}
    channel.queue_declare("fixture.full", exclusive=True, arguments=arguments)
    channel.confirm_delivery()
    channel.basic_publish("", "fixture.full", b"fits")
    refused(pika.exceptions.NackError, channel.basic_publish, "", "fixture.full", b"does not")
    connection.close()


@scenario("pika", "returns")
def returns(world):
    """mandatory and unroutable: basic.return before basic.ack; an empty body returned; not mandatory: only an ack"""
    connection = connect(world.port)
    channel = connection.channel()
    channel.confirm_delivery()
    properties = pika.BasicProperties(message_id="lost")
    for body in (b"returned", b""):
        refused(
            pika.exceptions.UnroutableError,
            channel.basic_publish,
            "amq.direct",
            "nowhere",
            body,
            properties,
            mandatory=True,
        )
    channel.basic_publish("amq.direct", "nowhere", b"dropped")
    connection.close()


def consume(connection, channel, queue, count, tag, **arguments):
    received = []
    channel.basic_consume(
        queue, lambda *delivery: received.append(delivery), consumer_tag=tag, **arguments
    )
    while len(received) < count:
        connection.process_data_events(time_limit=1)
    return received


def fill(world, queue, count, **arguments):
    """A queue with messages, declared and filled beside the recording."""
    with connect(world.broker_port) as connection:
        channel = connection.channel()
        channel.queue_declare(queue, **arguments)
        channel.confirm_delivery()
        for number in range(count):
            channel.basic_publish("", queue, f"message {number}".encode())


@scenario("pika", "consume")
def consuming(world):
    """deliveries acknowledged one by one, then several at once; cancelled by the client"""
    fill(world, "fixture.consume", 5)
    connection = connect(world.port)
    channel = connection.channel()
    received = consume(connection, channel, "fixture.consume", 5, "fixture-consumer")
    tags = [method.delivery_tag for _, method, _, _ in received]
    channel.basic_ack(tags[0])
    channel.basic_ack(tags[1])
    channel.basic_ack(tags[4], multiple=True)
    channel.basic_cancel("fixture-consumer")
    connection.close()


@scenario("pika", "consume-without-acks")
def consume_without_acks(world):
    """no-ack and exclusive; an empty body delivered"""
    connection = connect(world.port)
    channel = connection.channel()
    channel.queue_declare("fixture.no-ack", exclusive=True)
    for body in (b"first", b"", b"last"):
        channel.basic_publish("", "fixture.no-ack", body)
    consume(connection, channel, "fixture.no-ack", 3, "fixture-no-ack", auto_ack=True, exclusive=True)
    connection.close()


@scenario("pika", "get")
def get(world):
    """get-ok with the count of what is left, ack; then get-empty"""
    fill(world, "fixture.get", 2)
    connection = connect(world.port)
    channel = connection.channel()
    for _ in range(2):
        method, _, _ = channel.basic_get("fixture.get")
        channel.basic_ack(method.delivery_tag)
    channel.basic_get("fixture.get")
    connection.close()


@scenario("pika", "get-in-small-frames")
def get_in_small_frames(world):
    """65,536 octets from the broker in frames of the smallest size"""
    with connect(world.broker_port) as side:
        channel = side.channel()
        channel.queue_declare("fixture.small-frames")
        channel.confirm_delivery()
        channel.basic_publish("", "fixture.small-frames", pattern(1 << 16))
    connection = connect(world.port, frame_max=world.smallest_frame)
    connection.channel().basic_get("fixture.small-frames", auto_ack=True)
    connection.close()


@scenario("pika", "nack-and-reject")
def nack_and_reject(world):
    """nack and reject, with requeue (delivered again, redelivered set) and without; nack of several"""
    fill(world, "fixture.nack", 4)
    connection = connect(world.port)
    channel = connection.channel()

    def next_tag():
        method, _, _ = channel.basic_get("fixture.nack")
        return method.delivery_tag

    channel.basic_nack(next_tag(), requeue=True)
    channel.basic_nack(next_tag(), requeue=False)
    channel.basic_reject(next_tag(), requeue=True)
    channel.basic_reject(next_tag(), requeue=False)
    next_tag()
    channel.basic_nack(next_tag(), multiple=True, requeue=False)
    connection.close()


@scenario("pika", "cancel-by-client")
def cancel_by_client(world):
    """consume on an empty queue and cancel; the same tag used again"""
    connection = connect(world.port)
    channel = connection.channel()
    channel.queue_declare("fixture.cancel", exclusive=True)
    for _ in range(2):
        consume(connection, channel, "fixture.cancel", 0, "fixture-again")
        channel.basic_cancel("fixture-again")
    connection.close()


@scenario("pika", "cancel-by-broker")
def cancel_by_broker(world):
    """the queue deleted under its consumer: basic.cancel from the broker, with no-wait set"""
    connection = connect(world.port)
    channel = connection.channel()
    channel.queue_declare("fixture.doomed")
    cancelled = []
    channel.add_on_cancel_callback(cancelled.append)
    consume(connection, channel, "fixture.doomed", 0, "fixture-doomed")
    with connect(world.broker_port) as side:
        side.channel().queue_delete("fixture.doomed")
    while not cancelled:
        connection.process_data_events(time_limit=1)
    connection.close()


@scenario("pika", "transactions")
def transactions(world):
    """tx.select, commit of a publish and an ack, rollback"""
    connection = connect(world.port)
    channel = connection.channel()
    channel.queue_declare("fixture.tx", exclusive=True)
    channel.tx_select()
    channel.basic_publish("", "fixture.tx", b"kept")
    channel.tx_commit()
    channel.basic_publish("", "fixture.tx", b"forgotten")
    channel.tx_rollback()
    method, _, _ = channel.basic_get("fixture.tx")
    channel.basic_ack(method.delivery_tag)
    channel.tx_commit()
    channel.basic_get("fixture.tx")
    connection.close()


@scenario("pika", "passive-declare-fails")
def passive_declare_fails(world):
    """channel.close 404 for a queue and for an exchange; the channel number used again"""
    connection = connect(world.port)
    refused(
        pika.exceptions.ChannelClosedByBroker,
        connection.channel().queue_declare,
        "fixture.missing",
        passive=True,
    )
    refused(
        pika.exceptions.ChannelClosedByBroker,
        connection.channel().exchange_declare,
        "fixture.missing",
        passive=True,
    )
    connection.close()


@scenario("pika", "redeclare-clashes")
def redeclare_clashes(world):
    """channel.close 406: another ttl for a queue, another type for an exchange"""
    connection = connect(world.port)
    channel = connection.channel()
    channel.queue_declare("fixture.clash", arguments={"x-message-ttl": 1000})
    refused(
        pika.exceptions.ChannelClosedByBroker,
        channel.queue_declare,
        "fixture.clash",
        arguments={"x-message-ttl": 2000},
    )
    refused(
        pika.exceptions.ChannelClosedByBroker,
        connection.channel().exchange_declare,
        "amq.topic",
        "direct",
        durable=True,
    )
    connection.close()


@scenario("pika", "publish-to-missing-exchange")
def publish_to_missing_exchange(world):
    """a publish has no answer: channel.close 404 comes unasked"""
    connection = connect(world.port)
    channel = connection.channel()
    channel.basic_publish("fixture.missing", "key", b"lost")
    while channel.is_open:
        try:
            connection.process_data_events(time_limit=1)
        except pika.exceptions.ChannelClosedByBroker:
            break
    connection.close()


@scenario("pika", "unknown-delivery-tag")
def unknown_delivery_tag(world):
    """an ack of what was never delivered: channel.close 406"""
    connection = connect(world.port)
    channel = connection.channel()
    channel.basic_ack(99)
    while channel.is_open:
        try:
            connection.process_data_events(time_limit=1)
        except pika.exceptions.ChannelClosedByBroker:
            break
    connection.close()


@scenario("pika", "purge-and-delete")
def purge_and_delete(world):
    """purge-ok and delete-ok with counts; delete with if-empty refused (406)"""
    fill(world, "fixture.purge", 3)
    connection = connect(world.port)
    channel = connection.channel()
    channel.queue_purge("fixture.purge")
    channel.confirm_delivery()
    channel.basic_publish("", "fixture.purge", b"left")
    refused(pika.exceptions.ChannelClosedByBroker, channel.queue_delete, "fixture.purge", if_empty=True)
    connection.channel().queue_delete("fixture.purge")
    connection.close()


@scenario("pika", "qos")
def qos(world):
    """qos for the consumer and for the channel; with a prefetch of 2 the third delivery follows an ack"""
    fill(world, "fixture.qos", 3)
    connection = connect(world.port)
    channel = connection.channel()
    channel.basic_qos(prefetch_count=100, global_qos=True)
    channel.basic_qos(prefetch_count=2)
    received = consume(connection, channel, "fixture.qos", 2, "fixture-qos")
    channel.basic_ack(received[0][1].delivery_tag)
    while len(received) < 3:
        connection.process_data_events(time_limit=1)
    connection.close()


@scenario("pika", "recover")
def recover(world):
    """basic.recover with requeue: what was not acknowledged comes again"""
    fill(world, "fixture.recover", 1)
    connection = connect(world.port)
    channel = connection.channel()
    channel.basic_get("fixture.recover")
    channel.basic_recover(requeue=True)
    channel.basic_get("fixture.recover")
    connection.close()


@scenario("pika", "flow")
def flow(world):
    """channel.flow active: flow-ok"""
    connection = connect(world.port)
    connection.channel().flow(True)
    connection.close()


@scenario("pika", "blocked-and-unblocked")
def blocked_and_unblocked(world):
    """a memory alarm: connection.blocked after a publish, connection.unblocked when it is over"""
    connection = connect(world.port)
    channel = connection.channel()
    channel.queue_declare("fixture.blocked", exclusive=True)
    seen = []
    connection.add_on_connection_blocked_callback(lambda *_: seen.append("blocked"))
    connection.add_on_connection_unblocked_callback(lambda *_: seen.append("unblocked"))
    world.ctl("set_vm_memory_high_watermark", "0.0001")
    try:
        channel.basic_publish("", "fixture.blocked", b"stuck")
        eventually(lambda: connection.process_data_events(0.1) or "blocked" in seen)
    finally:
        world.ctl("set_vm_memory_high_watermark", "0.4")
    eventually(lambda: connection.process_data_events(0.1) or "unblocked" in seen)
    connection.close()


@scenario("pika", "heartbeats")
def heartbeats(world):
    """an interval of 2 s negotiated; heartbeats of both sides on an idle connection"""
    connection = connect(world.port, heartbeat=2)
    connection.sleep(4.5)
    connection.close()


@scenario("pika", "dead-lettered")
def dead_lettered(world):
    """a message that expired in one queue, got from another: x-death, a table in an array in the headers"""
    connection = connect(world.port)
    channel = connection.channel()
    channel.queue_declare("fixture.graveyard", exclusive=True)
    arguments = {
        "x-message-ttl": 20,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": "fixture.graveyard",
    }
    channel.queue_declare("fixture.short-lived", exclusive=True, arguments=arguments)
    channel.basic_publish("", "fixture.short-lived", b"late", pika.BasicProperties(headers={"own": "header"}))
    connection.sleep(0.5)
    method, properties, _ = channel.basic_get("fixture.graveyard", auto_ack=True)
    if method is None or "x-death" not in properties.headers:
        raise RuntimeError("the message was not dead-lettered")
    connection.close()
