"""Whether bytes are one document as docs and ECS promise: strict JSON, valid UTF-8, unique keys, the right types."""

import json
import re

# Names that Kafka's readers put beside a document's own.
RESERVED = {"topic", "partition", "offset", "headers", "message_key", "timestamp", "source_type"}
INTEGERS = {"event.severity", "event.duration", "event.sequence", "process.pid", "process.thread.id",
            "log.origin.file.line", "log.offset", "http.response.status_code", "client.port"}
LEVELS = {"trace", "debug", "info", "warn", "error", "fatal"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z")
# Objects whose members are the apps' own.
FREE = {"labels", "numeric_labels", "app"}


def parse(raw):
    """The document, or None, and a list of what is wrong with it."""
    mistakes = []

    def unique(pairs):
        keys = [key for key, _ in pairs]
        if len(set(keys)) != len(keys):
            mistakes.append(f"a key twice: {sorted(key for key in set(keys) if keys.count(key) > 1)}")
        return dict(pairs)

    def constant(name):
        mistakes.append(f"{name} is not JSON")

    try:
        document = json.loads(raw.decode("utf-8"), object_pairs_hook=unique, parse_constant=constant)
    except (UnicodeDecodeError, ValueError) as error:
        return None, [str(error)]
    mistakes += wrong_types(document)
    return document, mistakes


def wrong_types(document):
    mistakes = [f"reserved name {name}" for name in RESERVED & document.keys()]
    if not TIME.fullmatch(document.get("@timestamp", "")):
        mistakes.append(f"@timestamp {document.get('@timestamp')!r}")
    if "level" in document.get("log", {}) and document["log"]["level"] not in LEVELS:
        mistakes.append(f"log.level {document['log']['level']!r}")
    for name, value in document.get("labels", {}).items():
        if not isinstance(value, (str, bool)) or "." in name:
            mistakes.append(f"labels.{name} is {value!r}")
    for name, value in document.get("numeric_labels", {}).items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))) or "." in name:
            mistakes.append(f"numeric_labels.{name} is {value!r}")
    if not isinstance(document.get("app", {}), dict):
        mistakes.append(f"app is {document['app']!r}")
    for name, value in document.items():
        if name not in FREE:
            mistakes += wrong_leaves(name, value)
    if has_surrogate(document):
        mistakes.append("a lone surrogate")
    return mistakes


def wrong_leaves(path, value):
    if isinstance(value, dict):
        if any("." in name for name in value):
            yield f"a dotted name in {path}: {list(value)}"
        for name, inner in value.items():
            yield from wrong_leaves(f"{path}.{name}", inner)
    elif path in INTEGERS:
        if isinstance(value, bool) or not isinstance(value, int):
            yield f"{path} is {value!r}"
    elif path == "tags":
        if not isinstance(value, list) or not all(isinstance(tag, str) for tag in value):
            yield f"tags is {value!r}"
    elif not isinstance(value, str):
        yield f"{path} is {value!r}"


def has_surrogate(value):
    if isinstance(value, str):
        return any(0xD800 <= ord(c) < 0xE000 for c in value)
    if isinstance(value, dict):
        return any(has_surrogate(k) or has_surrogate(v) for k, v in value.items())
    return isinstance(value, list) and any(has_surrogate(v) for v in value)


def mentions(value, wanted, lossy=False):
    """Whether some string, number or name in there is, or has in it, what is wanted."""
    if isinstance(value, dict):
        return any(mentions(v, wanted, lossy) or mentions(k, wanted, lossy) for k, v in value.items())
    if isinstance(value, list):
        return any(mentions(v, wanted, lossy) for v in value)
    if isinstance(value, str) and isinstance(wanted, str):
        return (plain(wanted) in plain(value)) if lossy else wanted in value
    return value == wanted or isinstance(value, str) and not isinstance(wanted, bool) and str(wanted) == value


def plain(text):
    return re.sub("\ufffd+", "\ufffd", text)
