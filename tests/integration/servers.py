"""Runs a script of tests/stack for a test; where its part cannot be had the test is skipped by name."""

import os
import subprocess
import sys

STACK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "stack")
SKIPPED = 77


def stack(script, *arguments):
    """What the script prints, and its KEY=value lines as a dictionary."""
    done = subprocess.run([os.path.join(STACK, script), *arguments], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode == SKIPPED:
        print(f"SKIPPED: {script} cannot be had", file=sys.stderr)
        sys.exit(SKIPPED)
    done.check_returncode()
    lines = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    return done.stdout.strip(), {k: v.strip("'\"") for k, v in lines.items()}
