"""Logs by Python's real loggers with random options, and says in a side file what it meant.

    python_loggers.py SEED RECORDS SIDE_FILE        SLUICE_SOCKET says where to
"""

import json
import logging
import os
import socket
import sys

import ecs_logging
import loguru
import orjson
import structlog
from pythonjsonlogger.json import JsonFormatter
from pythonjsonlogger.orjson import OrjsonFormatter
from random_records import Intentions, Records, now

LEVELS = {"debug": "debug", "info": "info", "warning": "warn", "error": "error", "critical": "fatal"}
MICROSECOND, MILLISECOND, SECOND = 10**3, 10**6, 10**9
SECRET = "hunter2-of-a-local"


class ShopError(Exception):
    pass


def connect(errors="strict"):
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(os.environ["SLUICE_SOCKET"])
    stream = connection.makefile("w", encoding="utf-8", errors=errors, newline="\n")
    connection.close()  # the stream keeps it open
    return stream


def fail(records):
    """Raises one of the ways programs fail; returns the exception with its traceback, and what it says."""
    password = SECRET
    message = records.text() if records.chance(0.5) else f"failed {len(password)} times"
    kind = records.random.randrange(4)
    try:
        if kind == 0:
            raise ValueError(message)
        if kind == 1:
            raise ShopError(message)
        if kind == 2:
            try:
                raise KeyError("inner")
            except KeyError as inner:
                raise RuntimeError(message) from inner
        json.loads("{")
    except ValueError as error:
        return error, (["ValueError"] if type(error) is ValueError else
                       ["json.decoder.JSONDecodeError", "JSONDecodeError"]), str(error)
    except (ShopError, RuntimeError) as error:
        return error, [type(error).__name__], str(error)


class Logger:
    """One logger as configured at random: how to call it, and what its options do to a record."""

    def __init__(self, call, options, time=MICROSECOND, ecs=None, lossy=False, origin=False, exceptions="text",
                 sparse=False):
        self.call, self.options, self.time, self.ecs = call, options, time, ecs or {}
        self.sparse = sparse  # it leaves out nulls and empty objects inside objects itself
        self.lossy, self.origin, self.exceptions = lossy, origin, exceptions


def with_structlog(records, streams):
    r = records
    serializer = r.pick("json", "json", "orjson")
    if serializer == "orjson":
        records.limits |= {"surrogates", "huge"}
    ascii_only = r.chance(0.5)
    errors = "strict" if ascii_only or serializer == "orjson" else r.pick("surrogatepass", "replace", "backslashreplace")
    if errors == "backslashreplace" or errors == "replace":
        records.limits.add("surrogates")  # the stream itself would change them
    form = r.pick("iso", None, "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S.%fZ")
    key = r.pick("timestamp", "ts", "time", "@timestamp")
    exceptions = r.pick("text", "dicts", "dicts with locals")
    transformer = structlog.tracebacks.ExceptionDictTransformer(show_locals=exceptions == "dicts with locals")
    renderer = {"text": structlog.processors.format_exc_info, "dicts": structlog.processors.dict_tracebacks}.get(
        exceptions, structlog.processors.ExceptionRenderer(transformer))
    middle = [structlog.contextvars.merge_contextvars, structlog.processors.add_log_level,
              structlog.processors.StackInfoRenderer(), renderer,
              structlog.processors.TimeStamper(fmt=form, utc=True, key=key)]
    origin = r.chance(0.5)
    if origin:
        parameter = structlog.processors.CallsiteParameter
        middle.append(structlog.processors.CallsiteParameterAdder(
            {parameter.FUNC_NAME, parameter.LINENO, parameter.FILENAME, parameter.THREAD_NAME, parameter.PROCESS}))
    r.random.shuffle(middle)
    renamed = r.pick(None, "message", "msg")
    if renamed:
        middle.append(structlog.processors.EventRenamer(renamed))
    if serializer == "orjson":
        last = structlog.processors.JSONRenderer(serializer=lambda *a, **k: orjson.dumps(
            *a, **{**k, "option": orjson.OPT_NON_STR_KEYS}).decode())
    else:
        last = structlog.processors.JSONRenderer(sort_keys=r.chance(0.3), ensure_ascii=ascii_only)
    stream = connect(errors)
    streams.append(stream)
    name = r.pick(None, "items.repo", "ünï")
    logger = structlog.wrap_logger(structlog.WriteLogger(stream), processors=[*middle, last],
                                   wrapper_class=structlog.BoundLogger, cache_logger_on_first_use=False)
    if name:
        logger = logger.bind(logger=name)

    def call(level, message, given, error):
        structlog.contextvars.bind_contextvars(request_scope="here")
        getattr(logger, level)(message, **given, **({"exc_info": error} if error else {}))

    time = {"iso": MICROSECOND, None: MICROSECOND, "%Y-%m-%d %H:%M:%S": SECOND}.get(form, MICROSECOND)
    ecs = {"labels.request_scope": "here", **({"log.logger": name} if name else {})}
    return Logger(call, [serializer, ascii_only, errors, form, key, exceptions, renamed], time, ecs,
                  errors == "surrogatepass", origin, exceptions)


def stdlib_logger(stream, formatter, name):
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logger = logging.Logger(name, logging.DEBUG)
    logger.addHandler(handler)

    def call(level, message, given, error):
        getattr(logger, level)("%s", message, extra=given, exc_info=error)

    return call


def with_json_logger(records, streams):
    r = records
    fast = r.chance(0.4)
    if fast:
        records.limits |= {"surrogates", "huge"}
    parts = ["asctime", "levelname", "name", "message", *(p for p in
             ("funcName", "lineno", "filename", "process", "threadName", "levelno") if r.chance(0.5))]
    r.random.shuffle(parts)
    renamed = {}
    for old, new in (("levelname", "level"), ("levelname", "severity"), ("asctime", "timestamp"), ("asctime", "time"),
                     ("name", "logger"), ("message", "msg"), ("exc_info", "exception"), ("exc_info", "stack_trace")):
        if r.chance(0.3):
            renamed[old] = new
    stamped = "timestamp" not in renamed.values() and r.chance(0.3)
    options = {"fmt": " ".join(f"%({part})s" for part in parts), "rename_fields": renamed, "timestamp": stamped,
               "static_fields": {"static": "always"} if r.chance(0.5) else {}}
    ascii_only = r.chance(0.5)
    if fast:
        formatter = OrjsonFormatter(**options)
    else:
        formatter = JsonFormatter(**options, json_ensure_ascii=ascii_only)
    stream = connect("strict" if ascii_only or fast else "surrogatepass")
    streams.append(stream)
    ecs = {"log.logger": "items.repo", **({"labels.static": "always"} if options["static_fields"] else {})}
    return Logger(stdlib_logger(stream, formatter, "items.repo"), [fast, ascii_only, parts, renamed, stamped],
                  MILLISECOND, ecs, not ascii_only)


def with_loguru(records, streams):
    stream = connect("surrogatepass")
    streams.append(stream)
    options = {"backtrace": records.chance(0.5), "diagnose": records.chance(0.5)}
    if records.chance(0.3):
        options["format"] = records.pick("{message}", "{level} {extra}")
    logger = loguru.logger
    logger.remove()
    logger.add(stream, serialize=True, level="DEBUG", catch=False, **options)

    def call(level, message, given, error):
        logger.bind(**given).opt(exception=error, raw=False).log(level.upper(), "{}", message)

    ecs = {"log.logger": "__main__", "process.pid": os.getpid(), "process.thread.name": "MainThread",
           "log.origin.function": "call"}
    return Logger(call, [options], MICROSECOND, ecs, lossy=True, origin=True)


def with_ecs_logging(records, streams):
    r = records
    stream = connect("surrogatepass")
    streams.append(stream)
    records.limits.add("dots")  # ecs-logging itself makes objects of dotted names
    if r.chance(0.5):
        formatter = ecs_logging.StdlibFormatter(exclude_fields=["log.original"] if r.chance(0.5) else [],
                                                extra={"tags": ["a", "b"]} if r.chance(0.5) else None)
        return Logger(stdlib_logger(stream, formatter, "items.repo"), ["stdlib"], MILLISECOND,
                      {"log.logger": "items.repo"}, True, exceptions="frames", sparse=True)
    logger = structlog.wrap_logger(structlog.WriteLogger(stream), wrapper_class=structlog.BoundLogger, processors=[
        structlog.processors.add_log_level, structlog.processors.format_exc_info, ecs_logging.StructlogFormatter()])

    def call(level, message, given, error):
        getattr(logger, level)(message, **given, **({"exc_info": error} if error else {}))

    return Logger(call, ["structlog"], MILLISECOND, {}, True)


def log_one(records, logger, side):
    level = records.pick(*LEVELS)
    uid = side.uid()
    message = records.message(uid)
    known, meant = records.known()
    fields = records.fields()
    error = types = said = None
    if records.chance(0.2):
        error, types, said = fail(records)
    before = now()
    logger.call(level, message, {"uid": uid, **known, **fields}, error)
    after = now()
    ecs = {"log.level": LEVELS[level], **logger.ecs, **meant}
    if logger.origin:
        ecs["log.origin.file.name"] = "python_loggers.py"
    text = logger.exceptions == "text"
    failure = {"types": types, "message": said, "stack": "Traceback" if text else "python_loggers.py", "trimmed": text}
    side.write(uid=uid, options=logger.options, message=message, time=[before, after], resolution=logger.time, ecs=ecs,
               fields=fields, lossy=logger.lossy, sparse=logger.sparse, error=failure if error else None, absent=[SECRET])


def main():
    seed, count, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    for name, make in (("structlog", with_structlog), ("structlog2", with_structlog), ("jsonlogger", with_json_logger),
                       ("jsonlogger2", with_json_logger), ("loguru", with_loguru), ("ecslogging", with_ecs_logging)):
        records = Records(f"{seed} {name}")
        side = Intentions(path, seed, name)
        streams = []
        logger = make(records, streams)
        for _ in range(count):
            log_one(records, logger, side)
        for stream in streams:
            stream.close()
        side.close()


main()
