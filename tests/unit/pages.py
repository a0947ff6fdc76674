"""The pages say what the code has: routes, errors, tools, providers, settings, options. No root."""

import os
import re
import unittest

import tap
from agent_world import AgentWorld
from upstream_server import Server, reply_of

TOP = os.environ.get("top_srcdir", ".")


def read(name):
    with open(os.path.join(TOP, name), encoding="utf-8") as file:
        return file.read()


def rows(page, section=None):
    """The cells of each row of the tables, in all of the page or below a heading."""
    text = read(page)
    if section:
        text = re.search(rf"(?ms)^## {section}$(.*?)(?=^## |\Z)", text)[1]
    found = []
    for table in re.findall(r"(?m)^\| .*\n\| ---.*\n((?:\|.*\n)+)", text):
        found += [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()]
    if not found:
        raise AssertionError(f"{page}: there is no table")
    return found


def words(text):
    """What stands in backticks, but for what is said of it in brackets."""
    while "(" in text:
        shorter = re.sub(r"\([^()]*\)", "", text)
        if shorter == text:
            raise AssertionError(f"a bracket without its other: {text}")
        text = shorter
    return re.findall(r"`(\w+)`", text)


def table_of(source, pattern, least):
    """The rows of a table in C; as many as there are, lest the pattern misses what is written otherwise."""
    found = re.findall(pattern, re.sub(r"\s+", " ", read(source)))
    if len(found) < least:
        raise AssertionError(f"{source}: {len(found)} rows of at least {least} were understood")
    return found


def routes():
    """(method, path, JSON-RPC name) each; None: it has none."""
    text = r'(NULL|"[^"]*")'
    count = len(re.findall(r"ROUTE_(?:OPEN|KEY|ADMIN),", read("agentd/api/routes.c")))
    found = table_of("agentd/api/routes.c", rf"\{{{text}, {text}, {text}, ROUTE_", count)
    return [tuple(None if cell == "NULL" else cell.strip('"') for cell in row) for row in found]


class Pages(unittest.TestCase):
    def test_routes(self):
        """each route stands in docs/http-api.md with its name for JSON-RPC, and no other"""
        said = {}
        for where, _, names in rows("docs/http-api.md", "Routes"):
            paths = []
            for part in where.split(";"):
                methods = re.findall(r"\b[A-Z]+\b", part)
                paths += [(method, path) for path in re.findall(r"/[\w/:.-]+", part) for method in methods]
            for path in paths or [(None, None)]:
                self.assertNotIn(path, said)
                said[path] = set(filter(None, names.split(", ")))
        known = {}
        for method, path, name in routes():
            known.setdefault((method, path), set()).update({name} - {None})
        self.assertEqual(set(said), set(known))
        # A row of the page may hold several: its names are those of all of them.
        self.assertEqual(set().union(*said.values()), set().union(*known.values()))
        for path, names in known.items():
            self.assertLessEqual(names, said[path], path)

    def test_errors(self):
        """each error of the HTTP API stands in docs/http-api.md with its status"""
        said = set()
        for status, code, _ in rows("docs/http-api.md", "Errors"):
            statuses, codes = status.split(", "), code.split(", ")
            if len(statuses) == 1:
                statuses *= len(codes)
            self.assertEqual(len(statuses), len(codes), status)
            said |= set(zip(statuses, codes))
        count = read("agentd/api/api_fault.c").count("\t[API_")
        known = table_of("agentd/api/api_fault.c", r'\] = \{(\d+), "[^"]*", \S+, "(\w+)"\}', count)
        self.assertEqual(said, set(known))

    def test_faults(self):
        """each error of JSON-RPC stands in docs/rpc.md with its code"""
        codes = dict(re.findall(r"(RPC_\w+) = (-\d+)", read("proto/rpc.h")))
        count = read("agentd/fault.c").count("\t[FAULT_")
        known = {(name, codes[code]) for name, code in
                 table_of("agentd/fault.c", r'\] = \{"(\w+)", (\w+)\}', count)}
        known |= {("parse_error", codes["RPC_PARSE_ERROR"]), ("invalid_request", codes["RPC_INVALID_REQUEST"])}
        self.assertEqual({(row[0], row[1]) for row in rows("docs/rpc.md", "Errors")}, known)

    def test_providers(self):
        """each provider stands in docs/models.md with its address"""
        known = table_of("agentd/upstream/provider.c", r'\{"(\w+)", UPSTREAM_(\w+), "(http[^"]*)"', 1)
        self.assertEqual({(row[0], row[2].upper(), row[1]) for row in rows("docs/models.md", "Providers")},
                         set(known))

    def test_fields(self):
        """each field of an agent stands in docs/project.md, and no other"""
        known = table_of("agentd/project/agent.c", r'\{"(\w+)", read_\w+, AT\(', 10)
        said = [words(names) for names, _, _ in rows("docs/project.md", r"agents\.json")]
        self.assertEqual(sorted(sum(said, [])), sorted(known))

    def test_scenarios(self):
        """each member of a step of a scenario, and each option of its program, stands in docs/scripted-model.md"""
        known = table_of("agentd/scripted/scenario_step.c", r'\{"(\w+)", read_\w+, ', 10)
        page = read("docs/scripted-model.md")
        for name in known:
            self.assertIn(f"`{name}`", page.replace('{"', "`").replace('"', "`"))
        for row in rows("docs/scripted-model.md", "A scenario"):
            self.assertIn(words(row[0])[0], known)
        options = table_of("agentd/scripted/main.c", r'\{"(\w+)", \w+_argument', 4)
        self.assertEqual(set(re.findall(r"`--(\w+)", page)) & set(options), set(options) - {"help", "version"})

    def test_metrics(self):
        """each metric stands in hearth-agentd(8), and no other"""
        known = table_of("proto/stat.c", r'\] = \{"(hearth_\w+)"', 10)
        self.assertEqual(set(re.findall(r"(?m)^\.B (hearth_\w+)", read("man/hearth-agentd.8"))), set(known))

    def test_links(self):
        """each link of a page leads to a file, and to a heading of it"""
        pages = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "proto/PROTOCOL.md"]
        pages += ["docs/" + name for name in sorted(os.listdir(os.path.join(TOP, "docs"))) if name.endswith(".md")]
        count = 0
        for page in pages:
            for target in re.findall(r"\]\(([^)]+)\)", read(page)):
                if target.startswith(("http:", "https:")):
                    continue
                name, _, heading = target.partition("#")
                file = os.path.normpath(os.path.join(os.path.dirname(page), name)) if name else page
                self.assertTrue(os.path.exists(os.path.join(TOP, file)), f"{page}: {target}")
                if heading:
                    headings = [re.sub(r"[^\w -]", "", line).strip().lower().replace(" ", "-")
                                for line in re.findall(r"(?m)^#+ (.*)$", read(file))]
                    self.assertIn(heading, headings, page)
                count += 1
        self.assertGreater(count, 20)

    def test_settings(self):
        """each key of agentd.conf stands in hearth-agentd(8) with its default, and a number with its range"""
        page = {}
        text = read("man/hearth-agentd.8").split("\n.SH CONFIGURATION\n")[1].split("\n.SH ")[0]
        for section in re.split(r"(?m)^\.SS ", text)[1:]:
            name = re.match(r"\[(\w+)", section)[1]
            for key, body in re.findall(r"(?m)^\.TP\n\.B (\w+)\n((?:(?!\.TP|\.SS).*\n?)*)", section):
                page[name, key] = " ".join(body.split())
        source = "agentd/agent_config.c"
        count = len(re.findall(r"(?:OF_CONFIG|PROVIDER)\(\"", read(source)))
        known = table_of(source, r'(OF_CONFIG|PROVIDER)\((?:"(\w+)", )?"(\w+)", CONFIG_(\w+), [\w.]+, (\d+), (\d+), '
                                 r'"([^"]*)"', count)
        self.assertEqual(set(page), {(row[1] or "provider", row[2]) for row in known})
        for _, section, key, kind, least, most, default in known:
            said = page[section or "provider", key]
            self.assertIn("Default: " + default, said)
            if kind == "NUMBER":
                self.assertIn(f"{least} to {most}", said)

    def test_options(self):
        """each option of hearth-agentd stands in its page, and no other"""
        known = table_of("agentd/main.c", r'\{"([\w-]+)", \w+_argument', 1)
        said = re.findall(r"(?m)^\.TP\n\.BI? \\-\\-(\S+)", read("man/hearth-agentd.8"))
        # --json belongs to --check.
        self.assertEqual({name.replace("\\-", "-") for name in said} | {"json"}, set(known))
        self.assertIn("\\-\\-json", read("man/hearth-agentd.8"))

    def test_commands(self):
        """each command of hearth and each of its options stands in hearth(1)"""
        page = read("man/hearth.1").replace("\\-", "-")
        synopsis = page.split(".SH SYNOPSIS\n")[1].split("\n.SH ")[0]
        forms = [set(re.findall(r"[\w-]+", form)) for form in synopsis.split("\n.br\n")]
        for name in table_of("cli/commands.c", r'\{"([\w -]+)", "[^"]*", "', read("cli/commands.c").count(", cli_")):
            self.assertTrue(any({"hearth", *name.split()} <= form for form in forms), name)
        for option in table_of("cli/commands.c", r"\{ ?\"([\w-]+)\", (?:0|'\w'), (?:NULL|\"[^\"]*\"), \"", 30):
            self.assertRegex(page, rf"(?m)^\.(?:B|BI|BR) .*--{option}\b", option)


class Told(AgentWorld):
    """What agentd itself tells, against the pages."""

    has_model = False

    def start_agentd(self):
        self.server = Server([reply_of("x")], path=os.path.join(self.directory, "models.sock"))
        self.addCleanup(self.server.close)
        if self.identity:
            os.chown(os.path.join(self.directory, "models.sock"), self.identity["user"], self.identity["group"])
        self.project = os.path.join(self.directory, "project")
        self.make_project()
        with open(self.log, "ab") as log:
            return self._start("hearth-agentd", "--dir", self.directory, "--project", self.project, "--scripted",
                               os.path.join(self.directory, "models.sock"), stderr=log)

    def test_tools(self):
        """each tool that a model is told of stands in docs/tools.md with its arguments"""
        self.chat("hello")
        tools = {tool["function"]["name"]: tool["function"]["parameters"]
                 for tool in self.server.requests[0]["body"]["tools"]}
        text = read("docs/tools.md")
        in_table = {}
        for names, place, _ in rows("docs/tools.md"):
            if place in ("sandbox", "agentd"):
                in_table.update(dict.fromkeys(names.split(", "), place))
        self.assertEqual(set(in_table), set(tools))
        self.assertEqual({name for name, place in in_table.items() if place == "sandbox"},
                         {tool["name"] for tool in self.connect().call("tool.list")["tools"]})
        sections = {}
        for names, body in re.findall(r"(?ms)^## (.*?)\n\n(.*?)(?=^## |\Z)", text):
            for name in names.split(", "):
                own = re.search(rf"(?m)^- {name}\b(.*)$", body)  # a line each, where several share a section
                sections[name] = own[1] + "." if own else body
        self.assertEqual(set(sections), set(tools))
        for name, schema in tools.items():
            # The first sentence; a point within brackets or backticks ends none.
            first = re.match(r"(?:\([^)]*\)|`[^`]*`|[^.:(`])*", sections[name])[0]
            required, _, optional = first.partition(";")
            with self.subTest(tool=name):
                if schema.get("required"):
                    self.assertEqual(words(required), schema["required"])
                self.assertEqual(set(words(required) + words(optional)), set(schema["properties"]))

    def test_openapi(self):
        """what openapi.json describes is what the table of routes has"""
        status, _, told = self.request("GET", "/openapi.json")
        self.assertEqual(status, 200)
        paths = {(method.upper(), re.sub(r"\{(\w+)\}", r":\1", path).removeprefix("/v1"))
                 for path, item in told["paths"].items() for method in item if method in
                 ("get", "post", "put", "patch", "delete")}
        self.assertEqual(paths, {(method, path) for method, path, _ in routes() if method})


if __name__ == "__main__":
    tap.main()
