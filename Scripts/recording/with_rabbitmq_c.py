"""Sessions of rabbitmq-c, through the command-line tools that come with it."""

import subprocess

from .scenarios import pattern, scenario


def tool(world, name, *arguments, user="guest:guest", vhost="%2f", body=None, fails=False):
    url = f"--url=amqp://{user}@127.0.0.1:{world.port}/{vhost}"
    result = subprocess.run([name, url, *arguments], input=body or b"", capture_output=True, timeout=30)
    if (result.returncode != 0) != fails:
        raise RuntimeError(f"{name} ended with {result.returncode}: {result.stderr.decode()}")
    return result


@scenario("rabbitmq-c", "login-refused")
def login_refused(world):
    """a wrong password"""
    tool(world, "amqp-get", "-q", "any", user="guest:wrong", fails=True)


@scenario("rabbitmq-c", "vhost-refused")
def vhost_refused(world):
    """a vhost that does not exist"""
    tool(world, "amqp-get", "-q", "any", vhost="nowhere", fails=True)


@scenario("rabbitmq-c", "declare-queue")
def declare_queue(world):
    """a durable queue declared by amqp-declare-queue"""
    tool(world, "amqp-declare-queue", "-d", "-q", "fixture.tools")


@scenario("rabbitmq-c", "publish")
def publish(world):
    """a persistent message with a content type, an encoding, a reply-to and headers"""
    arguments = ["-r", "fixture.tools", "-p", "-C", "text/plain", "-E", "identity", "-t", "fixture.replies"]
    arguments += ["-H", "host: localhost", "-H", "kind: cpu"]
    tool(world, "amqp-publish", *arguments, "-b", "hello")


@scenario("rabbitmq-c", "publish-empty")
def publish_empty(world):
    """a body of no octets: rabbitmq-c sends no body frame"""
    tool(world, "amqp-publish", "-r", "fixture.tools", "-b", "")


@scenario("rabbitmq-c", "publish-two-frames")
def publish_two_frames(world):
    """131,065 octets, one more than a frame of 131,072 holds"""
    tool(world, "amqp-publish", "-r", "fixture.tools", body=pattern(131065))


@scenario("rabbitmq-c", "publish-lines")
def publish_lines(world):
    """several publishes on one channel without waiting"""
    tool(world, "amqp-publish", "-l", "-r", "fixture.tools", body=b"one\ntwo\nthree\n")


@scenario("rabbitmq-c", "publish-to-missing-exchange")
def publish_to_missing_exchange(world):
    """the broker's channel.close 404 crosses the client's own close"""
    tool(world, "amqp-publish", "-e", "fixture.missing", "-r", "key", "-b", "lost", fails=True)


@scenario("rabbitmq-c", "get")
def get(world):
    """the message of the scenario publish, got by amqp-get"""
    tool(world, "amqp-get", "-q", "fixture.tools")


@scenario("rabbitmq-c", "consume")
def consume(world):
    """the messages of the other scenarios delivered and acknowledged; a prefetch of 1"""
    tool(world, "amqp-consume", "-q", "fixture.tools", "-p", "1", "-c", "5", "cat")


@scenario("rabbitmq-c", "consume-from-exchange")
def consume_from_exchange(world):
    """amqp-consume with a queue named by the broker and bound to an exchange"""
    consumer = subprocess.Popen(
        ["amqp-consume", f"--url=amqp://guest:guest@127.0.0.1:{world.port}/%2f"]
        + ["-e", "amq.topic", "-r", "fixture.#", "-A", "-c", "1", "cat"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while consumer.poll() is None:
            subprocess.run(
                ["amqp-publish", f"--url=amqp://guest:guest@127.0.0.1:{world.broker_port}/%2f"]
                + ["-e", "amq.topic", "-r", "fixture.key", "-b", "routed"],
                check=True,
                timeout=30,
            )
            try:
                consumer.wait(0.3)
            except subprocess.TimeoutExpired:
                continue
    finally:
        consumer.kill()
        consumer.wait()
    if consumer.returncode != 0:
        raise RuntimeError(f"amqp-consume ended with {consumer.returncode}")


@scenario("rabbitmq-c", "get-empty")
def get_empty(world):
    """amqp-get on an empty queue: get-empty"""
    tool(world, "amqp-get", "-q", "fixture.tools", fails=True)


@scenario("rabbitmq-c", "get-missing")
def get_missing(world):
    """amqp-get on a queue that does not exist: channel.close 404"""
    tool(world, "amqp-get", "-q", "fixture.missing", fails=True)


@scenario("rabbitmq-c", "delete-queue")
def delete_queue(world):
    """a queue deleted by amqp-delete-queue"""
    tool(world, "amqp-delete-queue", "-q", "fixture.tools")
