#include <errno.h>
#include <event2/buffer.h>
#include <string.h>

#include "agentd/tool/tool.h"
#include "base/error.h"

static void on_written(struct tool_run *run, const struct guest_reply *reply)
{
	const char *path = tool_string(run, "path", "");

	if (tool_has_failed(run, reply, path))
		return;
	tool_say(run, "Wrote %llu bytes to ", (unsigned long long)reply->count);
	tool_say_name(run, path);
	tool_say(run, "\n");
}

static int start(struct tool_run *run, struct error *err)
{
	const json_t *content = json_object_get(run->request.arguments, "content");
	struct guest_file_options options = {.type = GUEST_WRITE};
	char path[TOOL_PATH_MAX];
	int r;

	r = tool_path(run, tool_string(run, "path", ""), path, err);
	if (r < 0)
		return r;
	if (evbuffer_add(run->input, json_string_value(content), json_string_length(content)) < 0)
		return error_set(err, ENOMEM, "out of memory");
	options.path = path;
	r = tool_send_file(run, &options, on_written, err);
	if (r < 0)
		return r;
	tool_send_input(run);
	return 0;
}

const struct tool tool_write = {
	.name = "write",
	.description = "Write a text file in the sandbox: parent directories are made, an existing "
		       "file is replaced as a whole. Use edit to change a part of a file.",
	.parameters = "{\"type\":\"object\",\"additionalProperties\":false,"
		      "\"required\":[\"path\",\"content\"],\"properties\":{"
		      "\"path\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":4095,"
		      "\"description\":\"File to write\"},"
		      "\"content\":{\"type\":\"string\","
		      "\"description\":\"The whole new content\"}}}",
	.start = start,
};
