"""Sessions of AMQPWire itself. What they do stands in Tests/AMQPWireTests/Broker/OwnSessions.swift."""

import os
import subprocess
from pathlib import Path

from .scenarios import scenario

ROOT = Path(__file__).resolve().parents[2]


def swift(*arguments, **variables):
    result = subprocess.run(
        ["swift", *arguments], cwd=ROOT, env=os.environ | variables, capture_output=True, text=True, timeout=900
    )
    if result.returncode != 0:
        raise RuntimeError(f"swift {arguments[0]} ended with {result.returncode}:\n{result.stdout}{result.stderr}")


def session(world, name):
    swift("build", "--build-tests")
    swift(
        *("test", "--skip-build", "--filter", "OwnSessionTests/record"),
        PSISTATS_RECORD_SESSION=name,
        PSISTATS_RECORD_PORT=str(world.port),
    )


@scenario("amqpwire", "topology")
def topology(world):
    """exchanges and queues declared, bound, looked at, unbound, purged and deleted; one queue named by the broker"""
    session(world, "topology")


@scenario("amqpwire", "publishes")
def publishes(world):
    """frame-max 8192: publishes with confirms; all properties; no body, a full frame, one octet more; a prepared publisher"""
    session(world, "publishes")


@scenario("amqpwire", "gets-and-acks")
def gets_and_acks(world):
    """get-empty; ack, nack, reject; recover; ack of several; a get without acks"""
    session(world, "gets-and-acks")


@scenario("amqpwire", "consumes")
def consumes(world):
    """prefetch counts of the channel and of a consumer with a priority; three acks; cancel"""
    session(world, "consumes")


@scenario("amqpwire", "returns")
def returns(world):
    """mandatory publishes that no queue takes: basic.return, then the confirm"""
    session(world, "returns")


@scenario("amqpwire", "transactions")
def transactions(world):
    """tx.select, commit of a publish, rollback of a publish and an ack"""
    session(world, "transactions")


@scenario("amqpwire", "every-table-type")
def every_table_type(world):
    """every field type as arguments of a queue and in headers, and back"""
    session(world, "every-table-type")


@scenario("amqpwire", "channel-errors")
def channel_errors(world):
    """channel.close 404 twice, on one channel number; another channel goes on"""
    session(world, "channel-errors")


@scenario("amqpwire", "amqplain")
def amqplain(world):
    """the login by AMQPLAIN; a channel opened and closed; the connection closed"""
    session(world, "amqplain")
