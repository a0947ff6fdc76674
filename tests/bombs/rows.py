"""The bombs: what goes off, what stops it, and what it does where nothing stops it.

A judge looks at an Outcome and says what is wrong with it, or "".
"""

import re

import lease
from lease import HIT_CPU, HIT_DISK, HIT_MEMORY, HIT_OUTPUT, HIT_PIDS, HIT_TIME

# Of the narrow pool, MiB where bytes; the wide one has several times as much.
MEMORY, PIDS, DISK, INODES, FILES = 128, 128, 32, 4000, 256
CPUS = 0.5
MILLISECONDS = 700  # of bombs that only take time
OUTPUT_MAX = 1 << 20
GIBIBYTE = 1 << 30

EAGAIN, ENOSPC, EMFILE, ENOMEM = ("Resource temporarily unavailable", "No space left on device",
                                  "No file descriptors available", "Out of memory")


class Outcome:
    """A call that has ended, whether PID 1 ran a command after it, and, if not, why the lease ended."""

    def __init__(self, call, is_alive, ended, limits_of_lease):
        self.call, self.is_alive, self.ended = call, is_alive, ended
        self.limits_of_lease = limits_of_lease

    def did(self):
        """(units, reason) of the bomb's last line."""
        found = re.findall(rb"^did (-?\d+) (.*)$", self.call.out, re.M)
        return (int(found[-1][0]), found[-1][1].decode()) if found else (0, "says nothing")

    def __str__(self):
        call = self.call
        return (f"did {self.did()}; end {call.end}, status {call.status}, limits {call.limits}, {call.text!r}, "
                f"{call.bytes} bytes; alive {self.is_alive}, ended {self.ended}, lease {self.limits_of_lease}")


class Bomb:
    """The command and its judges in the narrow pool and in the wide one."""

    def __init__(self, name, words, narrow, wide_words=None, wide=None, **options):
        self.name, self.words, self.options = name, words.split(), options
        self.wide_words = (wide_words or words).split()
        self.narrow, self.wide = narrow, wide or narrow


def stops(reason, most, limit=0):
    """It is refused by this errno after at most so many units; the reply names the limit; PID 1 goes on."""
    def judge(o):
        units, why = o.did()
        good = 0 < units <= most and why == reason and o.call.limits & limit == limit and o.is_alive
        return "" if good else f"want at most {most}, {reason}, limit {limit}: {o}"
    return judge


def completes(least):
    def judge(o):
        units, why = o.did()
        good = units >= least and why == "done" and o.is_alive
        return "" if good else f"want {least}: {o}"
    return judge


def out_of_memory(o):
    """Killed and told so; or, where the kernel could kill nothing else, the lease ended and told so."""
    if o.call.end != lease.END_LOST and not (o.call.status == 137 and o.call.limits & HIT_MEMORY):
        return f"want a kill by the memory limit: {o}"
    if not o.is_alive and (o.ended[0] != lease.OOM or not o.ended[1] & HIT_MEMORY):
        return f"want a lease that ended out of memory: {o}"
    return ""


def times_out(limit=0, least=0):
    def judge(o):
        want = HIT_TIME | limit
        good = o.call.end == lease.END_TIMEOUT and o.call.limits & want == want and o.is_alive
        return "" if good and o.did()[0] >= least else f"want a timeout, {least}, limits {want}: {o}"
    return judge


def either(*judges):
    def judge(o):
        wrong = [j(o) for j in judges]
        return "" if "" in wrong else wrong[0]
    return judge


def uses_its_quota(o):
    return completes(1)(o) or ("" if o.limits_of_lease & HIT_CPU else f"want the cpu limit: {o}")


def drops_output(o):
    """All of it was written and drained; the caller got the first of it and knows."""
    good = (o.call.status == 0 and o.call.stdout_bytes >= GIBIBYTE and o.call.bytes == OUTPUT_MAX and
            o.call.limits & HIT_OUTPUT and o.is_alive)
    return "" if good else f"want 1 GiB written and {OUTPUT_MAX} bytes of it: {o}"


ROUNDS = 3000
TERMINAL = b"\033[2J\033]0;title\007\xc3\x28\xff\xfe\033[31m\r\b\0\x80"


def comes_unchanged(o):
    out, err = o.call.streams[lease.STDOUT], o.call.streams[lease.STDERR]
    good = out.startswith(bytes(range(256)) * ROUNDS + b"did ") and err == TERMINAL * ROUNDS and o.is_alive
    return "" if good else f"want every byte: {len(out)} and {len(err)} bytes: {o.is_alive}"


BOMBS = [
    Bomb("B01 forks", "bomb fork 2000", stops(EAGAIN, PIDS, HIT_PIDS), "bomb fork 300", completes(300)),
    Bomb("B01 forks without end", "bomb fork-for-ever 1", times_out(HIT_PIDS), timeout_ms=MILLISECONDS),
    Bomb("B02 threads", "bomb threads 2000", stops(EAGAIN, PIDS, HIT_PIDS), "bomb threads 300", completes(300)),
    Bomb("B02 vforks", "bomb vfork 2000", stops(EAGAIN, PIDS, HIT_PIDS), "bomb vfork 300", completes(300)),
    Bomb("B03 zombies", "bomb zombies 2000", stops(EAGAIN, PIDS, HIT_PIDS), "bomb zombies 300", completes(300)),
    Bomb("B04 numbers of processes", "bomb churn 2000", completes(1500)),
    Bomb("B05 memory", "bomb touch 400", out_of_memory, "bomb touch 300", completes(300)),
    Bomb("B06 tmpfs", "bomb fill-shm 400", stops(ENOSPC, DISK, HIT_DISK), "bomb fill-shm 100", completes(100)),
    Bomb("B07 System V shared memory", "bomb sysv-shm 400", out_of_memory,
         "bomb sysv-shm 200", completes(200)),
    Bomb("B07 System V semaphores", "bomb sysv-sem 40000", stops(ENOSPC, 1024),
         "bomb sysv-sem 100", completes(100)),
    Bomb("B07 System V messages", "bomb sysv-msg 1000", stops(ENOSPC, 16),
         "bomb sysv-msg 10", completes(10)),
    Bomb("B07 message queues", "bomb mq 4000", stops(EMFILE, FILES), "bomb mq 5", completes(5)),
    Bomb("B08 page cache", f"bomb cache {MILLISECONDS}", completes(10)),
    Bomb("B09 mappings", "bomb maps 100000", stops(ENOMEM, 65530), "bomb maps 60000", completes(60000)),
    Bomb("B10 pipes", "bomb pipes 100000", out_of_memory, "bomb pipes 20000", completes(20000)),
    Bomb("B10 unix sockets", "bomb sockets 20000", out_of_memory, "bomb sockets 2000", completes(2000)),
    Bomb("B10 epoll", "bomb epolls 100000", either(stops(EAGAIN, 100000, HIT_PIDS), out_of_memory),
         "bomb epolls 50000", completes(50000)),
    Bomb("B10 inotify", "bomb watches 100000", stops(EMFILE, FILES), "bomb watches 100", completes(100)),
    Bomb("B10 file locks", "bomb locks 5000", completes(5000)),
    Bomb("B11 descriptors", "bomb open 5000", stops(EMFILE, FILES), "bomb open 800", completes(800)),
    Bomb("B12 bytes on the disk", "bomb fill 400", stops(ENOSPC, DISK, HIT_DISK), "bomb fill 100", completes(100)),
    Bomb("B13 inodes", "bomb inodes 40000", stops(ENOSPC, INODES, HIT_DISK), "bomb inodes 8000", completes(8000)),
    Bomb("B14 deep directories", "bomb deep 40000", stops(ENOSPC, INODES, HIT_DISK),
         "bomb deep 10000", completes(10000)),
    Bomb("B15 a petabyte of zeros", "bomb sparse 1000000000", times_out(HIT_OUTPUT),
         timeout_ms=MILLISECONDS, output_max=OUTPUT_MAX),
    Bomb("B16 syncs", f"bomb syncs {MILLISECONDS}", completes(10)),
    Bomb("B17 processor", f"bomb spin {MILLISECONDS}", uses_its_quota, wide=completes(1)),
    Bomb("B18 timers and signals", "bomb storm 1000000", times_out(least=1000), timeout_ms=MILLISECONDS),
    Bomb("B19 lines", "bomb lines 1024", drops_output, output_max=OUTPUT_MAX),
    Bomb("B20 one line", "bomb one-line 1024", drops_output, output_max=OUTPUT_MAX),
    Bomb("B21 bytes of all kinds", f"bomb mixed {ROUNDS}", comes_unchanged),
    Bomb("B24 a stubborn tree", "bomb stubborn 30", times_out(least=30), timeout_ms=MILLISECONDS),
]

# All at once, each in a sandbox of its own, in turns.
SWARM_WORDS = ["bomb fork-for-ever 1", "bomb touch 400", "bomb fill 400", "bomb inodes 100000", "bomb spin 1000",
               "bomb pipes 100000", "bomb threads 2000", "bomb storm 1000000", "bomb churn 100000",
               "bomb lines 4096", "bomb stubborn 30", "bomb cache 1000"]

# Kinds of which the kernel keeps one count for many: what one sandbox holds, another must still get.
SHARED = [
    ("inotify", "bomb watches 100000 hold", "bomb watches 20", 20),
    ("message queues", "bomb mq 4000 hold", "bomb mq 2", 2),
    ("tcp buffers", "bomb tcp 2000 hold", "bomb tcp 20", 20),
    ("udp buffers", "bomb udp 4000 hold", "bomb udp 20", 20),
    ("pending signals", "bomb signals 200000 hold", "bomb signals 50", 50),
]
