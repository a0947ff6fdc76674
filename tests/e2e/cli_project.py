"""hearth init and agent validate: the folder of a project."""

import grp
import json
import os
import shutil
import stat
import subprocess
import tempfile
import unittest

import tap
from instance import HEARTH, hearth


def tree(path):
    """Every file and folder below path with its text, or None for a folder."""
    found = {}
    for folder, folders, files in os.walk(path):
        for name in folders:
            found[os.path.relpath(os.path.join(folder, name), path) + "/"] = None
        for name in files:
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                found[os.path.relpath(os.path.join(folder, name), path)] = file.read()
    return found


class Init(unittest.TestCase):
    def setUp(self):
        self.path = tempfile.mkdtemp(prefix="hearth-e2e.")
        self.addCleanup(shutil.rmtree, self.path)
        self.project = os.path.join(self.path, "my \"agent\"")

    def file(self, *names):
        return os.path.join(self.project, ".hearth", *names)

    def test_a_new_project(self):
        """init makes settings, one agent with its skill, and a memory, and says what is next"""
        result = hearth("init", self.project)
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        found = tree(self.project)
        self.assertEqual(set(found), {
            ".hearth/", ".hearth/polpo.json", ".hearth/agents.json", ".hearth/skills/", ".hearth/skills/code-standards/",
            ".hearth/skills/code-standards/SKILL.md", ".hearth/memory.md", ".hearth/memory/", ".hearth/.gitignore"})
        self.assertEqual(json.loads(found[".hearth/polpo.json"]), {"project": "my \"agent\""})
        agent, = json.loads(found[".hearth/agents.json"])
        self.assertEqual((agent["name"], agent["model"], agent["skills"]),
                         ("coder", "xai/grok-4-fast", ["code-standards"]))
        self.assertIn("memory_*", agent["allowedTools"])
        self.assertTrue(found[".hearth/skills/code-standards/SKILL.md"].startswith("---\nname: code-standards\n"))
        self.assertEqual(found[".hearth/.gitignore"], "state/\n")
        self.assertIn(b"hearth start", result.stdout)

    def test_what_is_there_is_kept(self):
        """init never overwrites: what is there is kept and said, what is missing is made"""
        hearth("init", self.project)
        with open(self.file("agents.json"), "w", encoding="utf-8") as file:
            file.write("mine")
        os.remove(self.file("memory.md"))
        result = hearth("init", "--json", self.project)
        said = json.loads(result.stdout)
        self.assertEqual((result.returncode, said["made"]), (0, [".hearth/memory.md"]))
        self.assertIn(".hearth/agents.json", said["kept"])
        self.assertEqual(tree(self.project)[".hearth/agents.json"], "mine")
        self.assertEqual(hearth("init", "-q", self.project).stdout, b"")

    def test_the_current_directory(self):
        """without a name init takes the current directory"""
        os.mkdir(self.project)
        self.assertEqual(hearth("init", cwd=self.project).returncode, 0)
        self.assertEqual(json.loads(tree(self.project)[".hearth/polpo.json"])["project"], "my \"agent\"")

    def test_an_old_folder_is_used_as_it_is(self):
        """a project that has .polpo keeps it, and gets no second folder"""
        os.makedirs(os.path.join(self.project, ".polpo"))
        result = hearth("init", self.project)
        self.assertEqual((result.returncode, set(tree(self.project))), (0, {".polpo/"}))
        self.assertIn(b"kept .polpo/\n", result.stdout)

    def test_no_link_is_followed(self):
        """links in the place of folders and files lead init nowhere"""
        outside = os.path.join(self.path, "outside")
        os.makedirs(self.file("memory"))
        os.mkdir(outside)
        os.symlink(outside, self.file("skills"))
        os.symlink(os.path.join(outside, "file"), self.file("memory.md"))
        result = hearth("init", self.project)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(os.listdir(outside), [])
        os.remove(self.file("skills"))
        self.assertEqual(hearth("init", self.project).returncode, 0)
        self.assertEqual(os.listdir(outside), [])

    def test_what_agentd_writes_is_its_group_s(self):
        """made by root, the files are the folder's owner's and of group hearth, which may write; nothing else changes"""
        os.mkdir(self.project)
        os.chown(self.project, 12345, 12345)
        secret = os.path.join(self.path, "secret")
        with open(secret, "w", encoding="utf-8") as file:
            file.write("secret")
        os.chmod(secret, 0o600)
        os.chown(secret, 12345, 12345)
        self.assertEqual(hearth("init", self.project).returncode, 0)
        os.link(secret, self.file("memory", "hard.md"))
        os.symlink(secret, self.file("memory", "soft.md"))
        os.mkdir(self.file("state"), 0o700)
        with open(self.file("memory", "roots.md"), "w", encoding="utf-8") as file:
            file.write("root's")
        os.chmod(self.file("memory", "roots.md"), 0o600)
        self.assertEqual(hearth("init", self.project).returncode, 0)
        gid = grp.getgrnam("hearth").gr_gid
        for name, mode in (("", 0o2775), ("skills", 0o2775), ("memory", 0o2775), ("memory.md", 0o664),
                           ("skills/code-standards/SKILL.md", 0o664), ("agents.json", 0o664)):
            st = os.stat(self.file(name))
            self.assertEqual((st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)), (12345, gid, mode), name)
        for path in (secret, self.file("memory", "roots.md")):
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600, path)
        self.assertEqual(os.stat(secret).st_gid, 12345)
        self.assertEqual(stat.S_IMODE(os.stat(self.file("state")).st_mode) & 0o777, 0o700)

    def test_others_than_root_keep_their_modes(self):
        """made by somebody else than root, the files have his group and usual modes"""
        program = shutil.copy(HEARTH, self.path)
        os.chmod(self.path, 0o777)
        result = subprocess.run(["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups", program, "init",
                                 self.project], capture_output=True, check=False, umask=0o022)
        self.assertEqual(result.returncode, 0, result.stderr)
        st = os.stat(self.file("memory.md"))
        self.assertEqual((st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)), (12345, 12345, 0o644))


class Validate(unittest.TestCase):
    def test_agentd_checks(self):
        """agent validate becomes hearth-agentd --check, with its output and status"""
        with tempfile.TemporaryDirectory(prefix="hearth-e2e.") as prefix:
            os.mkdir(os.path.join(prefix, "bin"))
            os.mkdir(os.path.join(prefix, "sbin"))
            program = shutil.copy(HEARTH, os.path.join(prefix, "bin"))
            fake = os.path.join(prefix, "sbin", "hearth-agentd")
            with open(fake, "w", encoding="utf-8") as file:
                file.write("#!/bin/sh\necho \"$@\"\nexit 1\n")
            os.chmod(fake, 0o755)
            for words, said in (([], b"--check .\n"), (["/some/where"], b"--check /some/where\n"),
                                (["--json", "x"], b"--check x --json\n")):
                result = subprocess.run([program, "agent", "validate", *words], capture_output=True, check=False)
                self.assertEqual((result.returncode, result.stdout), (1, said))


if __name__ == "__main__":
    tap.main()
