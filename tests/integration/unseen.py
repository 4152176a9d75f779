"""Lines that nobody looked at while the mapping was written: real loggers with random options, whose documents must
say what the program meant, by the rules of ECS and of the agent's documentation.

    unseen.py --agent PATH [--seeds 1,2,3] [--records N] [--only NAME] [--keep FILE]

The producers in loggers/ write each record's intention to a side file, from what they passed to their logger.
SLUICE_SEED in the environment stands for other seeds.
"""

import argparse
import collections
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "stack"))
sys.path.insert(0, HERE)

import ecs_document  # noqa: E402
from agent_process import Agent, imbalance  # noqa: E402
from servers import SKIPPED, stack  # noqa: E402

DEADLINE_SECONDS = 120
SEVERITY = {"trace": 1, "debug": 5, "info": 9, "warn": 13, "error": 17, "fatal": 21}
UID = re.compile(rb"u~[a-z0-9]+-[0-9]+-[0-9]+~")
ABSENT = object()
SHOWN, LONGEST = 2, 1200  # how much of what is wrong is printed


def programs(folder):
    """Each producer's command; SEED RECORDS SIDE_FILE follow."""
    go = os.path.join(folder, "go-loggers")
    built = subprocess.run([stack("go.sh")[0], "build", "-o", go, "."], cwd=os.path.join(HERE, "loggers", "go"), check=False,
                           env={**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"})
    if built.returncode != 0:
        print("SKIPPED: the Go loggers cannot be built", file=sys.stderr)
        sys.exit(SKIPPED)
    loggers = os.path.join(HERE, "loggers")
    classes = os.path.join(folder, "classes")
    os.mkdir(classes)
    java = stack("java.sh", "compile", os.path.join(loggers, "java", "Loggers.java"), classes)[1]
    python = os.path.join(stack("clients.sh")[0], "bin", "python")
    node = os.path.join(stack("node.sh")[0], "bin", "node")
    return {"python": [python, os.path.join(loggers, "python_loggers.py")],
            "node": [node, os.path.join(loggers, "node_loggers.cjs")],
            "go": [go],
            "java": [java["JAVA"], "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m",
                     "-cp", java["JAVA_CLASS_PATH"], "Loggers"]}


def produce(options, folder, socket):
    """Runs all producers; returns what they meant, by uid."""
    meant = {}
    chosen = {k: v for k, v in programs(folder).items() if options.only in (None, k)}
    for seed in options.seeds:
        running = {}
        for name, command in chosen.items():
            side = os.path.join(folder, f"{name}-{seed}.side")
            environment = {**os.environ, "SLUICE_SOCKET": socket, "TZ": "UTC"}
            if name == "node":
                environment["NODE_PATH"] = os.path.join(os.path.dirname(command[0]), "..", "node_modules")
            running[side] = subprocess.Popen([*command, str(seed), str(options.records), side], env=environment)
        failed = [side for side, process in running.items() if process.wait(DEADLINE_SECONDS) != 0]
        assert not failed, f"producers failed: {failed}"
        for side in running:
            with open(side, encoding="utf-8") as file:
                for line in file:
                    intention = json.loads(line, object_hook=big_integer)
                    assert intention["uid"] not in meant
                    meant[intention["uid"]] = intention
    return meant


def big_integer(members):
    """JavaScript's big integers, which JSON.stringify has no form for."""
    return int(members["$integer"]) if members.keys() == {"$integer"} else members


def consume(brokers, count):
    from topic import records
    return [message.value() for message in records(brokers, "unseen", count, DEADLINE_SECONDS)]


def clean(value):
    """What may remain of a value that JSON, or UTF-8, cannot hold."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, str):
        return re.sub("[\ud800-\udfff]", "\ufffd", value)
    if isinstance(value, dict):
        return {clean(k): clean(v) for k, v in value.items()}
    if isinstance(value, list):
        return [clean(v) for v in value]
    if isinstance(value, int) and not isinstance(value, bool) and not -(1 << 63) <= value < 1 << 63:
        return str(value)
    return value


def same(got, wanted, lossy):
    """Equal as JSON values; `lossy`: the stream wrote a lone surrogate as bytes that are no UTF-8."""
    if isinstance(wanted, dict):
        return isinstance(got, dict) and got.keys() == wanted.keys() and all(
            same(got[k], v, lossy) for k, v in wanted.items())
    if isinstance(wanted, list):
        return isinstance(got, list) and len(got) == len(wanted) and all(
            same(a, b, lossy) for a, b in zip(got, wanted))
    if lossy and isinstance(wanted, str) and isinstance(got, str):
        return re.sub("\ufffd+", "\ufffd", got) == re.sub("\ufffd+", "\ufffd", wanted)
    if isinstance(got, bool) or isinstance(wanted, bool):
        return got is wanted
    return got == wanted and isinstance(got, str) == isinstance(wanted, str)


def without_nulls(value):
    """What ecs-logging's formatter itself leaves out: nulls and empty objects, but not in arrays."""
    if not isinstance(value, dict):
        return value
    inner = {k: without_nulls(v) for k, v in value.items()}
    return {k: v for k, v in inner.items() if v is not None} or None


def at(document, path):
    for key in path.split("."):
        if not isinstance(document, dict) or key not in document:
            return ABSENT
        document = document[key]
    return document


def label_name(name):
    return re.sub(r'[.*"\\\s]', "_", clean(name)) or "_"


def place_of(name, value):
    """Where a field of nobody's table must be, and as what."""
    name, value = label_name(name), clean(value)
    if value is None:
        return ("labels", name, None)
    if isinstance(value, bool):
        return ("labels", name, "true" if value else "false")
    if isinstance(value, str):
        return ("labels", name, value)
    return ("numeric_labels" if isinstance(value, (int, float)) else "app", name, value)


def nanoseconds(text):
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{9})Z", text)
    seconds = int(time.mktime(time.strptime(match[1], "%Y-%m-%dT%H:%M:%S"))) - time.timezone
    return seconds * 10**9 + int(match[2])


def compare(document, raw, want):
    """Yields what differs, as (kind, text)."""
    lossy = want.get("lossy", False)
    message = at(document, "message")
    if "message" in want and not same(message, clean(want["message"]), lossy):
        yield "message", f"{message!r}, not {want['message']!r}"
    for path, value in want.get("ecs", {}).items():
        got = at(document, path)
        if value == {"$any": True} and got is not ABSENT:
            continue
        near = path == "event.duration" and isinstance(got, int) and abs(got - value) <= 1
        if not near and not same(got, clean(value), lossy):
            yield path, f"{got!r}, not {value!r}"
    if "log.level" in want.get("ecs", {}) and at(document, "event.severity") != SEVERITY[want["ecs"]["log.level"]]:
        yield "event.severity", f"{at(document, 'event.severity')!r}"
    if want.get("time"):
        got, (low, high) = nanoseconds(document["@timestamp"]), map(int, want["time"])
        if not low - want["resolution"] <= got <= high + want["resolution"]:
            yield "@timestamp", f"{document['@timestamp']}: {got} is not in {want['time']}"
    for name, value in want.get("fields", {}).items():
        parent, name, value = place_of(name, without_nulls(value) if want.get("sparse") else value)
        got = document.get(parent, {}).get(name, ABSENT)
        if value is None and got is ABSENT:
            got = document.get("numeric_labels", {}).get(name)
        if not same(got, value, lossy):
            yield f"field in {parent}", f"{name!r} is {got!r}, not {value!r}"
    yield from compare_error(document, want, lossy)
    for text in want.get("absent", []):
        if text.encode() in raw:
            yield "leak", text
    for text in want.get("present", []):
        if not ecs_document.mentions(document, clean(text), lossy):
            yield "lost", repr(text)


def compare_error(document, want, lossy):
    error = want.get("error")
    if not error:
        if "error" in document and "message" in want and not any(path.startswith("error.") for path in want.get("ecs", {})):
            yield "error", f"invented {document['error']!r}"
        return
    if error["types"] is None:
        return  # nested by the logger: kept, no more
    if at(document, "error.type") not in (error["types"] or [ABSENT]):
        yield "error.type", f"{at(document, 'error.type')!r}, not {error['types']!r}"
    said = "" if at(document, "error.message") is ABSENT else at(document, "error.message")
    wanted = clean(error["message"])
    if error.get("trimmed"):  # out of a stack trace's text, where no one can tell blank ends from the layout's
        said, wanted = said.strip(), wanted.strip()
    if not same(said, wanted, lossy):
        yield "error.message", f"{said!r}, not {wanted!r}"
    trace = at(document, "error.stack_trace")
    if error.get("stack") and (trace is ABSENT or error["stack"] not in trace):
        yield "error.stack_trace", f"{trace!r} lacks {error['stack']!r}"


def check(values, meant):
    """Returns the mismatches as a list of (generator, kind, text)."""
    wrong, seen = [], collections.Counter()
    for raw in values:
        uids = {uid.decode() for uid in UID.findall(raw)}
        if len(uids) != 1 or not uids <= meant.keys():
            wrong.append(("?", "uid", f"{uids}: {raw[:300]!r}"))
            continue
        want = meant[uids.pop()]
        seen[want["uid"]] += 1
        document, mistakes = ecs_document.parse(raw)
        wrong += [(want["generator"], "document", f"{mistake}: {raw[:600]!r}") for mistake in mistakes]
        if document is not None:
            wrong += [(want["generator"], kind, f"{text}\n    options {want.get('options')}\n    in {raw!r}")
                      for kind, text in compare(document, raw, want)]
    wrong += [(meant[uid]["generator"], "missing", uid) for uid in meant.keys() - seen.keys()]
    wrong += [(meant[uid]["generator"], "twice", uid) for uid, count in seen.items() if count > 1]
    return wrong


def report(wrong, total):
    kinds = collections.Counter((generator, kind) for generator, kind, _ in wrong)
    shown = collections.Counter()
    for generator, kind, text in wrong:
        shown[generator, kind] += 1
        if shown[generator, kind] <= SHOWN:
            lines = [line if len(line) < LONGEST else line[:LONGEST] + "…" for line in text.splitlines()]
            print(f"{generator}: {kind}: " + "\n".join(lines), file=sys.stderr)
    for (generator, kind), count in sorted(kinds.items()):
        print(f"mismatches: {generator:12} {kind:24} {count}")
    print(f"{len(wrong)} mismatches in {total} records")


def run(options, folder):
    kafka = os.path.join(folder, "kafka")
    brokers = stack("kafka.sh", "start", kafka)[1]["KAFKA_BROKERS"]
    try:
        agent = Agent(options.agent, folder, f'exporters: {{kafka: {{type: kafka, brokers: "{brokers}", topic: unseen}}}}\n')
        try:
            meant = produce(options, folder, agent.socket)
            deadline = time.monotonic() + DEADLINE_SECONDS
            while agent.books()["exporters"]["kafka"]["delivered"] < len(meant) and time.monotonic() < deadline:
                time.sleep(0.1)
            books = agent.books()
            assert not imbalance(books), imbalance(books)
            values = consume(brokers, books["exporters"]["kafka"]["delivered"])
            agent.stop()
        finally:
            agent.kill()
    finally:
        stack("kafka.sh", "stop", kafka)
    if options.keep:
        with open(options.keep, "wb") as file:
            file.writelines(value + b"\n" for value in values)
    wrong = check(values, meant)
    report(wrong, len(meant))
    assert not wrong, f"{len(wrong)} mismatches; seeds {options.seeds}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--agent", required=True)
    parser.add_argument("--seeds", default="1,2,3,4,5,6")
    parser.add_argument("--records", type=int, default=40)
    parser.add_argument("--only")
    parser.add_argument("--keep", help="write the documents there")
    options = parser.parse_args()
    options.seeds = [int(seed) for seed in os.environ.get("SLUICE_SEED", options.seeds).split(",")]
    os.environ["TZ"] = "UTC"
    time.tzset()
    folder = tempfile.mkdtemp(prefix="sluice-unseen-")
    try:
        run(options, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


main()
