#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agentd/tool/tool.h"
#include "agentd/utf8.h"
#include "base/cleanup.h"
#include "base/error.h"

/* Images by their first bytes, at an offset. */
static const struct {
	const char *name;
	size_t offset, size;
	const char *magic;
} images[] = {
	{"PNG", 0, 8, "\x89PNG\r\n\x1a\n"},
	{"JPEG", 0, 3, "\xff\xd8\xff"},
	{"GIF", 0, 4, "GIF8"},
	{"WebP", 8, 4, "WEBP"},
};

static const char *image_name(const char *data, size_t size)
{
	for (size_t i = 0; i < ARRAY_SIZE(images); i++)
		if (size >= images[i].offset + images[i].size &&
			memcmp(data + images[i].offset, images[i].magic, images[i].size) == 0)
			return images[i].name;
	return NULL;
}

/* The size is in no reply to a read of lines: it was asked for by STAT. run->note: the image's kind. */
static void on_binary_stat(struct tool_run *run, const struct guest_reply *reply)
{
	const char *path = tool_string(run, "path", "");
	struct guest_stat st;
	const char *data;
	size_t size;

	if (tool_has_failed(run, reply, path))
		return;
	data = tool_data(run, &size);
	if (size < sizeof(st)) {
		tool_fail(run, "%s: the sandbox did not tell its size: try again", path);
		return;
	}
	memcpy(&st, data, sizeof(st));
	tool_say_name(run, path);
	tool_say(run, ": %s%s, %llu bytes, not shown as text%s\n",
		run->note ? run->note : "binary file", run->note ? " image" : "",
		(unsigned long long)st.size,
		run->note ? "" : "; use bash with file, od or strings");
}

static void ask_size(struct tool_run *run, const char *image)
{
	struct guest_file_options options = {.type = GUEST_STAT, .flags = GUEST_FILE_FOLLOW};
	char path[TOOL_PATH_MAX];
	struct error err;

	run->note = image;
	if (tool_path(run, tool_string(run, "path", ""), path, &err) < 0) {
		tool_fail(run, "%s", err.text);
		return;
	}
	options.path = path;
	if (tool_send_file(run, &options, on_binary_stat, &err) < 0)
		tool_fail(run, "%s: try again", err.text);
}

/* One that has no room alone, as far as it fits. */
static void say_cut_line(struct tool_run *run, const char *line, size_t room, uint64_t number)
{
	size_t length = utf8_whole_length(line, room);

	tool_say_bytes(run, line, length);
	tool_say(run,
		"\n(line %llu is cut after %zu bytes; use bash with cut or head -c for such "
		"lines)\n",
		(unsigned long long)number, length);
}

/* The lines with their numbers, as many as fit whole, and at least a part of the first. Returns how many. */
static uint64_t say_lines(struct tool_run *run, const char *data, size_t size, uint64_t first)
{
	const char *end = data + size, *newline;
	uint64_t number;
	size_t room = TOOL_DATA_MAX;

	for (number = first; data < end; number++) {
		char label[24];
		int n = snprintf(label, sizeof(label), "%llu\t", (unsigned long long)number);
		size_t length, needed;

		newline = memchr(data, '\n', (size_t)(end - data));
		length = (size_t)((newline ? newline : end) - data);
		needed = (size_t)n + length + 1;
		if (needed > room && number > first)
			break;
		tool_say_bytes(run, label, (size_t)n);
		if (needed > room) {
			say_cut_line(run, data, room - (size_t)n - 1, first);
			return 1;
		}
		tool_say_bytes(run, data, length);
		tool_say(run, "\n");
		room -= needed;
		data = newline ? newline + 1 : end;
	}
	return number - first;
}

static void say_rest(struct tool_run *run, const struct guest_reply *reply, uint64_t next)
{
	if (reply->total >= next)
		tool_say(run, "(%s%llu more lines; continue with offset %llu)\n",
			reply->text[0] ? "at least " : "",
			(unsigned long long)(reply->total - next + 1), (unsigned long long)next);
}

static void on_read(struct tool_run *run, const struct guest_reply *reply)
{
	const char *path = tool_string(run, "path", "");
	uint64_t first = tool_number(run, "offset", 1);
	uint64_t shown;
	const char *data, *image;
	size_t size;

	if (tool_has_failed(run, reply, path))
		return;
	data = tool_data(run, &size);
	image = first == 1 ? image_name(data, size) : NULL;
	if (image || memchr(data, '\0', size)) {
		ask_size(run, image);
		return;
	}
	if (size == 0 && first > 1) {
		tool_fail(run, "offset %llu is behind the end: %s has %llu lines",
			(unsigned long long)first, path, (unsigned long long)reply->total);
		return;
	}
	if (size == 0)
		tool_say(run, "(empty file)\n");
	shown = say_lines(run, data, size, first);
	say_rest(run, reply, first + shown);
}

static int start(struct tool_run *run, struct error *err)
{
	struct guest_file_options options = {.type = GUEST_READ,
		.flags = GUEST_FILE_LINES,
		.offset = tool_number(run, "offset", 1),
		.length = tool_number(run, "limit", TOOL_READ_LINES),
		.max_bytes = TOOL_DATA_MAX};
	char path[TOOL_PATH_MAX];
	int r;

	r = tool_path(run, tool_string(run, "path", ""), path, err);
	if (r < 0)
		return r;
	options.path = path;
	return tool_send_file(run, &options, on_read, err);
}

const struct tool tool_read = {
	.is_reader = true,
	.name = "read",
	.description = "Read a text file of the sandbox. Each line comes as its number, a tab and "
		       "the line; 500 lines and 256 KiB at a time, then how many remain.",
	.parameters = "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"path\"],"
		      "\"properties\":{"
		      "\"path\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":4095,"
		      "\"description\":\"File to read\"},"
		      "\"offset\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000000000000,"
		      "\"description\":\"First line, counted from 1\"},"
		      "\"limit\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":100000,"
		      "\"description\":\"Number of lines (500)\"}}}",
	.start = start,
};
