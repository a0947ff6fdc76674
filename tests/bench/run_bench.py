#!/usr/bin/env python3
"""Time `hearth run -- /bin/true` as a whole process, with and without idle before each run.

    run_bench.py BIN_DIR INSTANCE_DIR [RUNS]

Beside it, in the same rotation, the floor: the host's own /bin/true started the same way. Prints
medians and p99 in milliseconds. The instance has a pool of tiny.
"""

import argparse
import os
import subprocess
import sys
import time


def run_ms(command):
    started = time.perf_counter_ns()
    pid = os.posix_spawn(command[0], command, os.environ)
    status = os.waitpid(pid, 0)[1]
    if status:
        sys.exit(f"{command}: status {status}")
    return (time.perf_counter_ns() - started) / 1e6


def measure(commands, runs, gap_s):
    times = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            time.sleep(gap_s)
            times[name].append(run_ms(command))
    for name, values in times.items():
        values.sort()
        print(
            f"{name:24} idle {gap_s * 1000:3.0f} ms  n={runs}"
            f"  p50 {values[runs // 2]:6.2f} ms  p99 {values[runs * 99 // 100]:6.2f} ms"
        )


def runs_number(text):
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 100000:
        raise argparse.ArgumentTypeError(f"'{text}': a whole number from 1 to 100000 is wanted")
    return int(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binaries", metavar="BIN_DIR", help="where hearth is")
    parser.add_argument("instance", metavar="INSTANCE_DIR", help="that of a running instance")
    parser.add_argument("runs", metavar="RUNS", type=runs_number, nargs="?", default=200)
    arguments = parser.parse_args()
    hearth = os.path.join(arguments.binaries, "hearth")
    if not os.access(hearth, os.X_OK):
        parser.error(f"{hearth}: no such program")
    commands = {
        "hearth run true": [hearth, "run", "--dir", arguments.instance, "--image", "tiny", "--", "/bin/true"],
        "floor: host /bin/true": ["/bin/true"],
    }
    measure(commands, arguments.runs, 0)
    measure(commands, arguments.runs, 0.05)
    subprocess.run([hearth, "pool", "ls", "--dir", arguments.instance], check=True)


main()
