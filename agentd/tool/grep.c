#include <string.h>

#include "agentd/tool/tool.h"
#include "agentd/utf8.h"

/* A record of the guest's answer; path and line point into it. */
struct record {
	struct guest_match match;
	const char *path, *line;
};

static bool next_record(const char **at, const char *end, struct record *record)
{
	if ((size_t)(end - *at) < sizeof(record->match))
		return false;
	memcpy(&record->match, *at, sizeof(record->match));
	*at += sizeof(record->match);
	record->path = tool_next_string(at, end);
	record->line = record->path ? tool_next_string(at, end) : NULL;
	return record->line != NULL;
}

static void say_line(struct tool_run *run, const struct record *record)
{
	char mark = record->match.is_context ? '-' : ':';
	size_t length = strlen(record->line);

	tool_say_found(run, record->path);
	tool_say(run, "%c%u%c", mark, record->match.line_number, mark);
	if (length > TOOL_GREP_LINE_MAX) {
		tool_say_bytes(
			run, record->line, utf8_whole_length(record->line, TOOL_GREP_LINE_MAX));
		tool_say(run, " [... cut]\n");
		return;
	}
	tool_say_bytes(run, record->line, length);
	tool_say(run, "\n");
}

/* Lines that do not follow on each other are kept apart by `--`, as grep does it. */
static void say_gap(struct tool_run *run, const struct record *last, const struct record *next)
{
	if (tool_number(run, "context", 0) == 0 || !last->path)
		return;
	if (strcmp(last->path, next->path) != 0 ||
		next->match.line_number != last->match.line_number + 1)
		tool_say(run, "--\n");
}

static void say_record(struct tool_run *run, const char *mode, const struct record *record)
{
	if (strcmp(mode, "content") == 0) {
		say_line(run, record);
		return;
	}
	tool_say_found(run, record->path);
	if (strcmp(mode, "count") == 0) {
		tool_say(run, ":");
		tool_say_name(run, record->line);
	}
	tool_say(run, "\n");
}

static void on_found(struct tool_run *run, const struct guest_reply *reply)
{
	const char *pattern = tool_string(run, "pattern", "");
	const char *mode = tool_string(run, "output_mode", "content");
	struct record record, last = {.path = NULL};
	const char *at, *end;
	uint64_t matches = 0;
	size_t size;

	if (tool_has_failed(run, reply, pattern))
		return;
	at = tool_data(run, &size);
	for (end = at + size; next_record(&at, end, &record); last = record) {
		say_gap(run, &last, &record);
		say_record(run, mode, &record);
		matches += record.match.is_context ? 0 : 1;
	}
	if (!last.path)
		tool_say(run, "No matches for %s\n", pattern);
	else if (reply->total > matches)
		tool_say(run, "(%llu more; narrow the pattern, path or include)\n",
			(unsigned long long)(reply->total - matches));
	tool_say_left_out(run, reply);
}

static uint32_t flags_of(const struct tool_run *run)
{
	const char *mode = tool_string(run, "output_mode", "content");
	uint32_t flags = tool_flag(run, "case_insensitive") ? GUEST_FILE_ICASE : 0;

	if (strcmp(mode, "files_with_matches") == 0)
		flags |= GUEST_FILE_FILES;
	if (strcmp(mode, "count") == 0)
		flags |= GUEST_FILE_COUNT;
	return flags;
}

static int start(struct tool_run *run, struct error *err)
{
	struct guest_file_options options = {.type = GUEST_GREP,
		.flags = flags_of(run),
		.offset = tool_number(run, "context", 0),
		.length = TOOL_GREP_LINES,
		.max_bytes = TOOL_DATA_MAX};
	char path[TOOL_PATH_MAX];
	int r;

	r = tool_path(run, tool_string(run, "path", "."), path, err);
	if (r < 0)
		return r;
	options.path = path;
	options.pattern = tool_string(run, "pattern", "");
	options.include = tool_string(run, "include", "");
	return tool_send_file(run, &options, on_found, err);
}

const struct tool tool_grep = {
	.is_reader = true,
	.name = "grep",
	.description =
		"Search files of the sandbox by an extended regular expression (with \\w \\d "
		"\\s \\b, without back-references): path:line:text, at most 100 lines. What "
		".gitignore names is left out, and below the path what begins with a dot.",
	.parameters =
		"{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"pattern\"],"
		"\"properties\":{"
		"\"pattern\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":4095,"
		"\"description\":\"Extended regular expression\"},"
		"\"path\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":4095,"
		"\"description\":\"File or folder to search (the working directory)\"},"
		"\"include\":{\"type\":\"string\",\"maxLength\":255,"
		"\"description\":\"Only files whose name matches this, for instance *.{c,h}\"},"
		"\"context\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":50,"
		"\"description\":\"Lines shown before and after each match\"},"
		"\"case_insensitive\":{\"type\":\"boolean\"},"
		"\"output_mode\":{\"type\":\"string\","
		"\"enum\":[\"content\",\"files_with_matches\",\"count\"],"
		"\"description\":\"What to show (content)\"}}}",
	.start = start,
};
