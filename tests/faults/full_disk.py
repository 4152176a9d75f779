"""The spool's own small device fills up while clients write: told, waited out, and nothing acknowledged is lost.

    full_disk.py --agent PATH

It mounts a device of its own: as root, or in a user namespace of its own. Where neither is permitted it
crosses `spool.min_free` on the device that is there, and is skipped: a full device was not tested.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))

from agent_process import Agent, imbalance  # noqa: E402
from writers import RUN, LineWriter, NativeWriter, OtlpWriter  # noqa: E402

MIB = 1 << 20
DEVICE_MIB = 24
DEADLINE_SECONDS = 60
PACE = 0.002
INSIDE = "SLUICE_FULL_DISK_INSIDE"
SKIPPED = 77


def mount(*words):
    return subprocess.run(["mount", *words], stderr=subprocess.PIPE, text=True, check=False)


def new_device(path):
    """False: neither root's mount nor one in a user namespace is permitted."""
    os.mkdir(path)
    return mount("-t", "tmpfs", "-o", f"size={DEVICE_MIB}m", "sluice-test", path).returncode == 0


def settings(device, min_free):
    # Nobody listens there: what an agent takes stays in its spool, unless it is run with --dev.
    return f"""
spool: {{path: {device}/spool, max_bytes: 64MiB, min_free: {min_free}}}
drain_timeout: 500ms
exporters:
  kafka: {{type: kafka, brokers: "127.0.0.1:1", when_full: block}}
routes:
  logs: {{signals: [logs], exporters: [kafka]}}
"""


def until(agent, condition, what):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        assert agent.process.poll() is None, f"the agent ended: {agent.process.returncode}\n" + "".join(agent.log[-5:])
        books = agent.books()
        assert not imbalance(books), imbalance(books)
        page = books["exporters"]["kafka"]
        if condition(page):
            return page
        assert time.monotonic() < deadline, (what, page, agent.log[-5:])
        time.sleep(0.05)


def free(device):
    status = os.statvfs(device)
    return status.f_bavail * status.f_frsize


def fill(device, leave):
    """Takes the device's rest but for `leave` bytes; returns the filler's path."""
    path = os.path.join(device, "filler")
    with open(path, "ab") as file:
        size = max(0, free(device) - leave)
        if size:
            os.posix_fallocate(file.fileno(), 0, size)
    return path


def events(agent, name):
    return [entry for entry in map(json.loads, list(agent.log)) if entry["event"] == name]


def told(options, agent, trouble):
    """In /books, /metrics, the status command and the own log."""
    until(agent, lambda page: page["trouble"][trouble] == 1, f"no trouble {trouble}")
    gauge = f'sluice_exporter_spool_trouble{{exporter="kafka",trouble="{trouble}"}} 1'
    assert gauge in agent.get("/metrics"), agent.get("/metrics")
    shown = subprocess.run([options.agent, "status", "--http", agent.addresses["http_listen"]], check=False,
                           stdout=subprocess.PIPE, text=True).stdout
    assert trouble in shown, shown
    assert any(trouble in entry["message"] for entry in events(agent, "spool_trouble")), agent.log[-5:]


def recovered(agent, before):
    """The trouble is over by itself, and the log grows again."""
    page = until(agent, lambda page: not any(page["trouble"].values()) and page["held"] > before, "it does not resume")
    assert events(agent, "spool_recovered"), agent.log[-5:]
    return page


def kept(agent, device, acknowledged, min_free):
    """Killed, and run again with a sink: whatever was promised is delivered."""
    agent.kill()
    folder = tempfile.mkdtemp(prefix="sluice-full-")
    try:
        again = Agent(agent.process.args[0], folder, settings(device, min_free), arguments=["--dev"])
        try:
            page = until(again, lambda page: page["held"] == 0 and page["backlog_segments"] == 0 and page["recovered"],
                         "it does not empty")
            assert page["damaged"] == page["set_aside"] == page["dead"] == 0, page
            assert page["delivered"] >= acknowledged, (page, acknowledged)
        finally:
            again.kill()
    finally:
        shutil.rmtree(folder)


def full(options, folder, device, trouble, min_free, leave):
    agent = Agent(options.agent, folder, settings(device, min_free))
    writers = [OtlpWriter("otlp", agent.socket, PACE), NativeWriter("native", agent.socket, PACE),
               LineWriter("lines", agent.socket, PACE)]
    try:
        for writer in writers:
            writer.start()
        until(agent, lambda page: page["held"] > 1000, "nobody writes")
        filler = fill(device, leave)
        told(options, agent, trouble)
        assert all(page == 0 for name, page in agent.books()["exporters"]["kafka"]["trouble"].items() if name != trouble)
        before = agent.books()["exporters"]["kafka"]["held"]
        os.unlink(filler)
        recovered(agent, before)
        agent.kill()  # while they write
        for writer in writers:
            writer.stopping.set()
        acknowledged = sum(len(writer.promised) * RUN for writer in writers)
        assert acknowledged > 0
        kept(agent, device, acknowledged, min_free)
    except Exception:
        print("".join(agent.log[-10:]), file=sys.stderr)
        raise
    finally:
        agent.kill()
        for writer in writers:
            writer.stopping.set()


def shared(options, folder, device):
    """The device is everybody's: an eighth of its room is taken, and given back."""
    print("no device may be mounted here: a full one is not tested, low space is", flush=True)
    room = free(device)
    min_free = (room - room // 16) // MIB
    full(options, folder, device, "low_space", f"{min_free}MiB", room - room // 8)
    return SKIPPED


def perform(options, top):
    tests = [("no_space", lambda *a: full(options, *a, "no_space", 0, 0)),
             ("one_segment_left", lambda *a: full(options, *a, "no_space", 0, MIB + MIB // 2)),
             ("low_space", lambda *a: full(options, *a, "low_space", "8MiB", 4 * MIB))]
    for name, test in tests:
        folder, device = os.path.join(top, name), os.path.join(top, name + "-device")
        os.mkdir(folder)
        if not new_device(device):
            return shared(options, folder, device)
        start = time.monotonic()
        try:
            test(folder, device)
        finally:
            subprocess.run(["umount", "-l", device], check=False)
        print(f"{name}: ok, {time.monotonic() - start:.1f} s", flush=True)
    return 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--agent", required=True)
    options = parser.parse_args()
    if os.geteuid() != 0 and INSIDE not in os.environ:
        os.environ[INSIDE] = "1"
        if subprocess.run(["unshare", "-Urm", "true"], check=False).returncode == 0:
            os.execvp("unshare", ["unshare", "-Urm", sys.executable, *sys.argv])
    with tempfile.TemporaryDirectory(prefix="sluice-full-") as top:
        return perform(options, top)


if __name__ == "__main__":
    sys.exit(main())
