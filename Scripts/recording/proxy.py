"""A TCP proxy that writes down one connection, byte for byte and turn by turn."""

import contextlib
import selectors
import socket
import threading


class Recording:
    """One connection from a client to the broker.

    `client` and `server` are the octets that each side sent. `turns` lists who sent how many, in
    the order seen; a turn is noted before its octets are passed on, so that an answer never
    precedes what it answers. It understands nothing of what passes.
    """

    def __init__(self, broker_port):
        self.broker_port = broker_port
        self.sent = {"C": bytearray(), "S": bytearray()}
        self.turns = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        with contextlib.suppress(OSError):
            near, _ = self.listener.accept()
            with near, socket.create_connection(("127.0.0.1", self.broker_port)) as far:
                self._pump(near, far)

    def _pump(self, near, far):
        selector = selectors.DefaultSelector()
        for side, source, target in (("C", near, far), ("S", far, near)):
            source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(source, selectors.EVENT_READ, (side, target))
        while selector.get_map():
            for key, _ in selector.select():
                side, target = key.data
                data = b""
                with contextlib.suppress(ConnectionError):
                    data = key.fileobj.recv(1 << 16)
                if data:
                    self._note(side, data)
                    with contextlib.suppress(ConnectionError):
                        target.sendall(data)
                else:
                    selector.unregister(key.fileobj)
                    with contextlib.suppress(OSError):
                        target.shutdown(socket.SHUT_WR)

    def _note(self, side, data):
        self.sent[side] += data
        if self.turns and self.turns[-1][0] == side:
            self.turns[-1][1] += len(data)
        else:
            self.turns.append([side, len(data)])

    def finish(self, limit=15):
        """Waits until both sides have closed."""
        self.thread.join(limit)
        self.listener.close()
        if self.thread.is_alive():
            raise TimeoutError(f"the connection is still open {limit} s after the client was done")
        if not self.turns:
            raise RuntimeError("no client connected")

    def write(self, stem):
        """Writes stem.client, stem.server and stem.turns."""
        stem.with_suffix(".client").write_bytes(self.sent["C"])
        stem.with_suffix(".server").write_bytes(self.sent["S"])
        stem.with_suffix(".turns").write_text("".join(f"{side} {size}\n" for side, size in self.turns))
