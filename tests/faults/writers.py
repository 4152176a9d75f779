"""Writers that remember what they were promised: OTLP (a reply), native (a receipt of its level), lines (nothing)."""

import collections
import json
import os
import socket
import struct
import threading
import time

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.logs.v1 import logs_pb2

RUN = 20  # records a request or frame
RETRY_SECONDS = 0.01
WINDOW = 50  # native frames without a receipt
PREAMBLE = b"\xc1SL\x01"
HELLO, RECORDS, RECEIPT = 1, 2, 34
STORED, DELIVERED = 2, 3


def varint(number):
    out = b""
    while number >= 128:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def nested(field, data):
    return varint(field << 3 | 2) + varint(len(data)) + data


def number_field(field, value):
    return varint(field << 3) + varint(value)


def frame(kind, body):
    whole = nested(kind, body)
    return struct.pack("<I", len(whole)) + whole


def fields(data):
    """(number, value) of a message with varints and byte strings."""
    at = 0

    def take():
        nonlocal at
        value, shift = 0, 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        tag = take()
        value = take()
        if tag & 7 == 2:
            at += value
            value = data[at - value:at]
        yield tag >> 3, value


def fill(records, label, first):
    for n in range(first, first + RUN):
        record = records.add(time_unix_nano=time.time_ns(), severity_number=9)
        record.body.string_value = f"{label} {n}"
        record.attributes.add(key="writer").value.string_value = label
        record.attributes.add(key="n").value.int_value = n


class Writer(threading.Thread):
    """Writes records 0, 1, 2 … until it is told to stop, whatever becomes of the agent."""

    def __init__(self, label, path, pace):
        super().__init__(daemon=True)
        self.label, self.path = label, path
        self.pace = pace  # seconds between two runs
        self.sent = 0  # records that were written, in part at least
        self.promised = set()  # of these, first records of runs with a receipt
        self.resent = set()  # first records of runs whose ids are the agent's, sent again: may be there twice
        self.failure = None
        self.stopping = threading.Event()

    def run(self):
        try:
            while not self.stopping.is_set():
                self.connected()
                self.stopping.wait(RETRY_SECONDS)
        except Exception as failure:  # told by stop()
            self.failure = failure

    def stop(self):
        self.stopping.set()
        self.join(60)
        assert not self.is_alive(), f"{self.label} hangs"
        if self.failure:
            raise self.failure

    def id_of(self, _n):
        """The event.id that a record must have; None: the agent gives it."""
        return None


class OtlpWriter(Writer):
    def connected(self):
        with grpc.insecure_channel("unix:" + self.path) as channel:
            export = logs_service_pb2_grpc.LogsServiceStub(channel).Export
            while not self.stopping.is_set():
                message = logs_service_pb2.ExportLogsServiceRequest()
                first = max(self.promised, default=-RUN) + RUN
                fill(message.resource_logs.add().scope_logs.add().log_records, self.label, first)
                self.sent = first + RUN
                try:
                    reply = export(message, timeout=20)
                except grpc.RpcError:
                    self.resent.add(first)
                    return
                assert not reply.partial_success.rejected_log_records, reply
                self.promised.add(first)
                self.stopping.wait(self.pace)


class NativeWriter(Writer):
    """Keeps every run until its receipt, and sends it again, with the same sequences, on the next connection."""

    level = STORED

    def __init__(self, label, path, pace):
        super().__init__(label, path, pace)
        self.stream = os.urandom(8)
        self.unconfirmed = collections.OrderedDict()  # first record: its ResourceLogs

    def id_of(self, n):
        return (self.stream + struct.pack(">Q", n + 1)).hex()

    def make_run(self):
        logs = logs_pb2.ResourceLogs()
        fill(logs.scope_logs.add().log_records, self.label, self.sent)
        self.unconfirmed[self.sent] = logs.SerializeToString()
        self.sent += RUN
        return self.sent - RUN

    def run_frame(self, first, again):
        return frame(RECORDS, number_field(1, first + 1) + number_field(2, RUN) + nested(3, self.unconfirmed[first]) +
                     number_field(7, again))

    def take(self, data):
        """Takes whole frames off the agent's bytes; returns what is left."""
        while len(data) >= 4:
            size = struct.unpack_from("<I", data)[0]
            if len(data) < 4 + size:
                break
            for kind, body in fields(data[4:4 + size]):
                if kind == RECEIPT:
                    receipt = dict(fields(body))
                    assert receipt[1] == self.stream and receipt[3] == self.level, receipt
                    while self.unconfirmed and next(iter(self.unconfirmed)) + RUN <= receipt.get(2, 0):
                        self.promised.add(self.unconfirmed.popitem(last=False)[0])
            data = data[4 + size:]
        return data

    def connected(self):
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(self.path)
                connection.sendall(PREAMBLE + frame(HELLO, nested(3, self.stream) + number_field(4, self.level)))
                for first in list(self.unconfirmed):
                    connection.sendall(self.run_frame(first, again=True))
                self.speak(connection)
            except OSError:
                pass  # it was killed

    def speak(self, connection):
        connection.settimeout(self.pace)
        data, next_run = b"", 0
        while not self.stopping.is_set() or self.unconfirmed:
            try:
                chunk = connection.recv(65536)
                if not chunk:
                    return
                data = self.take(data + chunk)
            except TimeoutError:
                pass
            if time.monotonic() >= next_run and len(self.unconfirmed) < WINDOW and not self.stopping.is_set():
                next_run = time.monotonic() + self.pace
                run = self.run_frame(self.make_run(), again=False)
                connection.settimeout(None)  # a full log stops it here
                connection.sendall(run)
                connection.settimeout(self.pace)


class DeliveredWriter(NativeWriter):
    level = DELIVERED


class LineWriter(Writer):
    """JSON lines: what a kill takes of them is lost, and nothing of them is ever there under two ids."""

    def connected(self):
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(self.path)
                while not self.stopping.is_set():
                    lines = [json.dumps({"level": "info", "message": f"{self.label} {n}", "writer": self.label, "n": n})
                             for n in range(self.sent, self.sent + RUN // 2)]
                    self.sent += RUN // 2
                    connection.sendall("".join(line + "\n" for line in lines).encode())
                    self.stopping.wait(self.pace)
            except OSError:
                pass


def cut_frames(label):
    """What a native peer writes that dies in the middle of its second frame."""
    runs = []
    for first in (0, RUN):
        logs = logs_pb2.ResourceLogs()
        fill(logs.scope_logs.add().log_records, label, first)
        runs.append(frame(RECORDS, number_field(1, first + 1) + number_field(2, RUN) +
                          nested(3, logs.SerializeToString())))
    return PREAMBLE + frame(HELLO, nested(3, os.urandom(8))) + runs[0] + runs[1][:len(runs[1]) // 2]


def cut_lines(label):
    """What a peer writes that dies in the middle of a line."""
    lines = [json.dumps({"level": "info", "message": f"{label} {n}", "writer": label, "n": n}) for n in range(RUN + 1)]
    return ("\n".join(lines)[:-len(lines[-1]) // 2]).encode()
