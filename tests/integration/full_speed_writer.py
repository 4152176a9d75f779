"""Writes numbered records as fast as they are taken, until stdin ends; then prints as JSON what was sent.

    full_speed_writer.py lines|otlp|native NAME SOCKET

sent: records that the agent has read. refused: of these, turned down by an answer. promised: ranges [first, last)
that a receipt was given for. A line has none.
"""

import json
import os
import socket
import struct
import sys
import threading

RUN = 200
PREAMBLE = b"\xc1SL\x01"
HELLO, RECORDS, FLUSH, FLUSHED = 1, 2, 3, 33
STORED = 2
FLUSH_EVERY = 20  # runs
ANSWER_SECONDS = 200  # an agent that has no room answers when the broker is back
WORDS = "the broker is away and every writer goes on as fast as it can; " * 3

stopping = threading.Event()


def varint(number):
    out = b""
    while number >= 128:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def nested(field, data):
    return bytes([field << 3 | 2]) + varint(len(data)) + data


def number(field, value):
    return bytes([field << 3]) + varint(value)


def attribute(name, text):
    return nested(6, nested(1, name) + nested(2, nested(1, text)))  # LogRecord.attributes


def resource_logs(name, first):
    """ResourceLogs of RUN records."""
    scope = b"".join(
        nested(2, number(2, 9) + nested(5, nested(1, WORDS.encode())) + attribute(b"writer", name.encode()) +
               attribute(b"n", str(n).encode())) for n in range(first, first + RUN))
    return nested(2, scope)


def lines(name, path):
    sent = 0
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        while not stopping.is_set():
            connection.sendall(b"".join(
                b'{"level":"info","event":"%s","labels":{"writer":"%s","n":"%d"}}\n'
                % (WORDS.encode(), name.encode(), n) for n in range(sent, sent + RUN)))
            sent += RUN
    return {"sent": sent, "refused": 0, "promised": []}


def otlp(name, path):
    import grpc
    sent, refused, promised = 0, 0, []
    with grpc.insecure_channel("unix:" + path) as channel:
        export = channel.unary_unary("/opentelemetry.proto.collector.logs.v1.LogsService/Export")
        while not stopping.is_set():
            try:
                export(nested(1, resource_logs(name, sent)), timeout=ANSWER_SECONDS)
                promised.append((sent, sent + RUN))
            except grpc.RpcError as error:
                if error.code() != grpc.StatusCode.RESOURCE_EXHAUSTED:
                    raise
                refused += RUN
            sent += RUN
    return {"sent": sent, "refused": refused, "promised": promised}


def frame(kind, body):
    whole = nested(kind, body)
    return struct.pack("<I", len(whole)) + whole


def receive(connection, size):
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        assert part, "the agent closed the connection"
        data += part
    return data


def await_flushed(connection):
    while True:
        body = receive(connection, struct.unpack("<I", receive(connection, 4))[0])
        if body[:2] == bytes([FLUSHED << 3 & 0x7F | 0x82, FLUSHED >> 4]):
            return


def native(name, path):
    sent = flushed = runs = 0
    promised = []
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        connection.settimeout(ANSWER_SECONDS)
        connection.sendall(PREAMBLE + frame(HELLO, nested(3, os.urandom(8)) + number(4, STORED)))
        while not stopping.is_set() or flushed < sent:
            connection.sendall(frame(RECORDS, number(1, sent + 1) + number(2, RUN) +
                                     nested(3, resource_logs(name, sent))))
            sent += RUN
            runs += 1
            if runs % FLUSH_EVERY == 0 or stopping.is_set():
                connection.sendall(frame(FLUSH, number(1, runs) + number(2, STORED)))
                await_flushed(connection)
                promised.append((flushed, sent))
                flushed = sent
    return {"sent": sent, "refused": 0, "promised": promised}


def main():
    kind, name, path = sys.argv[1:]
    threading.Thread(target=lambda: (sys.stdin.read(), stopping.set()), daemon=True).start()
    print(json.dumps({"lines": lines, "otlp": otlp, "native": native}[kind](name, path)))


if __name__ == "__main__":
    main()
