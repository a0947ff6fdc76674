"""A world for tests of networks: a host of one's own, and what such hosts have around them.

World() moves the calling process into a network namespace that plays the host: whatever it starts from then on,
instances of Hearth too, is there. By links of their own it reaches

  outside   the Internet: whatever address nobody else has answers here, on every port, metadata servers
            (169.254.169.254, fd00:ec2::254), private ranges and all addresses of IPv6 included, so that any packet
            which a policy lets through is answered and noted. DNS too (network_servers.Zone): RESOLVER.
  lan       a machine of the host's private network: LAN
  services  the host's own: TCP and UDP at SERVICE_PORT of all its addresses, UDP at 67 as a DHCP server

A machine is a namespace held by its servers, which end with the caller, however that ends.
"""

import ctypes
import itertools
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

PATIENCE = 30  # s, for what must happen
CLONE_NEWNET = 0x40000000
HERE = pathlib.Path(__file__).parent

HOST, OUTSIDE, LAN_HOST, LAN = "8.8.8.2", "8.8.8.1", "10.9.0.1", "10.9.0.2"  # each a /24
HOST6, OUTSIDE6 = "2001:4860::2", "2001:4860::1"
RESOLVER = "8.8.4.53"
PUBLIC = "8.8.4.10"  # of network_servers.Zone
METADATA, METADATA6 = "169.254.169.254", "fd00:ec2::254"
BLACK_HOLE = "8.8.5.1"  # takes packets, answers none; so the whole of 8.8.5.0/24
SERVICE_PORT = 4000
ANY_TCP, ANY_UDP, ANY_DNS = 7000, 7001, 7053  # where a machine's servers listen; other ports lead there

libc = ctypes.CDLL(None, use_errno=True)


def check(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno(), what)


def ip(*lines, pid=None, options=()):
    """Commands of ip(8), in the namespace of that process."""
    enter = ["nsenter", f"--net=/proc/{pid}/ns/net"] if pid else []
    subprocess.run([*enter, "ip", *options, "-batch", "-"], input="\n".join(lines), text=True, check=True)


def wait_until(what, condition, seconds=PATIENCE):
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.005)


class Machine:
    """Servers (network_servers.py), in a network namespace of their own unless it is the host's."""

    def __init__(self, name, directory, *options, own_network=True):
        self.name = name
        self.log = directory / name
        enter = ["unshare", "--net"] if own_network else []
        # Links come before the servers: it waits for a line.
        command = f"read -r line && exec {sys.executable} {HERE}/network_servers.py {name} {' '.join(options)}"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([*enter, "sh", "-c", f"echo born; {command}"],
                                            stdin=subprocess.PIPE, stdout=log, stderr=log, bufsize=0)
        self.pid = self.process.pid
        wait_until(f"namespace of {name}", lambda: "born\n" in self.text())

    def serve(self):
        self.process.stdin.write(b"go\n")
        wait_until(f"servers of {self.name}", lambda: "ready\n" in self.text())

    def run(self, *argv, **options):
        """A command in its namespace."""
        return subprocess.run(["nsenter", f"--net=/proc/{self.pid}/ns/net", *argv], timeout=PATIENCE,
                              check=True, **options)

    def ip(self, *lines, options=()):
        ip(*lines, pid=self.pid, options=options)

    def text(self):
        """All that its servers have said."""
        return self.log.read_text(errors="replace")

    def close(self):
        self.process.stdin.close()
        self.process.kill()
        self.process.wait()


class World:
    """One at a time. `with` or close(): the caller is back where it was, and everything else is gone."""

    def __init__(self, sniff=True):
        self._numbers = itertools.count(1)
        self._home = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="hearth-world."))
        self.machines = []
        sniffing = ["--sniff"] if sniff else []
        try:
            check(libc.unshare(CLONE_NEWNET), "unshare")
            # A new namespace has what the host has just now.
            pathlib.Path("/proc/sys/net/ipv4/ip_forward").write_text("0\n", encoding="ascii")
            ip("link set lo up")
            self.outside = self._machine("outside", "--tcp", str(ANY_TCP), "--udp", str(ANY_UDP), "--dns",
                                         str(ANY_DNS), *sniffing)
            self.lan = self._machine("lan", "--tcp", str(ANY_TCP), "--udp", str(ANY_UDP), "--dns", str(ANY_DNS),
                                     *sniffing)
            self._connect(self.outside, HOST, OUTSIDE, HOST6, OUTSIDE6)
            self._connect(self.lan, LAN_HOST, LAN)
            ip(f"route add default via {OUTSIDE}", f"route add default via {OUTSIDE6}")
            self.lan.ip(f"route add default via {LAN_HOST}")
            self._own_every_address(self.outside)
            for machine in self.machines:
                self._answer_on_every_port(machine)
            self.services = self._machine("services", "--tcp", str(SERVICE_PORT), "--udp", f"{SERVICE_PORT},67",
                                          own_network=False)
            for machine in self.machines:
                machine.serve()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.close()

    def _machine(self, name, *options, **more):
        machine = Machine(name, self.directory, *options, **more)
        self.machines.append(machine)
        return machine

    @staticmethod
    def _connect(machine, here, there, here6=None, there6=None):
        """The host's end is named as the machine, its own is eth0."""
        ip(f"link add {machine.name} mtu 1400 type veth peer name eth0 mtu 1400 netns {machine.pid}",
           f"addr add {here}/24 broadcast + dev {machine.name}",
           *([f"addr add {here6}/64 dev {machine.name} nodad"] if here6 else []),
           f"link set {machine.name} up")
        machine.ip("link set lo up", f"addr add {there}/24 broadcast + dev eth0",
                   *([f"addr add {there6}/64 dev eth0 nodad"] if there6 else []), "link set eth0 up")

    @staticmethod
    def _own_every_address(machine):
        """After the links' own, so that answers find their way."""
        for family in "-4", "-6":
            machine.ip("rule add pref 40000 lookup 100", "route add local default dev lo table 100",
                       options=[family])

    @staticmethod
    def _answer_on_every_port(machine):
        machine.run("nft", f"""
            table inet world {{
                chain holes {{ type filter hook prerouting priority -300; ip daddr 8.8.5.0/24 drop; }}
                chain ports {{
                    type nat hook prerouting priority -100;
                    meta l4proto {{ tcp, udp }} th dport 53 redirect to :{ANY_DNS}
                    tcp dport != {ANY_TCP} redirect to :{ANY_TCP}
                    udp dport != {ANY_UDP} redirect to :{ANY_UDP}
                    icmp type echo-request redirect
                }}
            }}""")

    def token(self, what="x"):
        """A text that the sniffers know, of which there is one."""
        return f"hth-{what}-{next(self._numbers)}-"

    def catch_up(self, machine):
        """Wait until it has noted all that was sent before this."""
        fence = self.token("fence")
        address = {"outside": OUTSIDE, "lan": LAN, "services": "127.0.0.1"}[machine.name]
        port = SERVICE_PORT if machine is self.services else ANY_UDP

        def has_come():
            fencer.sendto(fence.encode(), (address, port))
            time.sleep(0.005)
            return fence in machine.text()

        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as fencer:
            wait_until(f"a packet to {machine.name}", has_come)

    def close(self):
        for machine in self.machines:
            machine.close()
        self.machines = []
        if self._home >= 0:
            check(libc.setns(self._home, CLONE_NEWNET), "setns")
            os.close(self._home)
            self._home = -1
            shutil.rmtree(self.directory)
