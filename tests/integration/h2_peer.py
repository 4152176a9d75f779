"""A strict HTTP/2 peer (hyper-h2 checks every frame it gets) that misbehaves on demand, and what the
OTLP exporter must make of it.

    h2_peer.py OTLP_SENDER          run every case, exit 1 at the first surprise
"""
import asyncio
import base64
import gzip
import os
import re
import sys
import tempfile

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

RETRY_INFO = b'type.googleapis.com/google.rpc.RetryInfo'


def details(millis):
    """google.rpc.Status with a RetryInfo of that delay, as gRPC writes it: base64 without padding."""
    nanos, varint = millis * 1_000_000, b''
    while nanos > 0x7F:
        varint += bytes([nanos & 0x7F | 0x80])
        nanos >>= 7
    duration = b'\x10' + varint + bytes([nanos])
    retry = b'\x0a' + bytes([len(duration)]) + duration
    any_ = b'\x0a' + bytes([len(RETRY_INFO)]) + RETRY_INFO + b'\x12' + bytes([len(retry)]) + retry
    return base64.b64encode(b'\x08\x08\x1a' + bytes([len(any_)]) + any_).decode().rstrip('=')


GOAWAY = b'\0\0\x08\x07' + bytes(13)  # no stream, no error
HEAD = [(':status', '200'), ('content-type', 'application/grpc')]


class Peer:
    """One case's server. Its script says, request by request, what to do; then everything is well."""

    def __init__(self, script, settings=None, trickle=False, acknowledge=None, limit=None, turn_away=0,
                 shut_for_good=False, ping=False):
        self.script, self.settings = list(script), settings
        self.trickle, self.acknowledge = trickle, acknowledge
        self.limit = limit  # bytes of a message, as grpc-go refuses what is larger
        self.turn_away = turn_away  # connections that get SETTINGS and GOAWAY, and nothing else
        self.shut_for_good = shut_for_good  # the first connection's windows never open
        self.ping, self.held = ping, []
        self.taken, self.errors, self.connections = 0, [], 0

    async def write(self, writer, data):
        if self.trickle:
            for byte in data:
                writer.write(bytes([byte]))
                await writer.drain()
        else:
            writer.write(data)
            await writer.drain()

    async def serve(self, reader, writer):
        self.connections += 1
        try:
            await self.converse(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def converse(self, reader, writer):
        config = h2.config.H2Configuration(client_side=False, header_encoding='utf-8')
        conn = h2.connection.H2Connection(config)
        settings = {4: 0} if self.shut_for_good and self.connections == 1 else self.settings
        if settings:  # announced with the first SETTINGS, not changed by a second
            conn.local_settings = h2.settings.Settings(client=False, initial_values=settings)
        conn.initiate_connection()
        if self.ping:
            conn.ping(b'sluice42')
        await self.write(writer, conn.data_to_send())
        if self.connections <= self.turn_away:
            await self.write(writer, GOAWAY)
            while await reader.read(65536):
                pass
            return
        streams = {}
        while data := await reader.read(65536):
            try:
                events = conn.receive_data(data)
            except h2.exceptions.ProtocolError as error:
                self.errors.append(repr(error))
                return
            for event in events:
                if isinstance(event, h2.events.RequestReceived):
                    streams[event.stream_id] = [dict(event.headers), bytearray()]
                elif isinstance(event, h2.events.DataReceived):
                    streams[event.stream_id][1] += event.data
                    await self.credit(conn, writer, event)
                elif isinstance(event, h2.events.StreamEnded):
                    headers, body = streams.pop(event.stream_id)
                    self.check(headers, body)
                    if await self.act(conn, writer, event.stream_id, body) == 'hang up':
                        return
                elif isinstance(event, h2.events.PingAckReceived):
                    self.ping = False
                elif isinstance(event, h2.events.RemoteSettingsChanged):
                    if self.settings and self.settings.get(4) == 0:
                        # A window of nothing, opened only once the client has seen it.
                        conn.update_settings({4: 65535})
            await self.write(writer, conn.data_to_send())

    async def credit(self, conn, writer, event):
        left = event.flow_controlled_length
        while left > 0:
            part = min(left, self.acknowledge or left)
            conn.acknowledge_received_data(part, event.stream_id)
            left -= part
            if self.acknowledge:
                await self.write(writer, conn.data_to_send())

    def check(self, headers, body):
        for name, value in ((':method', 'POST'), ('te', 'trailers'), ('content-type', 'application/grpc'),
                            (':path', '/opentelemetry.proto.collector.trace.v1.TraceService/Export')):
            if headers.get(name) != value:
                self.errors.append(f'{name} is {headers.get(name)!r}')
        if not re.fullmatch(r'\d{1,8}[HMSmun]', headers.get('grpc-timeout', '')):
            self.errors.append(f'grpc-timeout is {headers.get("grpc-timeout")!r}')
        if len(body) < 5 or int.from_bytes(body[1:5], 'big') != len(body) - 5:
            self.errors.append(f'a message of {len(body)} bytes with the prefix {bytes(body[:5])!r}')
        if body[:1] == b'\1' and headers.get('grpc-encoding') != 'gzip':
            self.errors.append('compressed without grpc-encoding')

    def take(self, body):
        message = gzip.decompress(body[5:]) if body[0] else bytes(body[5:])
        while message:  # ResourceSpans: tag, length, value
            if message[0] != 0x0A:
                self.errors.append('not a run of ResourceSpans')
                return
            size, shift, at = 0, 0, 1
            while True:
                size |= (message[at] & 0x7F) << shift
                shift, at = shift + 7, at + 1
                if not message[at - 1] & 0x80:
                    break
            message = message[at + size:]
            self.taken += 1

    async def act(self, conn, writer, stream, body):
        step = self.script.pop(0) if self.script else ('ok',)
        if self.limit and len(body) - 5 > self.limit:
            step = too_large(8, f'grpc: received message larger than max ({len(body) - 5} vs. {self.limit})')
        kind, rest = step[0], step[1:]
        if kind == 'silent':
            return None
        if kind == 'hold':
            self.held.append((stream, body))
            return None
        if kind == 'answer the first held':  # and say that nothing after it was looked at
            first, first_body = self.held[0]
            self.answer(conn, first, first_body)
            conn.close_connection(0, last_stream_id=first)
            await self.write(writer, conn.data_to_send())
            return 'hang up'
        if kind == 'hang up':
            return 'hang up'
        if kind == 'raw':
            await self.write(writer, conn.data_to_send() + rest[0])
            return 'hang up'
        if kind == 'reset':
            conn.reset_stream(stream, rest[0])
        elif kind == 'head':
            conn.send_headers(stream, rest[0], end_stream=True)
            if ('grpc-status', '0') in rest[0]:
                self.take(body)
        elif kind == 'goaway':
            if rest[0]:
                self.answer(conn, stream, body)
            conn.close_connection(0, last_stream_id=stream if rest[0] else 0)
            await self.write(writer, conn.data_to_send())
            return 'hang up'
        else:
            self.answer(conn, stream, body, *rest)
        return None

    def answer(self, conn, stream, body, message=b'', padding=None, extra=()):
        self.take(body)
        conn.send_headers(stream, HEAD)
        conn.send_data(stream, b'\0' + len(message).to_bytes(4, 'big') + message, pad_length=padding)
        conn.send_headers(stream, [('grpc-status', '0'), *extra], end_stream=True)


def status(code, *extra):
    return ('head', [*HEAD, ('grpc-status', str(code)), *extra])


def too_large(code, words):
    return status(code, ('grpc-message', words))


INTERNAL = h2.errors.ErrorCodes.INTERNAL_ERROR
REFUSED = h2.errors.ErrorCodes.REFUSED_STREAM
FAT = [(f'x-{i}', 'v' * 1000) for i in range(20)]  # trailers of 20 KB: HEADERS and CONTINUATION

# name: the peer, what sender prints of it (a subset), parcels, bytes each, timeout, further arguments.
CASES = {
    'ok': (Peer([]), {'delivered': 200, 'requests': 20, 'retries': 0}, 200, 100, 5000),
    'gzip': (Peer([]), {'delivered': 200, 'requests': 20}, 200, 3000, 5000, 'gzip'),
    'large': (Peer([]), {'delivered': 40}, 40, 300_000, 20000),
    'padded': (Peer([('ok', b'', 200)] * 20), {'delivered': 200}, 200, 100, 5000),
    'fat trailers': (Peer([('ok', b'', None, FAT)] * 20), {'delivered': 200}, 200, 100, 5000),
    'trickle': (Peer([], trickle=True), {'delivered': 50}, 50, 100, 5000),
    'shut window': (Peer([], settings={4: 0}), {'delivered': 50}, 50, 20000, 5000),
    'small credits': (Peer([], acknowledge=700), {'delivered': 50}, 50, 20000, 20000),
    'few streams': (Peer([], settings={3: 1}), {'delivered': 200, 'failures': 0}, 200, 100, 5000),
    'trailers only': (Peer([status(0)] * 20), {'delivered': 200}, 200, 100, 5000),
    'partial success': (Peer([('ok', b'\x0a\x0b\x08\x02\x12\x07dropped')]),
                        {'delivered': 10, 'refused': 2, 'requests': 1}, 10, 100, 5000),
    'unavailable': (Peer([status(14, ('grpc-message', 'queue%20full')), status(14)]),
                    {'delivered': 10, 'requests': 3, 'retries': 2, 'failures': 2}, 10, 100, 5000),
    'exhausted, RetryInfo': (Peer([status(8, ('grpc-status-details-bin', details(5)))]),
                             {'delivered': 10, 'requests': 2}, 10, 100, 5000),
    'exhausted': (Peer([status(8)]), {'dead': 10, 'requests': 1}, 10, 100, 5000),
    'invalid': (Peer([status(3, ('grpc-message', '%E2%82%AC%'))]), {'dead': 10}, 10, 100, 5000),
    'no status': (Peer([('head', HEAD)]), {'dead': 10}, 10, 100, 5000),
    'http 415': (Peer([('head', [(':status', '415')])]), {'dead': 10}, 10, 100, 5000),
    'http 503': (Peer([('head', [(':status', '503')])]), {'delivered': 10, 'retries': 1}, 10, 100, 5000),
    'http 503, status 0': (Peer([('head', [(':status', '503'), ('grpc-status', '0')])]),
                           {'delivered': 10, 'retries': 1}, 10, 100, 5000),
    'refused stream': (Peer([('reset', REFUSED)]), {'delivered': 10, 'failures': 0}, 10, 100, 5000),
    'refused again and again': (Peer([('reset', REFUSED)] * 4), {'delivered': 10}, 10, 100, 5000),
    'reset': (Peer([('reset', INTERNAL)]), {'delivered': 10, 'retries': 1, 'failures': 1}, 10, 100, 5000),
    'reset each time': (Peer([('reset', INTERNAL)] * 6), {'dead': 10, 'requests': 6}, 10, 100, 5000),
    'asked to be calm': (Peer([('reset', h2.errors.ErrorCodes.ENHANCE_YOUR_CALM)] * 2),
                         {'delivered': 10, 'retries': 2}, 10, 100, 5000),
    'too large': (Peer([], limit=1_000_000), {'delivered': 80, 'dead': 0, 'failures': 0}, 80, 300_000, 20000),
    'too large for a proxy': (Peer([('head', [(':status', '413')])]),
                              {'delivered': 10, 'requests': 3, 'retries': 2}, 10, 100, 5000),
    'too large, in Rust': (Peer([too_large(11, 'Error, decoded message length too large: found 9 bytes')]),
                           {'delivered': 10, 'requests': 3}, 10, 100, 5000),
    'too large, alone': (Peer([too_large(8, 'gRPC message exceeds maximum size 4: 5')]),
                         {'dead': 1, 'requests': 1}, 1, 100, 5000),
    'http 500': (Peer([('head', [(':status', '500')])]), {'dead': 10, 'requests': 1}, 10, 100, 5000),
    'out of range': (Peer([status(11)]), {'delivered': 10, 'requests': 2}, 10, 100, 5000),
    'goaway below requests in flight': (Peer([('hold',), ('hold',), ('hold',), ('answer the first held',)]),
                                        {'delivered': 40, 'requests': 7, 'failures': 0}, 40, 100, 5000),
    'goaway and nothing else': (Peer([], turn_away=4), {'delivered': 10, 'failures': 2}, 10, 100, 5000),
    'window never opens': (Peer([], shut_for_good=True), {'delivered': 10}, 10, 100, 300),
    'ping': (Peer([], ping=True), {'delivered': 50}, 50, 100, 5000),
    'goaway, answered': (Peer([('goaway', True)] * 3), {'delivered': 100}, 100, 100, 5000),
    'goaway, not processed': (Peer([('goaway', False)]), {'delivered': 10, 'failures': 0}, 10, 100, 5000),
    'silent': (Peer([('silent',)]), {'delivered': 10, 'failures': 1}, 10, 100, 300),
    'hang up': (Peer([('hang up',)]), {'delivered': 10, 'retries': 1}, 10, 100, 5000),
    'half a frame': (Peer([('raw', b'\0\0\x20\x01')]), {'delivered': 10, 'retries': 1}, 10, 100, 5000),
    'not HTTP/2': (Peer([('raw', b'HTTP/1.1 400 Bad Request\r\n\r\n')]), {'delivered': 10}, 10, 100, 5000),
}
# What the own log must say.
SAID = {
    'goaway and nothing else': 'ends each connection (GOAWAY) before it answers',
    'too large': 'max_request should be lower',
    'reset each time': 'reset the stream each time',
}
# Cases in which a request's fate is unknown to the client may bring a record twice; all others once.
AGAIN = {'http 503, status 0'}


async def run(sender, name, folder):
    peer, expected, parcels, size, timeout, *more = CASES[name]
    path = os.path.join(folder, 'peer.sock')
    server = await asyncio.start_unix_server(peer.serve, path, limit=1 << 20)
    process = await asyncio.create_subprocess_exec(sender, f'unix://{path}', str(parcels), str(size),
                                                   str(timeout), *more, stdout=asyncio.subprocess.PIPE,
                                                   stderr=asyncio.subprocess.PIPE)
    out, log = await process.communicate()
    server.close()
    os.unlink(path)
    books = dict(pair.split('=', 1) for pair in out.decode().split(' reason=')[0].split())
    wrong = [f'{key}={books.get(key)} instead of {value}' for key, value in expected.items()
             if books.get(key) != str(value)]
    delivered = int(books.get('delivered', -1))
    if name in AGAIN and peer.taken >= delivered or peer.taken == delivered:
        pass
    else:
        wrong.append(f'the peer took {peer.taken} records, {delivered} were delivered')
    if SAID.get(name, '') not in log.decode():
        wrong.append(f'the own log does not say "{SAID[name]}"')
    if peer.ping:
        wrong.append('no answer to a PING')
    if process.returncode != 0:
        wrong.append(f'exit {process.returncode}')
    return wrong + peer.errors


async def main(sender):
    failed = 0
    with tempfile.TemporaryDirectory(prefix='sluice-h2-') as folder:
        for name in CASES:
            wrong = await run(sender, name, folder)
            failed += bool(wrong)
            print(f'{"not ok" if wrong else "ok"}: {name}{": " + "; ".join(wrong) if wrong else ""}', flush=True)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(asyncio.run(main(sys.argv[1])))
