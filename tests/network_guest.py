"""Sandboxes with a network, seen from inside (network-probe) and from the host of a network_world.World."""

import errno
import json
import os
import pathlib
import re
import subprocess

import lease
from network_world import PATIENCE

PROBE = pathlib.Path(os.environ.get("top_builddir", "."), "tests", "network-probe").resolve()
RANGE = 65536  # ids of a sandbox
SILENCE = 4096  # network_probe.h


def outcome_of(output):
    """The last line of network-probe as a word: "worked", "silence", "ECONNREFUSED"."""
    found = re.findall(r"^outcome (\d+)$", output, re.M)
    if not found:
        return f"no outcome: {output}"
    number = int(found[-1])
    return {0: "worked", SILENCE: "silence"}.get(number) or errno.errorcode[number]


class Result:
    def __init__(self, output):
        self.output = output
        self.outcome = outcome_of(output)

    def __str__(self):
        return f"{self.outcome}: {self.output[-500:]}"

    def answers(self):
        return re.findall(r"^answer (.*)$", self.output, re.M)

    def heard(self):
        return re.findall(r"^heard (.*)$", self.output, re.M)


def start_on_host(*words, enter=()):
    return subprocess.Popen([*enter, PROBE, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)


def finish_on_host(process):
    return Result(process.communicate(timeout=PATIENCE)[0])


def on_host(*words, enter=()):
    """network-probe as root, where the caller is or with that command before it."""
    return finish_on_host(start_on_host(*words, enter=enter))


class Guest:
    """A leased sandbox. Its image has /bin/network-probe."""

    def __init__(self, instance, connection, pool="", net=""):
        self.instance, self.connection = instance, connection
        self.sandbox = connection.acquire(pool, net=net)
        self.id = str(self.sandbox.sandbox)
        self.address = self.shell("ip -4 -o addr show dev eth0").split()[3].partition("/")[0]
        self.gateway = self.shell("cat /etc/resolv.conf").split()[1]
        self.pid = self._pid()
        self.enter = ["nsenter", f"--net=/proc/{self.pid}/ns/net"]

    def _pid(self):
        """Of a process in it, by its ids."""
        base = int(self.shell("cat /proc/self/uid_map").split()[1])
        for status in pathlib.Path("/proc").glob("[0-9]*/status"):
            try:
                if base <= int(status.read_text().partition("\nUid:\t")[2].split()[0]) < base + RANGE:
                    return int(status.parent.name)
            except (FileNotFoundError, ProcessLookupError, IndexError):
                continue
        raise AssertionError(f"no process has ids from {base} on")

    def shell(self, command):
        return self.sandbox.run_ok("sh", "-c", command).out.decode()

    def start(self, *words):
        return self.sandbox.start("network-probe", *words)

    def finish(self, call):
        self.sandbox.wait(call)
        return Result(call.out.decode(errors="replace"))

    def probe(self, *words):
        return self.finish(self.start(*words))

    def stays(self, word, *words):
        """A probe that goes on; returns once it has said the word."""
        call = self.start(*words)
        while word not in call.out.decode():
            if call.is_done():
                raise AssertionError(f"{words}: {call}")
            self.sandbox.receive()
        return call

    def by_root(self, *words):
        """In its network namespace, with all rights, as nobody inside can."""
        return on_host(*words, enter=self.enter)

    def root_says(self, *argv):
        return subprocess.run([*self.enter, *argv], timeout=PATIENCE, check=True, capture_output=True, text=True).stdout

    def link(self):
        """The host's end, by the index that eth0 knows."""
        index = re.search(r"eth0@if(\d+)", self.root_says("ip", "-o", "link"))[1]
        found = subprocess.run(["ip", "-o", "link"], check=True, capture_output=True, text=True).stdout
        return re.search(rf"^{index}: ([^:@]+)", found, re.M)[1]

    def hearth(self, *words):
        return self.instance.hearth(*words)

    def inspect(self):
        return json.loads(self.hearth("sandbox", "inspect", self.id, "--json"))

    def set_net(self, profile):
        self.hearth("sandbox", "net", self.id, profile)

    def end(self):
        """Returns once it is proven dead."""
        self.connection.release(self.sandbox)
        self.connection.wait_receipt(self.sandbox)
        self.sandbox.close()


class Instance:
    """An instance of a probe_image.World, and one client of it."""

    def __init__(self, world, config):
        self.world = world
        self.made = world.start(config)
        self.id = self.made.id
        self.connection = lease.Control(self.made.directory)

    def guest(self, pool="", net=""):
        return Guest(self, self.connection, pool, net)

    def hearth(self, *words):
        return self.world.hearth("--dir", self.made.directory, *words).stdout

    def serves(self):
        return self.made.supervisor.poll() is None

    def table(self):
        """All of nft's objects of the instance."""
        text = subprocess.run(["nft", "-j", "list", "table", "inet", f"hearth-{self.id}"], check=True,
                              capture_output=True, text=True).stdout
        return json.loads(text)["nftables"]

    def close(self):
        self.connection.close()


def connections_of(address):
    """Lines of the host's table of connections that name the address."""
    text = pathlib.Path("/proc/net/nf_conntrack").read_text()
    return [line for line in text.splitlines() if re.search(rf"=({re.escape(address)})\b", line)]
