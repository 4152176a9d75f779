"""Random things a program may pass to its logger, and what it meant by them."""

import json
import random
import time

WORDS = ["", "plain", "ünïcode ✓ 日本語", "🙂🙃👩‍👩‍👧", 'quo"te \\back /slash', "ctl \x00\x01\x1b[31m\x7f\x85\u2028",
         "tab\tnl\ncr\r", "x" * 3000, '{"json": 1}', "null", "123", "true", "  blanks  ", "\ufeffmark", "\ufffe\uffff"]
SURROGATES = ["lone \ud800 x", "\udfff", "\ude42\ud83d swapped"]
INTEGERS = [0, -1, 1 << 31, (1 << 53) + 1, (1 << 63) - 1, -(1 << 63)]
HUGE = [1 << 63, (1 << 64) - 1, 10**30, -(1 << 63) - 1]
REALS = [0.5, -0.0, 1e300, 5e-324, 1e21, 0.1 + 0.2, 123456789.123456789]
UNREAL = [float("nan"), float("inf"), float("-inf")]
NAMES = ["colour", "Größe", "emoji🙂", "with space", "with.dot", 'quo"ted', "back\\slash", "UPPER", "a*b", "long" * 40,
         "kebab-case", "snake_case", "0", "$", "topic", "offset", "partition", "headers", "source_type", "message_key"]


class Records:
    """One seed's random choices; `limits` names what a logger cannot print: surrogates, huge, unreal."""

    def __init__(self, seed, limits=()):
        self.random = random.Random(seed)
        self.limits = set(limits)

    def pick(self, *choices):
        return self.random.choice(choices)

    def chance(self, of):
        return self.random.random() < of

    def text(self):
        return self.random.choice(WORDS if "surrogates" in self.limits else WORDS + SURROGATES)

    def scalar(self):
        kind = self.random.randrange(7)
        if kind < 2:
            return self.text()
        if kind == 2:
            return self.random.choice(INTEGERS if "huge" in self.limits else INTEGERS + HUGE)
        if kind == 3:
            return self.random.choice(REALS if "unreal" in self.limits else REALS + UNREAL)
        return [True, False, None, self.random.randrange(10**6)][self.random.randrange(4)]

    def value(self, depth=0):
        kind = self.random.randrange(10)
        if depth > 3 or kind < 7:
            return self.scalar()
        if kind < 9:
            return {f"k{n}": self.value(depth + 1) for n in range(self.random.randrange(4))}
        return [self.value(depth + 1) for _ in range(self.random.randrange(4))]

    def fields(self):
        """Names of nobody's table, so that each must become a label, a number or part of app."""
        pool = [name for name in NAMES if "." not in name] if "dots" in self.limits else NAMES
        names = [self.random.choice(pool) + self.pick("", str(n), f"_{n}") for n in range(self.random.randrange(6))]
        return {name: self.value() for name in names}

    def message(self, uid):
        return f"{self.text()} {uid}" if self.chance(0.7) else f"{uid} {self.text()}"

    def hexadecimal(self, digits):
        return f"{self.random.getrandbits(4 * digits) | 1:0{digits}x}"

    def known(self, spelling="snake"):
        """Fields that have a place in ECS: what to pass, and what must become of it."""
        given, meant = {}, {}
        camel = spelling == "camel"
        if self.chance(0.4):
            trace, span = self.hexadecimal(32), self.hexadecimal(16)
            form = self.random.randrange(5)
            if form == 0:
                given["traceparent"] = f"00-{trace}-{span}-01"
            elif form == 1:
                given.update({"dd.trace_id": str(int(trace, 16)), "dd.span_id": str(int(span, 16))})
            else:
                written = [trace, "0x" + trace, f"{trace[:8]}-{trace[8:12]}-{trace[12:16]}-{trace[16:20]}-{trace[20:]}"]
                given["traceId" if camel else "trace_id"] = written[form - 2]
                given["spanId" if camel else "span_id"] = span.upper() if form == 2 else span
            meant.update({"trace.id": trace, "span.id": span})
        if self.chance(0.3):
            request = self.hexadecimal(8)
            status = self.pick(200, 204, 301, 404, 500)
            given.update({"method": "GET", "path": "/ü/" + request, "requestId" if camel else "request_id": request,
                          "statusCode" if camel else "status_code": status})
            meant.update({"http.request.method": "GET", "url.path": "/ü/" + request, "http.request.id": request,
                          "http.response.status_code": status})
        if self.chance(0.3):
            milliseconds = self.random.randrange(1, 10**7) / 1000
            given["responseTime" if camel else "duration_ms"] = milliseconds
            meant["event.duration"] = round(milliseconds * 1e6)
        if self.chance(0.2):
            given.update({"userId" if camel else "user_id": 42, "clientIp" if camel else "client_ip": "192.0.2.7"})
            meant.update({"user.id": "42", "client.ip": "192.0.2.7"})
        return given, meant


class Intentions:
    """The side file: what each record meant, one JSON object a line, in the order they were logged."""

    def __init__(self, path, seed, logger):
        self.file = open(path, "a", encoding="ascii")
        self.prefix = f"u~{logger}-{seed}-"
        self.logger = logger
        self.count = 0

    def uid(self):
        self.count += 1
        return f"{self.prefix}{self.count}~"

    def write(self, **intention):
        self.file.write(json.dumps({"generator": self.logger, **intention}) + "\n")

    def close(self):
        self.file.close()


def now():
    return time.time_ns()
