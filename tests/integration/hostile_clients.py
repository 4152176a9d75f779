"""Clients that nobody would want: each attacks one socket in one way and says what it was answered."""

import gzip
import json
import multiprocessing
import os
import pickle
import resource
import socket
import ssl
import struct

import h2.config
import h2.connection
import h2.events

ANSWER_SECONDS = 30
PREAMBLE = b"\xc1SL\x01"
MIB = 1 << 20


def connect(path):
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)  # waits where the backlog is full, as it would not with a timeout
    connection.settimeout(ANSWER_SECONDS)
    return connection


def line(n, **fields):
    return json.dumps({"level": "info", "event": f"record {n}", "n": n, **fields}).encode() + b"\n"


def send_lines(path, data):
    """One connection that writes the bytes and ends in order."""
    with connect(path) as connection:
        connection.sendall(data)


def send_what_goes(connection, data):
    """On a socket that does not block."""
    try:
        while data:
            data = data[connection.send(data):]
    except BlockingIOError:
        pass


def until_closed(connection):
    """What the agent wrote until it closed the connection."""
    answer = b""
    try:
        while chunk := connection.recv(65536):
            answer += chunk
    except (ConnectionResetError, BrokenPipeError):
        pass
    return answer


def refused(path, data):
    """Sends bytes that no dialect begins with, or breaks one with; returns the answer before the end."""
    with connect(path) as connection:
        try:
            connection.sendall(data)
        except (ConnectionResetError, BrokenPipeError):
            pass
        return until_closed(connection)


def hello():
    stream, name = os.urandom(8), b"hostile"
    body = b"\x0a" + bytes([len(name)]) + name + b"\x1a\x08" + stream
    return frame(b"\x0a" + bytes([len(body)]) + body)


def frame(body):
    return struct.pack("<I", len(body)) + body


def flush(token):
    return frame(b"\x1a\x03\x08" + bytes([token & 0x7F | 0x80, token >> 7 & 0x7F]))


def tls_hello():
    context, out = ssl.create_default_context(), ssl.MemoryBIO()
    try:
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="sluice").do_handshake()
    except ssl.SSLWantReadError:
        return out.read()
    raise AssertionError("no hello")


def pickled():
    """As logging.handlers.SocketHandler sends it."""
    data = pickle.dumps({"msg": "hello", "levelno": 20}, 1)
    return struct.pack(">L", len(data)) + data


class Grpc:
    """One gRPC connection by hand, so that it may lie."""

    def __init__(self, path):
        self.connection = connect(path)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.connection.sendall(self.h2.data_to_send())
        self.trailers, self.closed = {}, False

    def open(self, encoding=None):
        stream = self.h2.get_next_available_stream_id()
        headers = [(":method", "POST"), (":scheme", "http"), (":authority", "localhost"), ("te", "trailers"),
                   (":path", "/opentelemetry.proto.collector.logs.v1.LogsService/Export"),
                   ("content-type", "application/grpc")]
        self.h2.send_headers(stream, sorted(headers, key=lambda h: not h[0].startswith(":")) +
                             ([("grpc-encoding", encoding)] if encoding else []))
        self.connection.sendall(self.h2.data_to_send())
        return stream

    def send(self, stream, data, end=True):
        """As the agent's windows let through; stops where it answers already."""
        while data and stream not in self.trailers and not self.closed:
            size = min(len(data), self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            if size > 0:
                self.h2.send_data(stream, data[:size])
                data = data[size:]
                self._write()
            else:
                self._read()
        if end and stream not in self.trailers and not self.closed:
            self.h2.end_stream(stream)
            self._write()

    def send_what_goes(self, stream, data):
        try:
            self.send(stream, data, end=False)
        except TimeoutError:
            pass  # no window, or a full socket

    def status(self, stream):
        """grpc-status, or how the stream ended without one."""
        while stream not in self.trailers and not self.closed:
            self._read()
        return self.trailers.get(stream, "closed")

    def _write(self):
        try:
            self.connection.sendall(self.h2.data_to_send())
        except (ConnectionResetError, BrokenPipeError):
            self.closed = True

    def _read(self):
        data = self.connection.recv(65536)
        self.closed = not data
        for event in self.h2.receive_data(data) if data else []:
            if isinstance(event, (h2.events.TrailersReceived, h2.events.ResponseReceived)):
                headers = dict(event.headers)
                if "grpc-status" in headers:
                    self.trailers[event.stream_id] = headers["grpc-status"]
            elif isinstance(event, h2.events.StreamReset):
                self.trailers.setdefault(event.stream_id, f"reset {event.error_code}")
            elif isinstance(event, h2.events.ConnectionTerminated):
                self.closed = True
        self.connection.sendall(self.h2.data_to_send())

    def close(self):
        self.connection.close()


def grpc_status(path, data, encoding=None, end=True):
    client = Grpc(path)
    stream = client.open(encoding)
    client.send(stream, data, end)
    status = client.status(stream)
    client.close()
    return status


def gzip_bomb(size):
    bomb = gzip.compress(bytes(size), 9)
    return b"\x01" + struct.pack(">I", len(bomb)) + bomb


def never_reads(path, begin, question):
    """Asks again and again and takes no answer, until the agent ends the connection."""
    with connect(path) as connection:
        connection.sendall(begin)
        try:
            while True:
                connection.sendall(question)
        except (ConnectionResetError, BrokenPipeError):
            pass


NATIVE = PREAMBLE + hello()
FLUSHES = b"".join(flush(n) for n in range(1, 2000))
HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
PINGS = b"\0\0\10\6\0\0\0\0\0unread!!" * 2000


def raise_limit(wanted):
    """How many connections this process may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, wanted + 100)), hard))
    return min(wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 100)


def hold_many(path, first, count, begun, go, done):
    """Opens count connections, says so, and when all others have too, has each write a record in pieces."""
    raise_limit(count)
    connections = [connect(path) for _ in range(count)]
    begun.release()
    go.wait()
    pieces = [line(first + n) for n in range(count)]
    for part in range(3):
        for connection, piece in zip(connections, pieces):
            third = len(piece) // 3
            connection.sendall(piece[part * third:(part + 1) * third if part < 2 else None])
    done.wait()
    for connection in connections:
        connection.close()


class Crowd:
    """Many connections, from two processes."""

    def __init__(self, path, count):
        self.count, self.path = count, path
        context = multiprocessing.get_context("fork")
        self.begun, self.go, self.done = context.Semaphore(0), context.Event(), context.Event()
        half = count // 2
        self.processes = [context.Process(target=hold_many, args=(path, first, size, self.begun, self.go, self.done))
                          for first, size in ((0, half), (half, count - half))]
        for process in self.processes:
            process.start()
        for _ in self.processes:
            while not self.begun.acquire(timeout=1):
                assert all(process.is_alive() for process in self.processes), "not all could connect"

    def write(self):
        self.go.set()

    def leave(self):
        self.done.set()
        for process in self.processes:
            process.join(60)
            assert process.exitcode == 0, process.exitcode

    def kill(self):
        for process in self.processes:
            if process.is_alive():
                process.kill()
