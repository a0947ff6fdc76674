"""agentd with real sandboxes of the image base: the tools an agent works with."""

import os
import unittest

import tap
from instance import Instance

MAKEFILE = "hello: hello.c\n\tcc -Wall -Werror -o $@ $<\ncheck: hello\n\ttest \"$$(./hello)\" = 42\n"
HELLO = "#include <stdio.h>\n\nint main(void)\n{\n\treturn printf(\"%d\\n\", 6 * 7) < 0;\n}\n"
PYTHON_TEST = """import unittest

class Test(unittest.TestCase):
    def test_it(self):
        self.assertEqual(6 * 7, 42)
"""
NODE_TEST = """import assert from 'node:assert';
import test from 'node:test';

test('it', () => assert.strictEqual(6 * 7, 42));
"""


@unittest.skipUnless(os.path.isdir("/var/lib/hearth/images/base"), "image base is not built")
class Base(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.instance = Instance(image="base", pool=1)
        cls.addClassCleanup(cls.instance.close)

    def setUp(self):
        self.client = self.instance.agentd()
        self.addCleanup(self.client.close)
        self.handle = self.client.acquire()

    def bash(self, command):
        answer = self.client.tool(self.handle, "bash", command=command)
        self.assertEqual(answer["receipt"]["exit_code"], 0, answer["content"])
        return answer["content"]

    def write(self, path, content):
        answer = self.client.tool(self.handle, "write", path=path, content=content)
        self.assertFalse(answer["is_error"], answer["content"])

    def test_bash_is_bash_in_the_workspace_as_root(self):
        """bash is bash, in /workspace, as the sandbox's root"""
        self.assertIn("/workspace\n0\n", self.bash("test -n \"$BASH_VERSION\" && pwd && id -u"))
        self.assertIn("/workspace\n", self.bash("pwd"))

    def test_a_c_project_is_built_changed_and_committed(self):
        """make, edit, make again, git commit"""
        self.write("hello.c", HELLO)
        self.write("Makefile", MAKEFILE)
        self.bash("make check")
        answer = self.client.tool(self.handle, "edit", path="hello.c", old_text="6 * 7",
                                  new_text="6 * 8")
        self.assertFalse(answer["is_error"])
        answer = self.client.tool(self.handle, "bash", command="make check")
        self.assertEqual(answer["receipt"]["exit_code"], 2)
        self.bash("git init -q && git add -A && git -c user.name=a -c user.email=a@b commit -qm x")
        self.assertIn("1", self.bash("git rev-list --count HEAD"))
        self.write(".gitignore", "hello\n")
        files = self.client.tool(self.handle, "glob", pattern="*")["content"]
        self.assertEqual(sorted(files.split()), ["Makefile", "hello.c"])

    def test_python_node_and_pnpm(self):
        """a Python test, a Node test and pnpm run"""
        self.write("python/test_it.py", PYTHON_TEST)
        self.assertIn("OK", self.bash("cd python && python3 -m unittest 2>&1"))
        self.write("node/it.test.mjs", NODE_TEST)
        self.assertIn("# pass 1", self.bash("cd node && node --test"))
        self.bash("pnpm --version")

    def test_many_tools_at_once(self):
        """300 calls in flight on one sandbox each get one answer"""
        self.write("a", "needle\n")
        calls = [("read", {"path": "a"}), ("grep", {"pattern": "needle"}), ("ls", {}),
                 ("bash", {"command": "cat a"}), ("glob", {"pattern": "a"})]
        requests = [self.client.send("tool.call", **self.handle, name=calls[i % 5][0],
                                     arguments=calls[i % 5][1]) for i in range(300)]
        for i, request in enumerate(requests):
            answer = self.client.wait(request)
            self.assertFalse(answer["is_error"], answer["content"])
            self.assertIn("needle" if i % 5 in (0, 1, 3) else "a", answer["content"])


tap.main()
