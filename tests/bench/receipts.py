"""How long a writer waits for its STORED receipt: one record after the other on the native dialect, the broker away.

    receipts.py --build DIR [--records N]

Once for each durability: what `process` and `node` cost a writer who waits.
"""

import argparse
import os
import shutil
import socket
import struct
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))

from agent_process import Agent  # noqa: E402

PREAMBLE = b"\xc1SL\x01"
HELLO, RECORDS = 1, 2
HELLO_STREAM, HELLO_ACK_LEVEL, STORED = 3, 4, 2
FIRST_SEQUENCE, COUNT, LOGS = 1, 2, 3


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


def frame(kind, body):
    whole = nested(kind, body)
    return struct.pack("<I", len(whole)) + whole


def run_of_one(sequence):
    record = nested(5, nested(1, b"x" * 300))  # LogRecord.body.string_value
    logs = nested(2, nested(2, record))        # ScopeLogs.log_records in ResourceLogs
    return frame(RECORDS, number(FIRST_SEQUENCE, sequence) + number(COUNT, 1) + nested(LOGS, logs))


def read_frame(connection):
    size = struct.unpack("<I", connection.recv(4, socket.MSG_WAITALL))[0]
    return connection.recv(size, socket.MSG_WAITALL)


def measure(binary, folder, durability, records):
    settings = f"""
spool: {{path: {folder}/spool-{durability}, durability: {durability}}}
exporters: {{kafka: {{type: kafka, brokers: "127.0.0.1:1"}}}}
routes: {{logs: {{signals: [logs], exporters: [kafka]}}}}
"""
    agent = Agent(binary, folder, settings)
    took = []
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(agent.socket)
            connection.sendall(PREAMBLE + frame(HELLO, nested(HELLO_STREAM, b"streamID") +
                                                number(HELLO_ACK_LEVEL, STORED)))
            read_frame(connection)  # Welcome
            for sequence in range(1, records + 1):
                begin = time.monotonic()
                connection.sendall(run_of_one(sequence))
                read_frame(connection)  # Receipt
                took.append((time.monotonic() - begin) * 1e3)
    finally:
        agent.kill()
    took.sort()
    print(f"durability {durability}: receipt p50 {took[records // 2]:.2f} ms, "
          f"p99 {took[records * 99 // 100]:.2f} ms, max {took[-1]:.2f} ms of {records}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--records", type=int, default=2000)
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="sluice-receipts-")
    try:
        for durability in ("process", "node"):
            measure(os.path.join(options.build, "agent", "sluice"), folder, durability, options.records)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
