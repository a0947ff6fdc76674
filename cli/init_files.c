#include "cli/init_files.h"

#include "base/cleanup.h"

static const char agents[] =
	"[\n"
	"  {\n"
	"    \"name\": \"coder\",\n"
	"    \"role\": \"software engineer\",\n"
	"    \"model\": \"xai/grok-4-fast\",\n"
	"    \"allowedTools\": [\n"
	"      \"read\", \"write\", \"edit\", \"bash\", \"glob\", \"grep\", \"ls\",\n"
	"      \"http_fetch\", \"search_web\", \"memory_*\"\n"
	"    ],\n"
	"    \"skills\": [\"code-standards\"],\n"
	"    \"systemPrompt\": \"Do the task to its end: read what is there, change it, run it, "
	"and fix what "
	"fails. Then say in a few sentences what you did and how you know that it works.\"\n"
	"  }\n"
	"]\n";

static const char code_standards[] =
	"---\n"
	"name: code-standards\n"
	"description: How code is written, tested and reported in this project.\n"
	"tools: [read, edit, bash]\n"
	"tags: [code, tests, review]\n"
	"---\n"
	"# Code standards\n"
	"\n"
	"## Before you change anything\n"
	"\n"
	"- Read the files around it and its tests. Follow the style that is there.\n"
	"- Run the tests once, so that you know what failed before you came.\n"
	"\n"
	"## While you write\n"
	"\n"
	"- Make the smallest change that does the whole job. No unrelated clean-ups.\n"
	"- Small functions with names that say what they do. Comments say why, not what.\n"
	"- Check what comes from outside; give every failure a message that says what to do.\n"
	"- No secrets in code, in logs or in tests.\n"
	"\n"
	"## Tests\n"
	"\n"
	"- Each change of behaviour brings a test, and each fixed bug the test that failed.\n"
	"- A test's name is a sentence. It needs no network and no particular order.\n"
	"- Run all of them at the end. Never delete or weaken a test to make it pass.\n"
	"\n"
	"## When you report\n"
	"\n"
	"- Say which files changed and why, which commands you ran, and what they answered.\n"
	"- Say plainly what you did not do, or could not try.\n";

static const char memory[] =
	"# Memory of this project\n"
	"\n"
	"What every agent should know: decisions, conventions, where things are. Each agent's own\n"
	"memory is in memory/NAME.md.\n";

const struct init_file init_files[] = {
	{".hearth/polpo.json", NULL},
	{".hearth/agents.json", agents},
	{".hearth/skills/code-standards/SKILL.md", code_standards},
	{".hearth/memory.md", memory},
	{".hearth/memory/", NULL},
	{".hearth/.gitignore", "state/\n"},
};

const unsigned init_file_count = ARRAY_SIZE(init_files);
