"""Asks the items service for a few good, bad and slow things: ask.py SOCKET"""
import sys
import time

import httpx

PATHS = ["/items/1", "/items/2", "/items/3", "/items/9", "/items/0", "/items/x"]


def wait_until_served(client, deadline):
    while True:
        try:
            client.get("/openapi.json")
            return
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def main():
    path = sys.argv[1]
    transport = httpx.HTTPTransport(uds=path)
    with httpx.Client(transport=transport, base_url="http://items", timeout=10) as client:
        wait_until_served(client, time.monotonic() + 30)
        for path in PATHS:
            response = client.get(path)
            print(f"items: GET {path} -> {response.status_code}")


if __name__ == "__main__":
    main()
