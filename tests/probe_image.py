"""The image tiny with test programs in it, in a store of its own, and instances that use it."""

import os
import pathlib
import shutil
import subprocess
import tempfile

from system import instance

RECIPE = """#!/bin/sh
set -eu
"$(dirname "$0")/tiny.sh" "$@"
cd "{programs}"
for program in {names}; do
	cp "$program" "$1/bin/"
	chmod 0755 "$1/bin/${{program##*/}}"
done
"""


class World:
    """The installed programs in a tree of their own, and a store with the image `probe`."""

    def __init__(self, *programs):
        """programs: paths below the build directory; each is found in /bin inside."""
        self.programs = build = pathlib.Path(os.environ.get("top_builddir", ".")).resolve()
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="hearth-probe."))
        self.path.chmod(0o755)
        self.tree = self.path / "tree"
        self.store = self.path / "store"
        self.instances = []
        shutil.copytree(build / "tests/stage", self.tree)
        recipe = self.tree / "share/hearth/recipes/probe.sh"
        recipe.write_text(RECIPE.format(programs=build, names=" ".join(programs)))
        recipe.chmod(0o755)
        self.hearth("image", "build", "--store", self.store, "probe")

    def hearth(self, *words, check=True):
        run = subprocess.run([self.tree / "bin/hearth", *words], timeout=instance.PATIENCE,
                             stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if check and run.returncode != 0:
            raise AssertionError(f"hearth {words}: {run.stderr}")
        return run

    def start(self, config, builders=1):
        """An instance that serves. config: the sections of its pools."""
        head = f"[instance]\nstore = {self.store}\nbuilders = {builders}\n"
        made = instance.Instance(self.tree, head + config)
        self.instances.append(made)
        made.start()
        made.wait_until_it_serves()
        return made

    def close(self):
        for made in self.instances:
            made.remove()
        shutil.rmtree(self.path)
