"""A TCP proxy that lets so many bytes of one direction pass and then holds the connection, until it is closed."""
import socket
import threading


class ByteGate:
    """held is set when the limit is reached. "up" counts what the client sends, "down" what the server sends."""

    def __init__(self, target, direction, limit):
        host, port = target.rsplit(":", 1)
        self.target, self.direction, self.left = (host, int(port)), direction, limit
        self.held, self.lock = threading.Event(), threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self.target)
            except OSError:  # the server is away; so is the proxy, then
                client.close()
                continue
            for source, sink, direction in ((client, server, "up"), (server, client, "down")):
                threading.Thread(target=self._pump, args=(source, sink, direction), daemon=True).start()

    def _allowed(self, count):
        with self.lock:
            count = min(count, self.left)
            self.left -= count
            if self.left == 0:
                self.held.set()
            return count

    def _pump(self, source, sink, direction):
        try:
            while data := source.recv(1 << 16):
                if direction == self.direction:
                    data = data[:self._allowed(len(data))]
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def open(self):
        """Lets everything pass from now on."""
        with self.lock:
            self.left = 1 << 62

    def close(self):
        self.listener.close()
