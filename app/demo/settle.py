"""Waits until an agent has read its connections to their end and delivered all: settle.py HTTP_ADDRESS"""
import json
import sys
import time
import urllib.request

SECONDS = 30


def unsettled(books):
    """What is still on its way, as text; empty where nothing is."""
    waits = [f"{books['receive']['open']} connections"] if books["receive"]["open"] else []
    waits += [f"{page['held']} records for {name}"
              for name, page in books["exporters"].items() if page["held"]]
    return ", ".join(waits)


def main():
    deadline = time.monotonic() + SECONDS
    while True:
        with urllib.request.urlopen(f"http://{sys.argv[1]}/books", timeout=5) as answer:
            rest = unsettled(json.load(answer))
        if not rest:
            return 0
        if time.monotonic() > deadline:
            print(f"demo: after {SECONDS} s still on the way: {rest}", file=sys.stderr)
            return 1
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
