"""agentd: the tools that a model calls, with a real guest."""

import os
import re
import time

import tap
from agentd_world import World
from rpc_client import RpcError


class Tools(World):
    def setUp(self):
        super().setUp()
        self.client = self.connect()
        self.handle = self.client.acquire()

    def tool(self, name, **arguments):
        return self.client.tool(self.handle, name, **arguments)

    def text(self, name, **arguments):
        answer = self.tool(name, **arguments)
        self.assertFalse(answer["is_error"], answer["content"])
        return answer["content"]

    def error(self, name, **arguments):
        answer = self.tool(name, **arguments)
        self.assertTrue(answer["is_error"], answer["content"])
        self.assertTrue(answer["content"].startswith("Error: "), answer["content"])
        return answer["content"]

    def refused(self, name, **arguments):
        with self.assertRaises(RpcError) as caught:
            self.tool(name, **arguments)
        return caught.exception

    def read_file(self, name):
        with open(os.path.join(self.root, name), "rb") as file:
            return file.read()

    # What there is

    def test_tools_are_listed_with_their_schemas(self):
        """tool.list gives a model names, descriptions and schemas"""
        tools = {tool["name"]: tool for tool in self.client.call("tool.list")["tools"]}
        self.assertEqual(sorted(tools), ["bash", "edit", "glob", "grep", "http_fetch", "ls", "read",
                                         "write"])
        for tool in tools.values():
            self.assertGreater(len(tool["description"]), 20)
            self.assertEqual(tool["parameters"]["type"], "object")

    def test_arguments_are_checked_before_the_sandbox_is_asked(self):
        """arguments that do not fit the schema come back with what is wrong"""
        self.assertEqual(self.refused("nothing").type, "unknown_tool")
        for name, arguments, reason in (
                ("read", {}, "path is required"),
                ("read", {"path": 1}, "arguments.path: must be of type string, is integer"),
                ("read", {"path": "x", "offset": 0}, "at least 1"),
                ("read", {"path": "x", "ofset": 1}, "unknown member ofset"),
                ("bash", {"command": ""}, "at least 1"),
                ("bash", {"command": "x", "timeout": 86400001}, "at most 86400000"),
                ("grep", {"pattern": "x", "output_mode": "all"}, "must be one of content"),
                ("edit", {"path": "x", "old_text": "", "new_text": "y"}, "at least 1")):
            error = self.refused(name, **arguments)
            self.assertEqual(error.type, "invalid_arguments", arguments)
            self.assertIn(reason, error.message)

    def test_every_call_leaves_a_receipt(self):
        """a result has its receipt: time, memory, exit"""
        receipt = self.tool("bash", command="exit 5")["receipt"]
        self.assertEqual(receipt["exit_code"], 5)
        for name in ("wall_ms", "user_ms", "system_ms", "max_rss_bytes"):
            self.assertGreaterEqual(receipt[name], 0)

    # read

    def test_read_numbers_lines(self):
        """read answers each line with its number, also without a newline at the end"""
        self.write_file("a", b"one\n\nthree")
        self.assertEqual(self.text("read", path=self.root + "/a"), "1\tone\n2\t\n3\tthree\n")

    def test_read_goes_on_where_it_stopped(self):
        """read shows 500 lines, says how many remain, and goes on from there"""
        self.write_file("a", b"".join(b"line %d\n" % i for i in range(1, 1203)))
        text = self.text("read", path="a")
        self.assertTrue(text.startswith("1\tline 1\n"))
        self.assertTrue(text.endswith("500\tline 500\n(702 more lines; continue with offset 501)\n"))
        text = self.text("read", path="a", offset=501, limit=2)
        self.assertEqual(
            text, "501\tline 501\n502\tline 502\n(700 more lines; continue with offset 503)\n")
        self.assertEqual(self.text("read", path="a", offset=1202), "1202\tline 1202\n")
        self.assertIn("a has 1202 lines", self.error("read", path="a", offset=1203))

    def test_read_stops_at_256_kib(self):
        """read shows whole lines up to 256 KiB, and a single longer line in part"""
        self.write_file("a", b"".join(b"%0999d\n" % i for i in range(1, 401)))
        text = self.text("read", path="a")
        self.assertTrue(text.endswith("(139 more lines; continue with offset 262)\n"))
        self.write_file("b", b"x" * 300000 + b"\nnext\n")
        text = self.text("read", path="b")
        self.assertIn("\n(line 1 is cut after 262141 bytes", text)
        self.assertTrue(text.endswith("(1 more lines; continue with offset 2)\n"))
        self.write_file("c", "ä".encode() * 200000)
        self.assertIn("ä\n(line 1 is cut after 262140 bytes", self.text("read", path="c"))

    def test_read_stops_at_256_kib_with_the_numbers(self):
        """of many short lines read shows what fits with the numbers, and each of them comes once"""
        self.write_file("a", b"x\n" * 100000)
        offset = 1
        while offset:
            text = self.text("read", path="a", offset=offset, limit=100000)
            lines, rest = re.fullmatch(r"((?:\d+\tx\n)+)(\(.*\)\n)?", text).groups()
            self.assertLessEqual(len(lines), 256 << 10)
            shown = lines.count("\n")
            self.assertTrue(lines.startswith(f"{offset}\tx\n"))
            self.assertTrue(lines.endswith(f"\n{offset + shown - 1}\tx\n"))
            offset += shown
            if not rest:
                break
            self.assertEqual(rest, f"({100001 - offset} more lines; continue with offset {offset})\n")
        self.assertEqual(offset, 100001)

    def test_read_names_what_is_no_text(self):
        """images and binary files are named with their size, not shown"""
        self.write_file("i.png", b"\x89PNG\r\n\x1a\n" + bytes(100))
        self.assertEqual(self.text("read", path="i.png"),
                         "i.png: PNG image, 108 bytes, not shown as text\n")
        self.write_file("b", b"ab\0cd")
        self.assertIn("b: binary file, 5 bytes", self.text("read", path="b"))
        self.write_file("empty", b"")
        self.assertEqual(self.text("read", path="empty"), "(empty file)\n")
        self.write_file("latin", b"caf\xe9\n")
        self.assertEqual(self.text("read", path="latin"), "1\tcaf\ufffd\n")

    def test_read_says_why_not(self):
        """a missing file, a folder, a FIFO and an endless file are errors, at once"""
        self.assertIn("ENOENT", self.error("read", path="missing"))
        self.assertIn("use ls", self.error("read", path=self.root))
        os.mkfifo(os.path.join(self.root, "fifo"))
        self.assertIn("regular file", self.error("read", path="fifo"))
        self.assertIn("regular file", self.error("read", path="/dev/zero"))
        self.assertEqual(self.refused("read", path="x" * 4096).type, "invalid_arguments")

    # write and edit

    def test_write_makes_parents_and_replaces(self):
        """write makes what is missing and replaces what is there"""
        self.assertIn("Wrote 6 bytes", self.text("write", path="a/b/c", content="ä\n12\n"))
        self.text("write", path="a/b/c", content="")
        self.assertEqual(self.read_file("a/b/c"), b"")
        big = "0123456789\n" * 80000
        self.assertIn("Wrote 880000 bytes", self.text("write", path="big", content=big))
        self.assertEqual(self.read_file("big"), big.encode())
        self.error("write", path="big/x", content="a file is no folder")

    def test_edit_is_byte_exact(self):
        """edit replaces one occurrence; $& and backslashes stay what they are"""
        self.write_file("a", b"x = $1;\ny = 2;\n")
        self.assertIn("Replaced 1 occurrence", self.text(
            "edit", path="a", old_text="$1", new_text="$&\\1\n"))
        self.assertEqual(self.read_file("a"), b"x = $&\\1\n;\ny = 2;\n")

    def test_edit_wants_one_occurrence(self):
        """edit of what occurs never or often changes nothing and says how often"""
        self.write_file("a", b"b b b\n")
        self.assertIn("3 times", self.error("edit", path="a", old_text="b", new_text="c"))
        self.assertIn("not found", self.error("edit", path="a", old_text="x", new_text="c"))
        self.assertIn("No such file", self.error("edit", path="n", old_text="x", new_text="c"))
        self.assertEqual(self.read_file("a"), b"b b b\n")
        self.assertIn("Replaced 3 occurrences", self.text(
            "edit", path="a", old_text="b", new_text="", replace_all=True))
        self.assertEqual(self.read_file("a"), b"  \n")

    # bash

    def test_bash_answers_exit_code_and_streams(self):
        """bash tells exit code, stdout and stderr apart"""
        self.assertEqual(self.text("bash", command="echo out; echo err >&2; exit 2"),
                         "exit code: 2\nstdout:\nout\nstderr:\nerr\n")
        self.assertEqual(self.text("bash", command="true"), "exit code: 0\n")
        self.assertIn("killed by signal 9", self.text("bash", command="kill -9 $$"))

    def test_bash_works_where_the_files_are(self):
        """a relative path means the same file to bash and to the other tools"""
        self.text("write", path="w/x", content="same\n")
        self.assertIn("same", self.text("bash", command="cat w/x"))
        answer = self.client.call("tool.call", **self.handle, name="bash",
                                  arguments={"command": "cat x"}, cwd=self.root + "/w")
        self.assertIn("same", answer["content"])
        answer = self.client.call("tool.call", **self.handle, name="read",
                                  arguments={"path": "x"}, cwd=self.root + "/w")
        self.assertEqual(answer["content"], "1\tsame\n")

    def test_bash_keeps_head_and_tail(self):
        """of long output head and tail are kept, with how much was cut"""
        text = self.text("bash", command="seq 1 100000")
        self.assertLess(len(text), 30200)
        self.assertTrue(text.startswith("exit code: 0\nstdout:\n1\n2\n3\n"))
        self.assertTrue(text.endswith("99999\n100000\n"))
        self.assertIn(f"[... {588895 - 30000} bytes cut ...]", text)
        text = self.text("bash", command="seq 1 100000; seq 1 100000 >&2")
        self.assertLess(len(text), 30400)
        self.assertEqual(text.count("bytes cut"), 2)

    def test_bash_kills_everything_at_its_timeout(self):
        """at the timeout bash answers 124 and what was written, and nothing runs on"""
        answer = self.tool("bash", command="echo first; sleep 1000 & sleep 1000", timeout=200)
        self.assertTrue(answer["is_error"])
        self.assertTrue(answer["content"].startswith("Error: time limit of 200 ms, "))
        self.assertIn("exit code: 124\nstdout:\nfirst\n", answer["content"])
        self.assertEqual(answer["receipt"]["limits_hit"], ["time"])

    def test_bash_does_not_wait_for_children(self):
        """bash returns when the shell exits even if a child holds the pipes"""
        self.assertEqual(self.text("bash", command="sleep 1000 & echo on"),
                         "exit code: 0\nstdout:\non\n")

    def test_bash_in_the_background(self):
        """a background command goes on, and its output is in the file that is named"""
        text = self.text("bash", background=True,
                         command="echo begun; while ! test -e go; do sleep 0.01; done; touch gone")
        name = text.split("output in ")[1].split()[0]
        self.addCleanup(os.unlink, name)
        self.text("write", path="go", content="")
        self.text("bash", command="while ! test -e gone; do sleep 0.01; done")
        self.assertIn("begun", self.text("read", path=name))

    def test_bash_can_stream(self):
        """with stream, output comes as it is written and in the answer as well"""
        request = self.client.send("tool.call", **self.handle, name="bash", stream=True,
                                   arguments={"command": "echo one; echo two >&2"})
        answer = self.client.wait(request)
        self.assertEqual(self.client.take_output(request), (b"one\n", b"two\n"))
        self.assertIn("one", answer["content"])
        request = self.client.send("tool.call", **self.handle, name="bash",
                                   arguments={"command": "echo one"})
        self.client.wait(request)
        self.assertEqual(self.client.take_output(request), (b"", b""))

    def test_a_tool_can_be_cancelled(self):
        """cancel ends a tool, which answers that it was cancelled"""
        request = self.client.send("tool.call", **self.handle, name="bash", stream=True,
                                   arguments={"command": "echo on; sleep 1000"})
        self.client.wait_notification("sandbox.output")
        self.client.call("sandbox.cancel", request=request)
        answer = self.client.wait(request)
        self.assertTrue(answer["is_error"])
        self.assertIn("cancelled", answer["content"])

    # glob, grep, ls

    def make_tree(self):
        for name, content in (("src/a.c", b"int a; // XYZZY\n"), ("src/deep/b.h", b"int b;\n"),
                              ("src/new.py", b"xyzzy = 1\n"), ("out/x.c", b"int XYZZY;\n"),
                              (".gitignore", b"out\n"), (".hidden.c", b"XYZZY\n")):
            self.write_file(name, content)
        os.mkdir(os.path.join(self.root, ".git"))
        now = time.time()
        for age, name in enumerate(("src/new.py", "src/a.c", "src/deep/b.h")):
            os.utime(os.path.join(self.root, name), (now - age * 100, now - age * 100))

    def test_glob_finds_newest_first(self):
        """glob knows ** and braces, newest first, and leaves out what .gitignore names"""
        self.make_tree()
        self.assertEqual(self.text("glob", pattern="**/*.{c,h,py}"),
                         "src/new.py\nsrc/a.c\nsrc/deep/b.h\n")
        self.assertIn(".hidden.c", self.text("glob", pattern="*.c", hidden=True))
        self.assertEqual(self.text("glob", pattern="*.zig"), "No files match *.zig\n")
        self.error("glob", pattern="*", path="nowhere")
        for pattern in "/etc/*", "../*":
            self.assertIn("mend the pattern, and name the folder", self.error("glob", pattern=pattern, path="src"))

    def test_glob_stops_at_200(self):
        """glob answers 200 names and how many more there are"""
        for i in range(230):
            self.write_file(f"many/{i}", b"")
        text = self.text("glob", pattern="*", path="many")
        self.assertEqual(len(text.splitlines()), 201)
        self.assertTrue(text.endswith("(30 more; narrow the pattern or the path)\n"))

    def test_grep_in_all_its_modes(self):
        """grep shows lines with numbers, files, or counts; errors are no missing matches"""
        self.make_tree()
        self.assertEqual(self.text("grep", pattern="XYZZY"), "src/a.c:1:int a; // XYZZY\n")
        self.assertEqual(self.text("grep", pattern="xyzzy", case_insensitive=True,
                                   output_mode="count"), "src/a.c:1\nsrc/new.py:1\n")
        self.assertEqual(self.text("grep", pattern=r"\bint\s+\w;", include="*.{c,h}",
                                   output_mode="files_with_matches"), "src/a.c\nsrc/deep/b.h\n")
        self.assertEqual(self.text("grep", pattern="nothing like it"),
                         "No matches for nothing like it\n")
        self.assertIn("mend the pattern", self.error("grep", pattern="("))
        self.error("grep", pattern="x", path="nowhere")

    def test_grep_shows_context(self):
        """grep keeps lines around a match, and gaps between them, apart"""
        self.write_file("a", b"".join(b"%d\n" % i for i in range(1, 21)))
        self.assertEqual(self.text("grep", pattern="^(5|15)$", path="a", context=1),
                         "a-4-4\na:5:5\na-6-6\n--\na-14-14\na:15:15\na-16-16\n")

    def test_grep_stops_at_100_lines_and_cuts_long_ones(self):
        """grep answers 100 lines and how many more; a very long line is shown in part"""
        self.write_file("a", b"match\n" * 130)
        text = self.text("grep", pattern="match", path="a")
        self.assertEqual(len(text.splitlines()), 101)
        self.assertIn("(30 more;", text)
        self.write_file("b", b"x" * 5000 + b"\n")
        text = self.text("grep", pattern="x", path="b")
        self.assertEqual(text, "b:1:" + "x" * 500 + " [... cut]\n")

    def test_ls_sorts_and_marks_folders(self):
        """ls is sorted, folders end in /, and no name can break its line"""
        for name in ("b", "a/x", "c\nd"):
            self.write_file(name, b"")
        self.assertEqual(self.text("ls"), "a/\nb\nc\\nd\n")
        os.mkdir(os.path.join(self.root, "empty"))
        self.assertEqual(self.text("ls", path="empty"), "(empty folder)\n")
        self.assertIn("ENOTDIR", self.error("ls", path="b"))
        for i in range(1100):
            self.write_file(f"many/{i}", b"") if i < 2 else open(
                os.path.join(self.root, "many", str(i)), "w").close()
        self.assertIn("(100 more;", self.text("ls", path="many"))

    def test_names_that_are_no_text(self):
        """a name that is not UTF-8 comes out readable and does no harm"""
        os.mkdir(os.path.join(self.root, "n"))
        open(os.path.join(self.root.encode(), b"n/\xff\x01"), "w").close()
        self.assertEqual(self.text("ls", path="n"), "\ufffd\\x01\n")
        self.assertEqual(self.text("glob", pattern="*", path="n"), "n/\ufffd\\x01\n")


tap.main()
