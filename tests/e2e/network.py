"""Networks of sandboxes as a user has them, before a fake Internet (tests/network_world.py)."""

import json
import os
import signal
import subprocess
import unittest

import rpc_client
import tap
from instance import Directory, Instance, hearth, start
from network_world import HOST, LAN, LAN_HOST, METADATA, PUBLIC, RESOLVER, SERVICE_PORT, World

EXCEPTED, PRIVATE, ALLOWED = "192.168.77.5", "172.16.3.4", "8.8.6.1"
NAME, ALLOWED_NAME, LIAR = "a-8-8-4-20.example.org", "a-8-8-4-1.example.org", "a-10-9-0-2.example.org"
SERVICES = [f"{address}:{SERVICE_PORT}" for address in (HOST, LAN_HOST)]
INTERNET = {PUBLIC, NAME, ALLOWED, ALLOWED_NAME}
REACHED = {"none": set(), "default": INTERNET | {EXCEPTED}, "allow": {ALLOWED, ALLOWED_NAME},
           "open": INTERNET | {EXCEPTED, PRIVATE, LAN, LIAR, METADATA}}
CONFIG = f"""[network]
connections = 300
connections_per_second = 100
names_per_second = 40
bandwidth = 8M

[egress]
except = 192.168.77.0/24
allow = {ALLOWED_NAME}
allow = 8.8.6.0/24
resolvers = {RESOLVER}

[pool "tiny"]
min = 3
max = 12
net = default
"""
# Each of its arguments that answers, all at a time.
TRY = 'exec 2>/dev/null; for t; do (timeout 5 wget -q -O - "http://$t/" | grep -q ^reached && echo $t) & done; wait'
# Each line of its input: does it answer?
ASK = 'exec 2>/dev/null; while read t; do timeout 5 wget -q -O - "http://$t/" | grep ^reached || echo no; done'
ADDRESS = "awk '/host LOCAL/ && l !~ /^127/ { print l; exit } { l = $2 }' /proc/net/fib_trie"


def lines(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def left():
    """What the host has of any instance's networks."""
    found = [line.split()[1] for line in lines("ip", "-o", "link") if line.split()[1].startswith("hth")]
    found += [line for line in lines("nft", "list", "tables") if " hearth-" in line]
    found += [line for line in lines("ip", "-o", "-4", "address", "show", "lo") if " 127." not in line]
    with open("/proc/sys/net/ipv4/ip_forward", encoding="ascii") as file:
        found += ["forwarding"] if file.read() != "0\n" else []
    return found


class Networks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = World(sniff=False)
        cls.addClassCleanup(cls.world.close)
        cls.instance = Instance.of(CONFIG)
        cls.addClassCleanup(cls.instance.close)

    def hearth(self, *words, **options):
        return self.instance.hearth(*words, **options)

    def reached(self, targets, *options):
        result = self.hearth("run", *options, "--", "sh", "-c", TRY, "sh", *targets)
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        return set(result.stdout.decode().split())

    def ask(self, *options):
        """A sandbox that tries what it is told: (its id, ask(target))."""
        process = start("run", "-i", *options, "--", "sh", "-c", ASK, directory=self.instance.path,
                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)

        def end():
            process.stdin.close()
            process.wait(30)
            process.stdout.close()

        self.addCleanup(end)

        def ask(target):
            process.stdin.write(f"{target}\n".encode())
            return process.stdout.readline().decode().rstrip()

        rpc_client.until(lambda: self.lease_of(process.pid), "its lease")
        return str(self.lease_of(process.pid)), ask

    def lease_of(self, pid):
        rows = json.loads(self.hearth("sandbox", "ls", "--json").stdout)["sandboxes"]
        found = [row["id"] for row in rows if row["state"] == "leased" and row["owner_pid"] == pid]
        return found[0] if found else None

    def inspect(self, sandbox):
        result = self.hearth("sandbox", "inspect", sandbox, "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout)

    def test_each_profile_reaches_what_it_says(self):
        """by name and by address: each profile reaches what it says, and never the host"""
        for profile, expected in REACHED.items():
            with self.subTest(profile):
                self.assertEqual(self.reached([*REACHED["open"], *SERVICES], "--net", profile), expected)
        self.assertEqual(self.reached([PUBLIC, LAN]), {PUBLIC}, "the pool's own")

    def test_the_forwarder_is_all_of_the_host(self):
        """the address that answers names serves nothing else, and no other resolver is reached"""
        inside = self.hearth("run", "--", "cat", "/etc/resolv.conf").stdout.decode().split()
        self.assertEqual(inside[0], "nameserver")
        self.assertEqual(self.reached([f"{inside[1]}:{SERVICE_PORT}", PUBLIC], "--net", "open"), {PUBLIC})
        for profile, status in ("open", 0), ("default", 1):
            result = self.hearth("run", "--net", profile, "--", "sh", "-c",
                                 f"timeout 5 nslookup {NAME} {RESOLVER} >/dev/null 2>&1 || exit 1")
            self.assertEqual(result.returncode, status, profile)

    def test_other_sandboxes_do_not_answer(self):
        """a server in one sandbox is not reached from another, though both may reach all else"""
        serve = """cat > /serve <<'.'
#!/bin/sh
while read -r line && [ ${#line} -gt 1 ]; do :; done
printf 'HTTP/1.0 200 OK\\r\\n\\r\\nreached\\n'
.
chmod +x /serve; nc -ll -p 80 -e /serve &"""
        look = f"until timeout 5 wget -q -O - http://$({ADDRESS})/ 2>/dev/null; do sleep 0.1; done"
        server = start("run", "--net", "open", "--", "sh", "-c", f"{ADDRESS}; {serve}\n{look}; wait",
                       directory=self.instance.path, stdout=subprocess.PIPE)
        with server:
            self.addCleanup(server.kill)
            address = server.stdout.readline().decode().strip()
            self.assertRegex(address, r"^10\.213\.")
            self.assertEqual(server.stdout.readline(), b"reached\n")
            self.assertEqual(self.reached([address, PUBLIC], "--net", "open"), {PUBLIC})
            self.assertNotEqual(self.hearth("run", "--", "sh", "-c", ADDRESS).stdout.decode().strip(), address)
            server.terminate()

    def test_a_profile_changes_while_a_command_runs(self):
        """sandbox net holds at once, in both directions, and inspect tells it"""
        sandbox, ask = self.ask("--net", "none")
        for profile in ("none", "open", "default", "allow", "none", "default"):
            result = self.hearth("sandbox", "net", sandbox, profile)
            self.assertEqual((result.returncode, result.stdout.decode()), (0, f"{sandbox}: {profile}\n"), result.stderr)
            self.assertEqual(self.inspect(sandbox)["net"], profile)
            for target in (PUBLIC, ALLOWED, LAN):
                answer = f"reached {'lan' if target == LAN else 'outside'} {target}:80"
                self.assertEqual(ask(target), answer if target in REACHED[profile] else "no", (profile, target))

    def test_an_open_connection_is_cut(self):
        """a connection that the new profile does not allow is cut"""
        command = f"(while echo x; do sleep 0.1; done) | nc {PUBLIC} 7"
        process = start("run", "--", "sh", "-c", command, directory=self.instance.path, stdout=subprocess.PIPE, bufsize=0)
        with process:
            self.addCleanup(process.kill)
            self.assertEqual(process.stdout.readline(), b"x\n")
            sandbox = str(self.lease_of(process.pid))
            self.assertGreaterEqual(self.inspect(sandbox)["connections"], 1)
            self.assertEqual(self.hearth("sandbox", "net", sandbox, "none").returncode, 0)
            before = self.inspect(sandbox)["denied_packets"]
            rpc_client.until(lambda: self.inspect(sandbox)["denied_packets"] > before, "what it sends is denied")
            self.assertEqual(self.inspect(sandbox)["connections"], 0)
            process.terminate()

    def test_inspect_shows_caps_use_and_denials(self):
        """sandbox inspect has the caps of the configuration, what was sent, and what was denied"""
        sandbox, ask = self.ask("--net", "allow")
        fresh = self.inspect(sandbox)
        self.assertEqual([fresh[cap] for cap in ("connections_max", "new_per_second_max", "names_per_second_max",
                                                 "bytes_per_second_max")], [300, 100, 40, 8 << 20])
        self.assertEqual([fresh[count] for count in ("denied_packets", "denied_names", "received_bytes")], [0, 0, 0])
        self.assertTrue(ask(ALLOWED).startswith("reached"))
        used = self.inspect(sandbox)
        self.assertGreater(used["sent_bytes"], 100)
        self.assertGreater(used["received_bytes"], 100)
        self.assertEqual((used["denied_packets"], used["denied_names"]), (0, 0))
        self.assertEqual((ask(LAN), ask(NAME)), ("no", "no"))
        self.assertGreater(self.inspect(sandbox)["denied_packets"], 0)
        rpc_client.until(lambda: self.inspect(sandbox)["denied_names"] > 0, "a denied name is counted")

    def test_the_next_in_a_slot_begins_anew(self):
        """what one sandbox did and was allowed is not its successor's"""
        self.reached([ALLOWED_NAME, LAN, NAME], "--net", "allow")
        for _ in range(12):  # more than there are slots
            result = self.hearth("run", "--net", "allow", "--json", "--", "sh", "-c", "cat /proc/net/tcp | wc -l")
            self.assertEqual(result.stdout, b"1\n")
        sandbox, ask = self.ask("--net", "allow")
        self.assertEqual(self.inspect(sandbox)["denied_packets"], 0)
        self.assertEqual(ask("8.8.4.1"), "no")

    def test_the_lease_says_its_profile(self):
        """the receipt and agentd's answer name the profile, and a bound one is a rung of its own"""
        for options, net, rung in ([], "default", "ready"), (["--net", "none"], "none", "bound"):
            rpc_client.until(lambda: self.instance.pool()["ready"] > 0, "a sandbox is ready")
            said = json.loads(self.hearth("run", "--json", *options, "--", "true").stderr)
            self.assertEqual((said["net"], said["rung"]), (net, rung))
        client = self.instance.agentd()
        self.addCleanup(client.close)
        rpc_client.until(lambda: self.instance.pool()["ready"] > 0, "a sandbox is ready")
        lease = client.call("sandbox.acquire", net="allow")
        self.assertEqual((lease["net"], lease["rung"]), ("allow", "bound"))
        handle = {"id": lease["id"], "epoch": lease["epoch"]}
        self.assertEqual(client.execute(handle, "sh", "-c", TRY, "sh", PUBLIC, ALLOWED)[1].decode().split(), [ALLOWED])

    def test_wrong_words(self):
        """an unknown profile is a usage error that names them, an unknown sandbox is not found"""
        sandbox, _ = self.ask()
        ready = [row["id"] for row in json.loads(self.hearth("sandbox", "ls", "--json").stdout)["sandboxes"]
                 if row["state"] == "ready"]
        for words, status, text in (
                (["sandbox", "net", sandbox, "internet"], 2, "the profiles are: none, default, allow, open"),
                (["sandbox", "net", "999999", "open"], 3, "there is no sandbox 999999"),
                (["sandbox", "net", str(ready[0]), "open"], 3, "nobody leases it"),
                (["sandbox", "inspect", "999999"], 3, "there is no sandbox 999999"),
                (["sandbox", "inspect", "x"], 2, "a sandbox's number is wanted"),
                (["run", "--net", "internet", "true"], 125, "the profiles are")):
            with self.subTest(words):
                result = self.hearth(*words)
                self.assertEqual((result.returncode, result.stdout), (status, b""))
                self.assertIn(text.encode(), result.stderr)

    def test_who_may(self):
        """another user may neither change nor inspect root's lease, but his own, and not to open: 4"""
        os.chmod(self.instance.path, 0o755)
        as_user = {"user": "hearth", "group": "hearth", "extra_groups": []}
        sandbox, ask = self.ask()
        for words in (["net", sandbox, "open"], ["inspect", sandbox]):
            denied = self.hearth("sandbox", *words, **as_user)
            self.assertEqual((denied.returncode, denied.stdout), (4, b""))
            self.assertIn(f"sandbox {sandbox} is leased to uid 0".encode(), denied.stderr)
        self.assertEqual(ask(LAN), "no")
        process = start("run", "--", "sh", "-c", "echo on; exec sleep 1000", directory=self.instance.path,
                        stdout=subprocess.PIPE, **as_user)
        with process:
            self.addCleanup(process.kill)
            self.assertEqual(process.stdout.readline(), b"on\n")
            mine = str(self.lease_of(process.pid))
            denied = self.hearth("sandbox", "net", mine, "open", **as_user)
            self.assertEqual((denied.returncode, denied.stdout), (4, b""))
            self.assertIn(b"network profile open is for root, or for pools that have it", denied.stderr)
            self.assertEqual(self.hearth("sandbox", "net", mine, "allow", **as_user).returncode, 0)
            self.assertEqual(self.inspect(mine)["net"], "allow")
            self.assertEqual(self.hearth("sandbox", "inspect", mine, **as_user).returncode, 0)
            process.terminate()


class WithoutNetworks(unittest.TestCase):
    def test_an_instance_without_networks(self):
        """without a network nothing of it is made, and who asks for one is told what to do"""
        with World(sniff=False), Directory() as directory:
            up = hearth("up", "--image", "tiny", "--pool", "2", directory=directory.path)
            self.assertEqual(up.returncode, 0, up.stderr)
            self.assertEqual(left(), [])
            run = hearth("run", "--net", "open", "--", "true", directory=directory.path)
            self.assertEqual(run.returncode, 125)
            self.assertIn(b"[network] enabled = yes", run.stderr)
            self.assertEqual(hearth("run", "--net", "none", "--", "true", directory=directory.path).returncode, 0)
            client = rpc_client.Client(directory.file("agentd.sock"))
            self.addCleanup(client.close)
            sandbox = str(client.acquire()["id"])
            net = hearth("sandbox", "net", sandbox, "default", directory=directory.path)
            self.assertEqual((net.returncode, net.stdout), (7, b""))
            said = json.loads(hearth("sandbox", "inspect", sandbox, "--json", directory=directory.path).stdout)
            self.assertEqual((said["net"], said["connections_max"], said["sent_bytes"]), ("none", 0, 0))
            with self.assertRaises(rpc_client.RpcError) as caught:
                client.call("sandbox.acquire", net="default")
            self.assertEqual(caught.exception.type, "unsupported")


class UpAndDown(unittest.TestCase):
    def setUp(self):
        self.world = World(sniff=False)
        self.addCleanup(self.world.close)
        self.directory = Directory()
        self.addCleanup(self.directory.close)

    def hearth(self, *words):
        return hearth(*words, directory=self.directory.path)

    def reached(self, *targets):
        return set(self.hearth("run", "--", "sh", "-c", TRY, "sh", *targets).stdout.decode().split())

    def up(self, *words):
        result = self.hearth("up", "--image", "tiny", "--pool", "2", *words)
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_nothing_is_left_behind(self):
        """after down the host has no link, table, address or forwarding of ours"""
        self.up("--net", "default", "--except", "192.168.77.0/24")
        self.assertIn("forwarding", left())
        self.assertEqual(self.reached(PUBLIC, NAME, EXCEPTED, PRIVATE), {PUBLIC, NAME, EXCEPTED})
        self.assertEqual(self.hearth("down").returncode, 0)
        self.assertEqual(left(), [])

    def test_the_gateway_is_taken(self):
        """an address of the gateway that lo has already ends up with that, and nothing is left"""
        self.up("--net", "default")
        address, = [line.split()[3] for line in lines("ip", "-o", "-4", "address", "show", "lo") if " 127." not in line]
        self.assertEqual(self.hearth("down").returncode, 0)
        lines("ip", "address", "add", address, "dev", "lo")
        up = self.hearth("up", "--image", "tiny", "--pool", "2", "--net", "default")
        lines("ip", "address", "del", address, "dev", "lo")
        self.assertNotEqual(up.returncode, 0)
        self.assertIn(f"the gateway's address {address.split('/')[0]} is on lo already".encode(), up.stderr)
        self.assertEqual(left(), [])

    def test_up_with_a_list(self):
        """up --net allow reaches what --allow names"""
        self.up("--net", "allow", "--allow", f"{ALLOWED_NAME},8.8.6.0/24")
        self.assertEqual(self.reached(PUBLIC, NAME, ALLOWED, ALLOWED_NAME), {ALLOWED, ALLOWED_NAME})
        self.assertEqual(self.hearth("down").returncode, 0)
        self.assertEqual(left(), [])

    def test_nothing_is_left_after_a_kill(self):
        """after kill -9 of all daemons down removes what they left of networks"""
        self.up("--net", "open")
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if self.directory.path.encode() in words and b"hearth-" in words[0]:
                found.append(int(pid))
        self.assertEqual(len(found), 2)
        for pid in [child for pid in found for child in self.children(pid)] + found:
            os.kill(pid, signal.SIGKILL)
        self.assertEqual(self.hearth("down").returncode, 0)
        self.assertEqual(left(), [])

    @staticmethod
    def children(pid):
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(child) for child in file.read().split()]

    def test_a_range_that_is_taken(self):
        """an instance does not start where the host uses the addresses itself, and says which"""
        subprocess.run(["ip", "address", "add", "10.213.7.1/24", "dev", "lan"], check=True)
        result = self.hearth("up", "--image", "tiny", "--pool", "2", "--net", "default")
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"10.213.7.0/24", result.stderr)
        self.assertEqual(left(), [])


if __name__ == "__main__":
    tap.main()
