"""What a box is for: packages of Debian and npm, and a clone by git, inside a sandbox of the profile default.

On the host's own network, for the registries are outside. Where their addresses are private ones, as behind a mirror
or a proxy, they are excepted, as the README tells; so is the address of a server of git in a namespace of the test's.
"""

import pathlib
import re
import socket
import subprocess
import tempfile
import unittest

import rpc_client
import tap
from instance import Instance

BASE = pathlib.Path("/var/lib/hearth/images/base/root")
HERE, SERVER, STRANGER = "198.51.100.1", "198.51.100.2", "198.51.100.3"  # a /29, for documentation
LINK = "hthgit"
CONFIG = """
[egress]
except = {0}

[pool "base"]
image = base
min = 1
max = 4
net = default
"""
SERVE = f"""
import http.server, os, sys
class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.path != "/away":
            return super().do_GET()
        self.send_response(302)
        self.send_header("Location", "http://{STRANGER}/project.git/HEAD")
        self.end_headers()
os.chdir(sys.argv[1])
http.server.ThreadingHTTPServer(("", 80), Handler).serve_forever()
"""
TIMEOUT = ["timeout", "5"]  # of what must not succeed


def registries():
    """Hosts of the image's own sources, and of its npm."""
    lists = [BASE / "etc/apt/sources.list", *BASE.glob("etc/apt/sources.list.d/*")]
    text = "\n".join(path.read_text() for path in lists if path.exists())
    npm = re.search(r"^registry\s*=\s*(\S+)", (BASE / "usr/local/etc/npmrc").read_text(), re.M)
    text += "\n" + (npm[1] if npm else "https://registry.npmjs.org/")
    return set(re.findall(r"https?://([^/\s:]+)", text))


def addresses(hosts):
    return {found[4][0] for host in hosts
            for found in socket.getaddrinfo(host, 80, socket.AF_INET, socket.SOCK_STREAM)}


def run(*words, **options):
    return subprocess.run(words, check=True, capture_output=True, text=True, **options).stdout


class GitServer:
    """A repository, served by HTTP in a network namespace of its own, at two addresses."""

    def __init__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="hearth-git.")
        self._make_repository(pathlib.Path(self.directory.name))
        command = 'echo born; read -r line; exec python3 -c "$1" "$2"'
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "sh", "-c", command, "sh", SERVE,
             self.directory.name], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            self.process.stdout.readline()
            run("ip", "link", "add", LINK, "type", "veth", "peer", "name", "eth0", "netns", str(self.process.pid))
            run("ip", "addr", "add", f"{HERE}/29", "dev", LINK)
            run("ip", "link", "set", LINK, "up")
            own = ["link set lo up", "link set eth0 up", *(f"addr add {a}/29 dev eth0" for a in (SERVER, STRANGER))]
            run("nsenter", f"--net=/proc/{self.process.pid}/ns/net", "ip", "-batch", "-", input="\n".join(own))
            self.process.stdin.write("go\n")
            self.process.stdin.flush()
            rpc_client.until(self.answers, "the server of git")
        except BaseException:
            self.close()
            raise

    @staticmethod
    def _make_repository(directory):
        work, bare = directory / "work", directory / "project.git"
        who = ["-c", "user.name=hearth", "-c", "user.email=hearth@example.org"]
        run("git", "init", "-q", work)
        (work / "README").write_text("cloned\n")
        run("git", "-C", work, "add", "README")
        run("git", "-C", work, *who, "commit", "-q", "-m", "first")
        run("git", "clone", "-q", "--bare", work, bare)
        run("git", "-C", bare, "update-server-info")
        directory.chmod(0o755)

    @staticmethod
    def answers():
        with socket.socket() as link:
            link.settimeout(1)
            return link.connect_ex((SERVER, 80)) == 0

    def close(self):
        """The link goes with the namespace."""
        self.process.kill()
        self.process.communicate()
        self.directory.cleanup()


def of_the_host():
    """What an instance with a network changes of its host."""
    forwarding = pathlib.Path("/proc/sys/net/ipv4/ip_forward").read_text()
    return run("nft", "list", "tables"), run("ip", "-o", "-4", "addr", "show", "dev", "lo"), forwarding


class Registries(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.before = of_the_host()
        cls.server = GitServer()
        cls.addClassCleanup(cls.server.close)
        excepted = sorted(f"{address}/32" for address in addresses(registries()) | {SERVER})
        cls.instance = Instance.of(CONFIG.format(" ".join(excepted)))
        cls.addClassCleanup(cls.instance.close)

    def inside(self, command):
        result = self.instance.hearth("run", "--", "sh", "-ec", command)
        self.assertEqual(result.returncode, 0, (result.stdout[-2000:] + result.stderr[-2000:]).decode(errors="replace"))
        return result.stdout.decode()

    def test_debian(self):
        """apt-get update and install bring a package of Debian that runs"""
        self.assertIn("Hello, world!", self.inside(
            "apt-get -q update && apt-get -qy install --no-install-recommends hello && hello"))

    def test_npm(self):
        """npm install brings a package that node uses"""
        self.assertIn("is 5 a number: true", self.inside(
            "mkdir /tmp/n && cd /tmp/n && npm install is-number && "
            "node -e 'console.log(\"is 5 a number:\", require(\"is-number\")(5))'"))

    def test_pnpm(self):
        """pnpm add brings a package that node uses"""
        self.assertIn("is x a number: false", self.inside(
            "mkdir /tmp/p && cd /tmp/p && pnpm add is-number && "
            "node -e 'console.log(\"is x a number:\", require(\"is-number\")(\"x\"))'"))

    def test_git(self):
        """git clone brings a repository from an excepted address, and from no other private one"""
        clone = f"cd /tmp && git clone -q http://{SERVER}/project.git && cat project/README"
        self.assertEqual(self.inside(clone), "cloned\n")
        refused = self.instance.hearth("run", "--", *TIMEOUT, "git", "ls-remote", f"http://{STRANGER}/project.git")
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("HEAD", run("git", "ls-remote", f"http://{STRANGER}/project.git"))

    def test_http_fetch(self):
        """the tool http_fetch reaches what the profile reaches, and nothing else, by a redirect neither"""
        client = rpc_client.Client(self.instance.file("agentd.sock"))
        self.addCleanup(client.close)
        sandbox = client.acquire()["id"]

        def fetch(url):
            result = client.call("tool.call", id=sandbox, name="http_fetch", arguments={"url": url, "timeout": 3000})
            return result["is_error"], result["content"]
        is_error, text = fetch(f"http://{SERVER}/project.git/HEAD")
        self.assertEqual((is_error, "ref: refs/heads/" in text), (False, True), text)
        for url in (f"http://{STRANGER}/project.git/HEAD", f"http://{SERVER}/away", f"http://{HERE}:22/",
                    "http://169.254.169.254/latest/meta-data/"):
            is_error, text = fetch(url)
            self.assertEqual((is_error, "refs/heads" in text), (True, False), text)
            self.assertTrue(text.startswith("Error: "), text)

    def test_z_the_host_is_as_before(self):
        """after the end of the instance the host's tables, addresses and forwarding are as before"""
        self.assertNotEqual(of_the_host(), self.before, "nothing was changed, so nothing is proven")
        self.assertEqual(self.instance.hearth("down").returncode, 0)
        self.assertEqual(of_the_host(), self.before)


if __name__ == "__main__":
    tap.main()
