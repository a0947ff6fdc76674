"""nsjail-lite for system tests: run it, watch it, and know what it left."""

import contextlib
import functools
import os
import pathlib
import select
import shutil
import subprocess
import tempfile
import unittest

from instance import PATIENCE, RANGES

TINY = ("--image", "tiny", "--")
CGROUPS = pathlib.Path("/sys/fs/cgroup")


@functools.cache
def program():
    """HEARTH_BIN/nsjail-lite, else a tree of the build's own, as it stands when it is installed."""
    if "HEARTH_BIN" in os.environ:
        return os.path.join(os.environ["HEARTH_BIN"], "nsjail-lite")
    build = pathlib.Path(os.environ.get("top_builddir", "."), "nsjail-lite")
    tree = pathlib.Path(tempfile.mkdtemp(prefix="hearth-tree."))
    unittest.addModuleCleanup(shutil.rmtree, tree)
    (tree / "bin").mkdir()
    (tree / "libexec/hearth").mkdir(parents=True)
    shutil.copy(build / "nsjail-lite", tree / "bin")
    shutil.copy(build / "hearth-builder", tree / "libexec/hearth")
    tree.chmod(0o755)
    return str(tree / "bin/nsjail-lite")


def lite(*words, stdin=b"", **options):
    """Run it to its end. Output is bytes."""
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stderr", subprocess.PIPE)
    options.setdefault("timeout", PATIENCE)
    return subprocess.run([program(), *words], input=stdin, check=False, **options)


@contextlib.contextmanager
def temporary_directory():
    # a tmpfs: what is bound must be on a file system that can be idmapped, wherever tests run
    with tempfile.TemporaryDirectory(prefix="hearth-test.", dir="/dev/shm") as path:
        yield pathlib.Path(path)


def cgroups(pid):
    """The cgroups that the nsjail-lite with this pid has or had, over all hierarchies."""
    name = f"hearth-nsjail-{pid}-*"
    return [*CGROUPS.glob(f"*/{name}"), *CGROUPS.glob(name)]


def ranges(pid):
    """Its lines of taken uid ranges, as (first, count)."""
    lines = RANGES.read_text().splitlines() if RANGES.exists() else []
    fields = [line.split() for line in lines]
    return [(int(f[0]), int(f[1])) for f in fields if f[2].startswith(f"nsjail-{pid}-")]


class Running:
    """One that runs, with pipes; killed at the end of the block if it still does."""

    def __init__(self, *words, **options):
        self.process = subprocess.Popen([program(), *words], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)

    def __enter__(self):
        return self

    def __exit__(self, *why):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.communicate(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()

    def read_line(self):
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        if not ready:
            raise AssertionError(f"nothing in {PATIENCE} s")
        return self.process.stdout.readline()

    def echo(self):
        """Of `cat`: when this returns, the command runs."""
        self.process.stdin.write(b"ping\n")
        self.process.stdin.flush()
        line = self.read_line()
        if line != b"ping\n":
            raise AssertionError(f"{line} {self.process.stderr.read()}")

    def knob(self, v1, v2):
        """A limit of its sandbox, wherever its controller is."""
        for base in cgroups(self.process.pid):
            for name in (v1, v2):
                for path in base.glob(f"*/{name}"):
                    return path.read_text().strip()
        raise AssertionError(f"no {v1} or {v2} below {cgroups(self.process.pid)}")
