"""A memory cgroup for one process of a test, of version 1 or 2."""

import os
import time

ROOT = "/sys/fs/cgroup"
REMOVE_SECONDS = 10


class NoGroup(Exception):
    """None may be made here, and why."""


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read().strip()


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def own_groups():
    """(version, folder) of this process's memory group and of those above it, the nearest first."""
    for line in read("/proc/self/cgroup").splitlines():
        _, controllers, group = line.split(":", 2)
        if "memory" in controllers.split(","):
            version, root = 1, f"{ROOT}/memory"
        elif not controllers and os.path.exists(f"{ROOT}/cgroup.controllers"):
            version, root = 2, ROOT
        else:
            continue
        parts = [part for part in group.split("/") if part]
        for count in range(len(parts), -1, -1):
            yield version, os.path.join(root, *parts[:count])


class MemoryGroup:
    def __init__(self, limit):
        why = "no memory controller"
        for self.version, parent in own_groups():
            self.folder = os.path.join(parent, f"sluice-test-{os.getpid()}")
            try:
                self.make(parent, limit)
                self.procs = os.path.join(self.folder, "cgroup.procs")
                return
            except OSError as error:
                why = str(error)
                self.remove()
        raise NoGroup(why)

    def make(self, parent, limit):
        if self.version == 2 and "memory" not in read(f"{parent}/cgroup.subtree_control").split():
            write(f"{parent}/cgroup.subtree_control", "+memory")
        os.mkdir(self.folder)
        names = ("memory.max", "memory.swap.max") if self.version == 2 else ("memory.limit_in_bytes", None)
        write(f"{self.folder}/{names[0]}", str(limit))
        if names[1] and os.path.exists(f"{self.folder}/{names[1]}"):
            write(f"{self.folder}/{names[1]}", "0")
        if self.version == 1 and os.path.exists(f"{self.folder}/memory.memsw.limit_in_bytes"):
            write(f"{self.folder}/memory.memsw.limit_in_bytes", str(limit))

    def event(self, file, name):
        return int(dict(line.split() for line in read(f"{self.folder}/{file}").splitlines()).get(name, 0))

    def kills(self):
        """Processes that the kernel killed for this group's memory."""
        return self.event("memory.events" if self.version == 2 else "memory.oom_control", "oom_kill")

    def peak(self):
        path = f"{self.folder}/memory.peak" if self.version == 2 else f"{self.folder}/memory.max_usage_in_bytes"
        return int(read(path)) if os.path.exists(path) else 0

    def remove(self):
        """The group of a process that has ended is free a moment later."""
        deadline = time.monotonic() + REMOVE_SECONDS
        while os.path.isdir(self.folder):
            try:
                os.rmdir(self.folder)
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
