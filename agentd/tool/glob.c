#include <string.h>

#include "agentd/tool/tool.h"

static void on_found(struct tool_run *run, const struct guest_reply *reply)
{
	const char *pattern = tool_string(run, "pattern", "");
	const char *at, *path;
	size_t size;
	uint64_t shown = 0;

	if (tool_has_failed(run, reply, tool_string(run, "path", pattern)))
		return;
	at = tool_data(run, &size);
	for (const char *end = at + size; (path = tool_next_string(&at, end)); shown++) {
		tool_say_found(run, path);
		tool_say(run, "\n");
	}
	if (shown == 0)
		tool_say(run, "No files match %s\n", pattern);
	else if (reply->total > shown)
		tool_say(run, "(%llu more; narrow the pattern or the path)\n",
			(unsigned long long)(reply->total - shown));
	tool_say_left_out(run, reply);
}

static int start(struct tool_run *run, struct error *err)
{
	struct guest_file_options options = {.type = GUEST_GLOB,
		.flags = tool_flag(run, "hidden") ? GUEST_FILE_HIDDEN : 0,
		.length = TOOL_GLOB_RESULTS,
		.max_bytes = TOOL_DATA_MAX};
	char path[TOOL_PATH_MAX];
	int r;

	r = tool_path(run, tool_string(run, "path", "."), path, err);
	if (r < 0)
		return r;
	options.path = path;
	options.pattern = tool_string(run, "pattern", "");
	return tool_send_file(run, &options, on_found, err);
}

const struct tool tool_glob = {
	.is_reader = true,
	.name = "glob",
	.description = "Find files of the sandbox by name, newest first, at most 200: ** for any "
		       "folders, *, ?, [a-z], {a,b}. What .gitignore names is left out.",
	.parameters =
		"{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"pattern\"],"
		"\"properties\":{"
		"\"pattern\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":4095,"
		"\"description\":\"For instance src/**/*.{c,h}\"},"
		"\"path\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":4095,"
		"\"description\":\"Folder to search (the working directory)\"},"
		"\"hidden\":{\"type\":\"boolean\","
		"\"description\":\"Also names that begin with a dot\"}}}",
	.start = start,
};
