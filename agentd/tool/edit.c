#include <errno.h>
#include <event2/buffer.h>
#include <string.h>

#include "agentd/tool/tool.h"
#include "base/error.h"

static void on_edited(struct tool_run *run, const struct guest_reply *reply)
{
	const char *path = tool_string(run, "path", "");

	if (reply->end == GUEST_END_FAILED && reply->error == ENOENT) {
		tool_fail(run,
			"%s: check that the path is right and that old_text stands there exactly, "
			"as read shows it, without the line numbers",
			reply->text[0] ? reply->text : path);
		return;
	}
	if (reply->end == GUEST_END_FAILED && reply->error == EEXIST) {
		tool_fail(run,
			"old_text was found %llu times in %s: add lines around it until it is "
			"unique, or set replace_all",
			(unsigned long long)reply->total, path);
		return;
	}
	if (tool_has_failed(run, reply, path))
		return;
	tool_say(run, "Replaced %llu %s in ", (unsigned long long)reply->count,
		reply->count == 1 ? "occurrence" : "occurrences");
	tool_say_name(run, path);
	tool_say(run, "\n");
}

/* INPUT of EDIT: the old text, one NUL, the new text. JSON strings here hold no NUL. */
static int fill_input(struct tool_run *run)
{
	const char *old_text = tool_string(run, "old_text", "");
	const char *new_text = tool_string(run, "new_text", "");

	if (evbuffer_add(run->input, old_text, strlen(old_text) + 1) < 0)
		return -ENOMEM;
	return evbuffer_add(run->input, new_text, strlen(new_text)) < 0 ? -ENOMEM : 0;
}

static int start(struct tool_run *run, struct error *err)
{
	struct guest_file_options options = {.type = GUEST_EDIT};
	char path[TOOL_PATH_MAX];
	int r;

	r = tool_path(run, tool_string(run, "path", ""), path, err);
	if (r < 0)
		return r;
	if (fill_input(run) < 0)
		return error_set(err, ENOMEM, "out of memory");
	options.path = path;
	options.flags = tool_flag(run, "replace_all") ? GUEST_FILE_ALL : 0;
	r = tool_send_file(run, &options, on_edited, err);
	if (r < 0)
		return r;
	tool_send_input(run);
	return 0;
}

const struct tool tool_edit = {
	.name = "edit",
	.description = "Replace text in a file of the sandbox, byte for byte. old_text must occur "
		       "exactly once, unless replace_all is set.",
	.parameters =
		"{\"type\":\"object\",\"additionalProperties\":false,"
		"\"required\":[\"path\",\"old_text\",\"new_text\"],\"properties\":{"
		"\"path\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":4095,"
		"\"description\":\"File to change\"},"
		"\"old_text\":{\"type\":\"string\",\"minLength\":1,"
		"\"description\":\"Text to replace, exactly as it stands in the file\"},"
		"\"new_text\":{\"type\":\"string\",\"description\":\"Text to put in its place\"},"
		"\"replace_all\":{\"type\":\"boolean\","
		"\"description\":\"Replace every occurrence\"}}}",
	.start = start,
};
