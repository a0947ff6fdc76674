"""What an acquire costs that binds something of its own: hearth run, n of each kind in turn.

    bind_bench.py [N]      with HEARTH_DIR of an instance that has a network, and hearth on PATH
"""

import json
import subprocess
import sys

KINDS = {
    "nothing": [],
    "host name": ["--hostname", "box"],
    "workspace that is there": ["--workspace", "bench-{old}"],
    "new workspace": ["--workspace", "bench-new-{turn}"],
    "memory": ["--memory", "256M"],
    "profile": ["--net", "open"],
    "all of them": ["--workspace", "bench-{old}", "--hostname", "box", "--memory", "256M", "--net", "open"],
}
OLD = 32  # workspaces in turn: one that was just given back is not free yet


def acquire(options):
    run = subprocess.run(["hearth", "run", "--json", "--image", "tiny", *options, "--", "true"],
                         capture_output=True, text=True, check=True, timeout=60)
    return json.loads(run.stderr.splitlines()[-1])


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    for turn in range(OLD):
        acquire(["--workspace", f"bench-{turn}"])
    figures = {kind: [] for kind in KINDS}
    for turn in range(n):
        for kind, options in KINDS.items():
            figures[kind].append(acquire([o.format(old=turn % OLD, turn=turn) for o in options]))
    print(f"n={n} of each, in turn; us: the client's round trip p50 p99; binding p50 p99")
    for kind, rows in figures.items():
        trip = [row["acquire_us"] for row in rows]
        bind = [row["bind_us"] for row in rows]
        print(f"{kind:24} {percentile(trip, .5):7.0f} {percentile(trip, .99):7.0f}"
              f" {percentile(bind, .5):7.0f} {percentile(bind, .99):7.0f}  {rows[-1]['rung']}")


main()
