"""Asks the items service for a few good, bad and slow things: ask.py SOCKET"""
import socket
import sys
import time

import httpx

PATHS = ["/items/1", "/items/2", "/items/3", "/items/9", "/items/0", "/items/x"]


def wait_until_served(path, deadline):
    """Until somebody listens; what is asked before it can answer waits in the socket."""
    while True:
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(path) == 0:
                return
        if time.monotonic() > deadline:
            raise SystemExit(f"nobody listens on {path}")
        time.sleep(0.05)


def main():
    service = sys.argv[1]
    wait_until_served(service, time.monotonic() + 30)
    transport = httpx.HTTPTransport(uds=service)
    with httpx.Client(transport=transport, base_url="http://items", timeout=10) as client:
        for path in PATHS:
            response = client.get(path)
            print(f"items: GET {path} -> {response.status_code}")


if __name__ == "__main__":
    main()
