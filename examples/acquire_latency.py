#!/usr/bin/env python3
"""How long an acquire takes, seen by a client of agentd: from the warm pool, and built on demand.

acquire_latency.py [DIR]: takes one more at once than are ready, so that the last has to be built.
"""

import json
import os
import socket
import statistics
import sys
import time

ROUNDS = 20


def main():
    directory = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("HEARTH_DIR", "/run/hearth")
    link = socket.socket(socket.AF_UNIX)
    os.chdir(directory)  # the path of a Unix socket is short
    link.connect("agentd.sock")
    lines = link.makefile("rwb", buffering=0)
    last_id = 0

    def send(method, **params):
        nonlocal last_id
        last_id += 1
        request = {"jsonrpc": "2.0", "id": last_id, "method": method, "params": params}
        lines.write(json.dumps(request).encode() + b"\n")
        return last_id

    def receive():
        answer = json.loads(lines.readline())
        if "error" in answer:
            sys.exit(answer["error"]["message"])
        return answer["id"], answer["result"]

    def call(method, **params):
        send(method, **params)
        return receive()[1]

    def wait_until_full():
        while (pool := call("pool.status")["pools"][0])["ready"] < pool["min"] or pool["discarding"]:
            time.sleep(0.005)
        return pool

    took_ms = {}

    def take(count):
        """Ask for so many at once; the answers come as they are served."""
        sent = {send("sandbox.acquire", on_empty="build"): time.monotonic() for _ in range(count)}
        held = []
        for _ in range(count):
            number, sandbox = receive()
            name = "warm" if sandbox["rung"] == "ready" else "built, because none was ready"
            took_ms.setdefault(name, []).append((time.monotonic() - sent[number]) * 1000)
            held.append(sandbox)
        for sandbox in held:
            call("sandbox.release", id=sandbox["id"], epoch=sandbox["epoch"])

    for _ in range(ROUNDS):
        wait_until_full()
        take(1)
        take(wait_until_full()["min"] + 1)
    for name, samples in took_ms.items():
        print(f"acquire through agentd, {name}: {statistics.median(samples):.3f} ms "
              f"(median of {len(samples)})")
    built_us = wait_until_full()["build_p50_us"]
    print(f"building one sandbox: {built_us / 1000:.3f} ms (median since the start)")


main()
