"""How long a writer waits for its STORED receipt: one record after the other on the native dialect, the broker away.

    receipts.py --build DIR [--records N]

Once for each durability: what `process` and `node` cost a writer who waits, and beside them what the disk itself takes
for 4 KiB and an fdatasync, in the same folder and the same run.
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
    return tell(f"durability {durability}: receipt", took)


def tell(what, took):
    """Prints and returns the p99, in milliseconds."""
    took.sort()
    middle, high = took[len(took) // 2], took[len(took) * 99 // 100]
    print(f"{what} p50 {middle:.2f} ms, p99 {high:.2f} ms, max {took[-1]:.2f} ms of {len(took)}")
    return high


def measure_disk(folder, count):
    """As the agent's segments are synced: pages of a file that was allocated before."""
    took = []
    file = os.open(os.path.join(folder, "disk"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.posix_fallocate(file, 0, 1 << 20)
        os.fsync(file)
        for turn in range(count):
            begin = time.monotonic()
            os.pwrite(file, b"x" * 4096, turn % 256 * 4096)
            os.fdatasync(file)
            took.append((time.monotonic() - begin) * 1e3)
    finally:
        os.close(file)
    return tell("fdatasync of the disk:", took)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--records", type=int, default=2000)
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="sluice-receipts-")
    try:
        binary = os.path.join(options.build, "agent", "sluice")
        measure(binary, folder, "process", options.records)
        disk = measure_disk(folder, options.records)
        node = measure(binary, folder, "node", options.records)
        print(f"p99 of a receipt at node: {node / disk:.2f} fdatasyncs (p99)")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
