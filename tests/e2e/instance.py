"""An instance of Hearth from the installed tree in the build directory, in a directory of its own."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading

import rpc_client

PREFIX = os.path.join(os.environ.get("top_builddir", "."), "tests", "stage")
if "HEARTH_PREFIX" in os.environ:  # to run one test by hand
    PREFIX = os.environ["HEARTH_PREFIX"]
HEARTH = os.path.join(PREFIX, "bin", "hearth")
SECONDS = 60  # for anything that could hang


def hearth(*words, directory=None, stdin=b"", environment=None, **options):
    """Run one command to its end. Output is bytes; stdin bytes, or a file."""
    env = {**os.environ, **(environment or {})}
    env.pop("HEARTH_DIR", None)
    if environment and "HEARTH_DIR" in environment:
        env["HEARTH_DIR"] = environment["HEARTH_DIR"]
    if directory:
        env["HEARTH_DIR"] = directory
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stderr", subprocess.PIPE)
    options["input" if isinstance(stdin, bytes) else "stdin"] = stdin
    return subprocess.run([HEARTH, *words], env=env, timeout=SECONDS, check=False, **options)


def start(*words, directory, **options):
    """Start one command; the caller ends it."""
    options.setdefault("stderr", subprocess.DEVNULL)
    return subprocess.Popen([HEARTH, *words], env={**os.environ, "HEARTH_DIR": directory}, **options)


class Directory:
    """A temporary directory that goes away with everything that runs in it."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="hearth-e2e.")

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.close()

    def file(self, name):
        return os.path.join(self.path, name)

    def close(self):
        down = hearth("down", directory=self.path)
        shutil.rmtree(self.path)
        if down.returncode != 0:
            raise RuntimeError(f"hearth down: {down.stderr.decode()}")


class Instance(Directory):
    """A running instance."""

    def __init__(self, image="tiny", pool=2):
        super().__init__()
        up = hearth("up", "--image", image, "--pool", str(pool), directory=self.path)
        if up.returncode != 0:
            logs = "".join(open(self.file(name), errors="replace").read()[-2000:]
                           for name in ("supervisor.log", "agentd.log")
                           if os.path.exists(self.file(name)))
            self.close()
            raise RuntimeError(f"hearth up: {up.stderr.decode()}{logs}")

    @classmethod
    def of(cls, config):
        """One with this hearth.conf, ready; `hearth up` would write its own."""
        self = cls.__new__(cls)
        Directory.__init__(self)
        try:
            with open(self.file("hearth.conf"), "w", encoding="utf-8") as file:
                file.write(config)
            self.start_daemon("supervisor", "control.sock", socket.SOCK_SEQPACKET)
            self.start_daemon("agentd", "agentd.sock", socket.SOCK_STREAM)
            rpc_client.until(lambda: all(pool["ready"] >= pool["min"] for pool in self.pools()), "ready")
        except BaseException:
            self.close()
            raise
        return self

    def start_daemon(self, name, listener, kind):
        with open(self.file(name + ".log"), "ab") as log:
            daemon = subprocess.Popen([os.path.join(PREFIX, "sbin", "hearth-" + name), "--dir", self.path],
                                      stdin=subprocess.DEVNULL, stdout=log, stderr=log)

        def serves():
            if daemon.poll() is not None:
                with open(self.file(name + ".log"), errors="replace") as log:
                    raise RuntimeError(f"{name} ended: {log.read()}")
            with socket.socket(socket.AF_UNIX, kind) as link:
                return link.connect_ex(self.file(listener)) == 0

        rpc_client.until(serves, f"{name} listens")
        threading.Thread(target=daemon.wait, daemon=True).start()  # so that it is no zombie

    def hearth(self, *words, **options):
        return hearth(*words, directory=self.path, **options)

    def pools(self):
        return json.loads(self.hearth("pool", "ls", "--json").stdout)["pools"]

    def pool(self):
        """The one pool's row of `hearth pool ls`."""
        return self.pools()[0]

    def daemons(self):
        """Pids of supervisor and agentd, as the kernel tells them."""
        pids = []
        for name, kind in (("control.sock", socket.SOCK_SEQPACKET), ("agentd.sock", socket.SOCK_STREAM)):
            with socket.socket(socket.AF_UNIX, kind) as link:
                link.connect(self.file(name))
                credentials = link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
                pids.append(int.from_bytes(credentials[:4], "little"))
        return pids

    def agentd(self):
        """A client of agentd.sock; what it leases ends with it."""
        return rpc_client.Client(self.file("agentd.sock"))
