#!/usr/bin/env python3
"""Time `hearth run -- /bin/true` as a whole process, with and without idle before each run.

    run_bench.py BIN_DIR INSTANCE_DIR [RUNS]

Beside it, in the same rotation, the floor: the host's own /bin/true started the same way. Prints
medians and p99 in milliseconds. The instance has a pool of tiny.
"""

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


def main():
    binaries, instance = sys.argv[1:3]
    runs = int(sys.argv[3]) if len(sys.argv) > 3 else 200
    hearth = os.path.join(binaries, "hearth")
    commands = {
        "hearth run true": [hearth, "run", "--dir", instance, "--image", "tiny", "--", "/bin/true"],
        "floor: host /bin/true": ["/bin/true"],
    }
    measure(commands, runs, 0)
    measure(commands, runs, 0.05)
    subprocess.run([hearth, "pool", "ls", "--dir", instance], check=True)


main()
