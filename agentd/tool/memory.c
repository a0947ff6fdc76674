/*
 * An agent's memory: one text that it reads and changes as a whole or in part.
 *
 * Whoever keeps it (request.memory) is called at once, so that no other run comes between what is read
 * and what is written; the answer comes later.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agentd/tool/tool.h"
#include "agentd/utf8.h"
#include "base/cleanup.h"
#include "base/error.h"

/* False: it cannot be, and that is said. */
static bool memory_read(struct tool_run *run, char **ret_text)
{
	const struct tool_memory *memory = run->request.memory;
	struct error err = {.text = ""};

	if (!memory) {
		tool_fail(run, "this agent has no memory here: keep notes in a file");
		return false;
	}
	if (memory->read(memory->arg, ret_text, &err) == 0)
		return true;
	tool_fail(run, "memory: %s: try again", err.text);
	return false;
}

static void memory_write(struct tool_run *run, const char *text)
{
	const struct tool_memory *memory = run->request.memory;
	size_t size = strlen(text);
	struct error err = {.text = ""};

	if (size > TOOL_MEMORY_MAX)
		tool_fail(run,
			"memory would have %zu bytes, at most %u: shorten it with memory_save",
			size, TOOL_MEMORY_MAX);
	else if (memory->write(memory->arg, text, &err) < 0)
		tool_fail(run, "memory: %s: try again", err.text);
	else
		tool_say(run, "Memory has %zu bytes now\n", size);
}

/* A file that its owner wrote may be longer than what an agent may write. */
static void say_memory(struct tool_run *run, const char *text)
{
	size_t size = strlen(text);
	size_t shown = size > TOOL_MEMORY_MAX ? utf8_whole_length(text, TOOL_MEMORY_MAX) : size;

	tool_say_bytes(run, text, shown);
	if (size == 0)
		tool_say(run, "(empty)");
	else if (shown < size)
		tool_say(run, "\n[... %zu bytes cut ...]", size - shown);
}

static int start_get(struct tool_run *run, struct error *err)
{
	auto_free char *text = NULL;

	if (memory_read(run, &text))
		say_memory(run, text);
	return tool_finish_later(run, err);
}

static int start_save(struct tool_run *run, struct error *err)
{
	if (!run->request.memory)
		tool_fail(run, "this agent has no memory here: keep notes in a file");
	else
		memory_write(run, tool_string(run, "content", ""));
	return tool_finish_later(run, err);
}

static int start_append(struct tool_run *run, struct error *err)
{
	const char *more = tool_string(run, "text", "");
	auto_free char *text = NULL;
	auto_free char *all = NULL;
	size_t size;

	if (!memory_read(run, &text))
		return tool_finish_later(run, err);
	size = strlen(text);
	if (asprintf(&all, "%s%s%s", text, size > 0 && text[size - 1] != '\n' ? "\n" : "", more) <
		0) {
		all = NULL;
		return error_set(err, ENOMEM, "out of memory");
	}
	memory_write(run, all);
	return tool_finish_later(run, err);
}

static size_t count_of(const char *text, const char *wanted)
{
	size_t count = 0;

	for (; (text = strstr(text, wanted)); text += strlen(wanted))
		count++;
	return count;
}

static int replace(struct tool_run *run, const char *text, const char *old_text, struct error *err)
{
	const char *at = strstr(text, old_text);
	auto_free char *all = NULL;

	if (asprintf(&all, "%.*s%s%s", (int)(at - text), text, tool_string(run, "new_text", ""),
		    at + strlen(old_text)) < 0) {
		all = NULL;
		return error_set(err, ENOMEM, "out of memory");
	}
	memory_write(run, all);
	return 0;
}

static int start_update(struct tool_run *run, struct error *err)
{
	const char *old_text = tool_string(run, "old_text", "");
	auto_free char *text = NULL;
	size_t count;
	int r;

	if (!memory_read(run, &text))
		return tool_finish_later(run, err);
	count = count_of(text, old_text);
	if (count == 1) {
		r = replace(run, text, old_text, err);
		if (r < 0)
			return r;
	} else if (count == 0) {
		tool_fail(run, "old_text was not found in the memory: read it with memory_get");
	} else {
		tool_fail(run,
			"old_text was found %zu times in the memory: add text around it until it "
			"is unique",
			count);
	}
	return tool_finish_later(run, err);
}

#define PARAMETERS(required, properties)                                                           \
	"{\"type\":\"object\",\"additionalProperties\":false,\"required\":[" required              \
	"],\"properties\":{" properties "}}"
#define TEXT(name, min, description)                                                               \
	"\"" name "\":{\"type\":\"string\",\"minLength\":" min                                     \
	",\"maxLength\":262144,\"description\":\"" description "\"}"

const struct tool tool_memory_get = {
	.is_reader = true,
	.name = "memory_get",
	.place = TOOL_IN_AGENTD,
	.description = "Read your own memory: what you kept for later sessions.",
	.parameters = PARAMETERS("", ""),
	.start = start_get,
};

const struct tool tool_memory_save = {
	.name = "memory_save",
	.place = TOOL_IN_AGENTD,
	.description = "Replace your whole memory, 256 KiB at most. What it had is lost.",
	.parameters = PARAMETERS("\"content\"", TEXT("content", "0", "The whole new memory")),
	.start = start_save,
};

const struct tool tool_memory_append = {
	.name = "memory_append",
	.place = TOOL_IN_AGENTD,
	.description = "Add to the end of your memory, on a new line.",
	.parameters = PARAMETERS("\"text\"", TEXT("text", "1", "What to add")),
	.start = start_append,
};

const struct tool tool_memory_update = {
	.name = "memory_update",
	.place = TOOL_IN_AGENTD,
	.description = "Replace text in your memory. old_text must occur exactly once.",
	.parameters = PARAMETERS("\"old_text\",\"new_text\"",
		TEXT("old_text", "1", "Text to replace, exactly as memory_get shows it") "," TEXT(
			"new_text", "0", "Text to put in its place")),
	.start = start_update,
};
