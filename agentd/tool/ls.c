#include <string.h>
#include <sys/stat.h>

#include "agentd/tool/tool.h"

static void on_listed(struct tool_run *run, const struct guest_reply *reply)
{
	const char *path = tool_string(run, "path", ".");
	const char *at, *end, *name;
	struct guest_stat st;
	uint64_t shown = 0;
	size_t size;

	if (tool_has_failed(run, reply, path))
		return;
	at = tool_data(run, &size);
	for (end = at + size; (size_t)(end - at) >= sizeof(st); shown++) {
		memcpy(&st, at, sizeof(st));
		at += sizeof(st);
		name = tool_next_string(&at, end);
		if (!name)
			break;
		tool_say_name(run, name);
		tool_say(run, S_ISDIR(st.mode) ? "/\n" : "\n");
	}
	if (shown == 0)
		tool_say(run, "(empty folder)\n");
	else if (reply->total > shown)
		tool_say(run, "(%llu more; use glob for a part of them)\n",
			(unsigned long long)(reply->total - shown));
}

static int start(struct tool_run *run, struct error *err)
{
	struct guest_file_options options = {
		.type = GUEST_LIST, .length = TOOL_LS_ENTRIES, .max_bytes = TOOL_DATA_MAX};
	char path[TOOL_PATH_MAX];
	int r;

	r = tool_path(run, tool_string(run, "path", "."), path, err);
	if (r < 0)
		return r;
	options.path = path;
	return tool_send_file(run, &options, on_listed, err);
}

const struct tool tool_ls = {
	.is_reader = true,
	.name = "ls",
	.description = "List a folder of the sandbox, sorted by name, with / after folders.",
	.parameters = "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
		      "\"path\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":4095,"
		      "\"description\":\"Folder (the working directory)\"}}}",
	.start = start,
};
