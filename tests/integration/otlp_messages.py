#!/usr/bin/env python3
"""Our OTLP messages and wire cursor against the official ones (PyPI opentelemetry-proto).

    otlp_messages.py OTLP_ROUNDTRIP

Every message, every field set by reflection, every variant of every oneof, also set to its zero:
what the official library writes, protoc-c's types and the wire cursor read, field for field; what
those types write, the official library reads as the same message. Unknown fields come through.
"""
import importlib
import struct
import subprocess
import sys

try:
    from google.protobuf.descriptor import FieldDescriptor
    from google.protobuf.message_factory import GetMessageClass
except ImportError as missing:
    print("skipped:", missing, file=sys.stderr)
    sys.exit(77)

MODULES = [
    "common.v1.common", "resource.v1.resource", "trace.v1.trace", "logs.v1.logs",
    "metrics.v1.metrics", "collector.trace.v1.trace_service", "collector.logs.v1.logs_service",
    "collector.metrics.v1.metrics_service",
]
DEPTH = 5  # values hold values: below this, only those that do not
F = FieldDescriptor
TYPES = {getattr(F, name): name.removeprefix("TYPE_").lower()
         for name in dir(F) if name.startswith("TYPE_")}


def messages():
    """Every message descriptor of the official package, nested ones too."""
    def below(message):
        yield message
        for nested in message.nested_types:
            yield from below(nested)
    for module in MODULES:
        file = importlib.import_module(f"opentelemetry.proto.{module}_pb2").DESCRIPTOR
        for message in file.message_types_by_name.values():
            yield from below(message)


class Filler:
    """Sets fields to values that differ from each other, from zero, and reach the types' ends."""

    def __init__(self):
        self.n = 0

    def scalar(self, field):
        self.n += 1
        n = self.n
        end = n % 3
        if field.type in (F.TYPE_STRING,):
            return f"grüße {n} \U0001f600" + "x" * (200 if end == 0 else 0)
        if field.type == F.TYPE_BYTES:
            return bytes([0, 255, n % 256]) * (60 if end == 0 else 1)
        if field.type in (F.TYPE_DOUBLE, F.TYPE_FLOAT):
            return [-1.5 * n, 1e300, 5e-324][end]
        if field.type == F.TYPE_BOOL:
            return True
        if field.type == F.TYPE_ENUM:
            return max(value.number for value in field.enum_type.values)
        bits = 64 if field.type in (F.TYPE_INT64, F.TYPE_UINT64, F.TYPE_FIXED64, F.TYPE_SFIXED64,
                                    F.TYPE_SINT64) else 32
        if field.type in (F.TYPE_UINT64, F.TYPE_UINT32, F.TYPE_FIXED64, F.TYPE_FIXED32):
            return [n, 2**bits - 1, 2 ** (bits - 1)][end]
        return [n, -2 ** (bits - 1), 2 ** (bits - 1) - 1][end]

    def fill(self, message, depth, choice):
        """All fields; of each oneof the member that `choice` names (by index)."""
        for field in message.DESCRIPTOR.fields:
            oneof = field.containing_oneof
            if oneof is not None:
                members = list(oneof.fields)
                if depth <= 0:
                    members = [m for m in members if m.message_type is None] or members
                if field is not members[choice % len(members)]:
                    continue
            self.set(message, field, depth, choice)

    def set(self, message, field, depth, choice):
        if field.message_type is not None:
            if depth <= 0 and field.message_type.name in ("KeyValue", "AnyValue"):
                return
            for _ in range(2 if field.is_repeated else 1):
                inner = getattr(message, field.name)
                inner = inner.add() if field.is_repeated else inner
                if not field.is_repeated:
                    inner.SetInParent()
                self.n += 1
                self.fill(inner, depth - 1, choice + self.n)
        elif field.is_repeated:
            getattr(message, field.name).extend([self.scalar(field) for _ in range(3)])
        else:
            setattr(message, field.name, self.scalar(field))


def raw(field, value):
    """A scalar as the unsigned number that stands on the wire."""
    kind = field.type
    if kind == F.TYPE_DOUBLE:
        return struct.unpack("<Q", struct.pack("<d", value))[0]
    if kind in (F.TYPE_SINT32, F.TYPE_SINT64):
        return value << 1 if value >= 0 else (-value << 1) - 1
    if kind == F.TYPE_SFIXED32:
        return value % 2**32
    return int(value) % 2**64


def expected_walk(message, depth=0):
    """What the C side's walk must say of it."""
    for field, value in message.ListFields():
        for item in value if field.is_repeated else [value]:
            if field.message_type is not None:
                yield f"{depth} {field.number} message"
                yield from expected_walk(item, depth + 1)
                continue
            if field.type == F.TYPE_STRING:
                text = item.encode().hex()
            elif field.type == F.TYPE_BYTES:
                text = item.hex()
            else:
                text = raw(field, item)
            yield f"{depth} {field.number} {TYPES[field.type]} {text}"


def set_names(message, found):
    """Collects message.field of all that is set, at any depth."""
    for field, value in message.ListFields():
        found.add(field.full_name)
        if field.message_type is not None:
            for item in value if field.is_repeated else [value]:
                set_names(item, found)


class Roundtrip:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, name, data):
        for part in (name.encode(), data):
            self.process.stdin.write(struct.pack("<I", len(part)) + part)
        self.process.stdin.flush()
        return self.read_part(name), self.read_part(name).decode().splitlines()

    def read_part(self, name):
        size = self.process.stdout.read(4)
        if len(size) < 4:
            raise SystemExit(f"{name}: the C side gave up")
        return self.process.stdout.read(struct.unpack("<I", size)[0])

    def close(self):
        self.process.stdin.close()
        if self.process.wait() != 0:
            raise SystemExit("the C side failed at its end")


def name_here(descriptor):
    return descriptor.full_name.split(".v1.", 1)[1]


def check(roundtrip, message):
    name = name_here(message.DESCRIPTOR)
    data = message.SerializeToString(deterministic=True)
    packed, walk = roundtrip.ask(name, data)
    assert walk == list(expected_walk(message)), f"{name}: the cursor sees other fields"
    again = type(message).FromString(packed)
    assert again == message, f"{name}: comes back different"
    assert again.SerializeToString(deterministic=True) == data, f"{name}: other bytes"


def variants(descriptor):
    """Full messages, one for each member of the widest oneof (at least three, for the values)."""
    widest = max([len(oneof.fields) for oneof in descriptor.oneofs], default=1)
    filler = Filler()
    for choice in range(max(3, widest)):
        message = GetMessageClass(descriptor)()
        filler.fill(message, DEPTH, choice)
        yield message


def zeros(descriptor):
    """Members of oneofs (what proto3 calls optional too) are on the wire even where they are zero."""
    for oneof in descriptor.oneofs:
        for field in oneof.fields:
            message = GetMessageClass(descriptor)()
            if field.message_type is not None:
                getattr(message, field.name).SetInParent()
            else:
                setattr(message, field.name, field.default_value)
            yield oneof.name, field.name, message


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


UNKNOWN = [  # a field of each wire type, of numbers nobody uses
    varint(4001 << 3 | 0) + varint(2**63),
    varint(4002 << 3 | 1) + bytes(range(8)),
    varint(4003 << 3 | 2) + varint(3) + b"\x00\xffz",
    varint(4004 << 3 | 5) + bytes(range(4)),
]


def check_unknown(roundtrip, message):
    """Unknown fields at the top and inside each message field survive."""
    descriptor = message.DESCRIPTOR
    name = name_here(descriptor)
    mine = b"".join(UNKNOWN)
    inputs = [message.SerializeToString() + mine]
    for field in descriptor.fields:
        if field.message_type is not None:
            inner = GetMessageClass(field.message_type)()
            Filler().fill(inner, 1, 0)
            data = inner.SerializeToString() + mine
            inputs.append(varint(field.number << 3 | 2) + varint(len(data)) + data)
    for data in inputs:
        packed, walk = roundtrip.ask(name, data)
        assert sum(line.endswith(" unknown") for line in walk) == len(UNKNOWN), name
        for field in UNKNOWN:
            assert packed.count(field) == data.count(field), f"{name}: an unknown field was lost"
        kind = type(message)
        assert (kind.FromString(packed).SerializeToString(deterministic=True)
                == kind.FromString(data).SerializeToString(deterministic=True)), name


def main():
    roundtrip = Roundtrip(sys.argv[1])
    every, seen, count = set(), set(), 0
    for descriptor in messages():
        every.update(field.full_name for field in descriptor.fields)
        first = None
        for message in variants(descriptor):
            check(roundtrip, message)
            set_names(message, seen)
            first = first or message
            count += 1
        for oneof, field, message in zeros(descriptor):
            check(roundtrip, message)
            assert message.WhichOneof(oneof) == field
            count += 1
        check_unknown(roundtrip, first)
    roundtrip.close()
    assert every == seen, f"never set: {sorted(every - seen)}"
    print(f"{count} messages, {len(every)} fields: the same here and there")


if __name__ == "__main__":
    main()
