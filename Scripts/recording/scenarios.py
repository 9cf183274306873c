"""The list of scenarios, filled by the modules of the clients."""

import time
from dataclasses import dataclass
from typing import Callable

SCENARIOS = []


@dataclass
class Scenario:
    client: str
    name: str
    shows: str
    run: Callable


def scenario(client, name):
    """Registers a function; its documentation says what the recording shows."""

    def register(function):
        SCENARIOS.append(Scenario(client, name, " ".join(function.__doc__.split()), function))
        return function

    return register


def pattern(size):
    """A body of this many octets: no text, every octet in it but five, and easily compressed."""
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def eventually(condition, limit=10):
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the broker did not get there")
        time.sleep(0.02)
