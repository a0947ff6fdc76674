#include "agentd/tool/tool.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agentd/utf8.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"

/* What to do about a failure; errors without a row are told as they are. A tool's own rows go before those of all. */
static const struct {
	int code;
	const struct tool *tool; /* NULL: any */
	const char *advice;
} advices[] = {
	{EINVAL, &tool_grep, "mend the pattern; path must be a folder or a regular file"},
	{EINVAL, &tool_glob, "mend the pattern, and name the folder to search as path"},
	{ENOENT, NULL, "look for the right path with ls or glob"},
	{ENOTDIR, NULL, "a part of the path is a file; look with ls"},
	{EISDIR, NULL, "it is a directory; use ls for directories"},
	{EINVAL, NULL, "only regular files can be used"},
	{EACCES, NULL, "check its mode and owner with bash: ls -l"},
	{ELOOP, NULL, "a symbolic link leads nowhere; look with ls"},
	{EFBIG, NULL, "the file is too large; use bash on parts of it"},
	{ENOSPC, NULL, "delete something first"},
	{ENOMEM, NULL, "ask for less at a time"},
	{EROFS, NULL, "this part of the sandbox is read-only; use another place"},
	{EBUSY, NULL, "too much is under way in this sandbox; try again"},
};

static const char *advice_find(const struct tool *tool, int code)
{
	for (size_t i = 0; i < ARRAY_SIZE(advices); i++)
		if (advices[i].code == code && (!advices[i].tool || advices[i].tool == tool))
			return advices[i].advice;
	return "try another way";
}

static void run_destroy(struct tool_run *run)
{
	if (!run)
		return;
	if (run->input)
		evbuffer_free(run->input);
	if (run->data)
		evbuffer_free(run->data);
	if (run->text)
		evbuffer_free(run->text);
	headtail_finish(&run->output);
	headtail_finish(&run->errors);
	if (run->finish)
		event_free(run->finish);
	free(run->state);
	free(run);
}

static void cleanup_run(struct tool_run **run)
{
	run_destroy(*run);
}
#define auto_run __attribute__((cleanup(cleanup_run)))

int tool_start(const struct tool_request *request, const struct tool_callbacks *callbacks,
	struct tool_run **ret_run, struct error *err)
{
	auto_run struct tool_run *run = calloc(1, sizeof(*run));
	int r;

	if (!run)
		return error_set(err, ENOMEM, "out of memory");
	run->request = *request;
	run->request.limits.time_ms = GUEST_FILE_TIMEOUT;
	run->callbacks = *callbacks;
	run->begun_ns = clock_now_ns();
	run->input = evbuffer_new();
	run->data = evbuffer_new();
	run->text = evbuffer_new();
	if (!run->input || !run->data || !run->text)
		return error_set(err, ENOMEM, "out of memory");
	r = request->tool->start(run, err);
	if (r < 0)
		return r;
	*ret_run = take_ptr(&run);
	return 0;
}

void tool_cancel(struct tool_run *run)
{
	if (run->in_flight)
		guest_request_cancel(run->in_flight);
	else if (run->on_cancel)
		run->on_cancel(run);
}

static void gather(struct tool_run *run, enum guest_stream stream, const void *data, uint32_t size)
{
	size_t room = TOOL_DATA_MAX - evbuffer_get_length(run->data);
	int r = 0;

	/* The guest is asked to send no more than this, and is not trusted to obey. */
	if (stream == GUEST_DATA)
		r = evbuffer_add(run->data, data, size < room ? size : room);
	else
		r = headtail_add(stream == GUEST_STDOUT ? &run->output : &run->errors, data, size);
	if (r < 0)
		run->is_out_of_memory = true;
}

static void on_output(void *arg, enum guest_stream stream, const void *data, uint32_t size)
{
	struct tool_run *run = arg;

	gather(run, stream, data, size);
	if (stream != GUEST_DATA && !run->is_quiet && run->callbacks.on_output)
		run->callbacks.on_output(run->callbacks.arg, stream, data, size);
}

static void on_credit(void *arg)
{
	tool_send_input(arg);
}

/* The only place where a run ends. */
static void run_end(struct tool_run *run, const struct guest_reply *reply)
{
	struct tool_result result = {.text = run->text};

	if (run->is_out_of_memory)
		tool_fail(run, "agentd is out of memory: try again");
	tool_end_line(run);
	result.is_error = run->is_error;
	result.reply = run->has_receipt ? &run->receipt : reply;
	run->callbacks.on_done(run->callbacks.arg, &result);
	run_destroy(run);
}

/* A request of this run has ended. */
static void on_reply(void *arg, const struct guest_reply *reply)
{
	struct tool_run *run = arg;

	run->in_flight = NULL;
	if (reply->end != GUEST_END_LOST)
		run->on_reply(run, reply);
	if (!run->in_flight)
		run_end(run, reply);
}

void tool_finish(struct tool_run *run)
{
	const struct guest_reply reply = {
		.end = GUEST_END_DONE, .wall_ns = clock_now_ns() - run->begun_ns};

	run_end(run, &reply);
}

static void on_finish(evutil_socket_t fd, short events, void *arg)
{
	(void)fd;
	(void)events;
	tool_finish(arg);
}

int tool_finish_later(struct tool_run *run, struct error *err)
{
	run->finish = evtimer_new(run->request.base, on_finish, run);
	if (!run->finish)
		return error_set(err, ENOMEM, "out of memory");
	event_active(run->finish, EV_TIMEOUT, 0);
	return 0;
}

static struct guest_callbacks callbacks_of(struct tool_run *run)
{
	return (struct guest_callbacks){
		.on_output = on_output, .on_credit = on_credit, .on_reply = on_reply, .arg = run};
}

int tool_send_file(struct tool_run *run, const struct guest_file_options *options,
	void (*next)(struct tool_run *run, const struct guest_reply *reply), struct error *err)
{
	struct guest_callbacks callbacks = callbacks_of(run);

	evbuffer_drain(run->data, evbuffer_get_length(run->data));
	run->on_reply = next;
	return guest_client_file(run->request.guest, options, &callbacks, &run->in_flight, err);
}

int tool_send_exec(struct tool_run *run, const struct guest_exec_options *options,
	void (*next)(struct tool_run *run, const struct guest_reply *reply), struct error *err)
{
	struct guest_callbacks callbacks = callbacks_of(run);

	run->on_reply = next;
	return guest_client_exec(run->request.guest, options, &callbacks, &run->in_flight, err);
}

void tool_send_input(struct tool_run *run)
{
	while (run->in_flight && !run->is_input_ended) {
		size_t left = evbuffer_get_length(run->input);
		size_t credit = guest_request_credit(run->in_flight);
		size_t size = left < GUEST_CHUNK_MAX ? left : GUEST_CHUNK_MAX;

		if (size > credit)
			size = credit;
		if (size == 0 && left > 0)
			return;
		/* A failure is the channel's end: its reply is on the way. */
		if (guest_request_input(run->in_flight,
			    evbuffer_pullup(run->input, (ev_ssize_t)size), (uint32_t)size,
			    size == left) < 0)
			return;
		evbuffer_drain(run->input, size);
		run->is_input_ended = size == left;
	}
}

void tool_say(struct tool_run *run, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (evbuffer_add_vprintf(run->text, format, arguments) < 0)
		run->is_out_of_memory = true;
	va_end(arguments);
}

void tool_say_bytes(struct tool_run *run, const void *data, size_t size)
{
	if (evbuffer_add(run->text, data, size) < 0)
		run->is_out_of_memory = true;
}

void tool_end_line(struct tool_run *run)
{
	size_t length = evbuffer_get_length(run->text);
	struct evbuffer_ptr last;
	char c = '\n';

	if (length == 0)
		return;
	if (evbuffer_ptr_set(run->text, &last, length - 1, EVBUFFER_PTR_SET) == 0)
		evbuffer_copyout_from(run->text, &last, &c, 1);
	if (c != '\n')
		tool_say(run, "\n");
}

void tool_say_name(struct tool_run *run, const char *name)
{
	for (; *name; name++) {
		unsigned char c = (unsigned char)*name;

		if (c == '\n')
			tool_say(run, "\\n");
		else if (c < 0x20 || c == 0x7f)
			tool_say(run, "\\x%02x", c);
		else
			tool_say_bytes(run, name, 1);
	}
}

void tool_say_line(struct tool_run *run, const char *text, size_t length, size_t max)
{
	size_t said = 0;
	bool is_cut = length > max;

	if (is_cut)
		length = utf8_whole_length(text, max);
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c > 0x20 && c != 0x7f) {
			tool_say_bytes(run, text + i, 1);
			said++;
		} else if (said > 0 && i + 1 < length && (unsigned char)text[i + 1] > 0x20) {
			tool_say_bytes(run, " ", 1);
		}
	}
	if (is_cut)
		tool_say(run, " [... cut]");
}

void tool_say_found(struct tool_run *run, const char *path)
{
	bool is_default = !json_object_get(run->request.arguments, "path");

	tool_say_name(run, is_default && strncmp(path, "./", 2) == 0 ? path + 2 : path);
}

void tool_say_left_out(struct tool_run *run, const struct guest_reply *reply)
{
	if (reply->text[0] == '\0')
		return;
	tool_say(run, "(not searched: ");
	tool_say_name(run, reply->text);
	tool_say(run, "; name a smaller folder as path, or use find with bash)\n");
}

void tool_fail(struct tool_run *run, const char *format, ...)
{
	va_list arguments;

	evbuffer_drain(run->text, evbuffer_get_length(run->text));
	run->is_error = true;
	tool_say(run, "Error: ");
	va_start(arguments, format);
	evbuffer_add_vprintf(run->text, format, arguments);
	va_end(arguments);
}

/* "write /x (ENOSPC): disk full, limit 512 MiB: delete something first" */
static void say_failed(struct tool_run *run, const struct guest_reply *reply, const char *path)
{
	int code = (int)reply->error;
	char limits[LIMIT_TEXT_MAX];

	if (reply->text[0])
		tool_fail(run, "%s (%s)", reply->text, error_name(code));
	else
		tool_fail(run, "%s: %s (%s)", path, strerror(code), error_name(code));
	limit_text_all(reply->limits_hit, &run->request.limits, limits);
	tool_say(run, "%s%s: %s", limits[0] ? ": " : "", limits,
		advice_find(run->request.tool, code));
}

bool tool_has_failed(struct tool_run *run, const struct guest_reply *reply, const char *path)
{
	char text[LIMIT_TEXT_MAX];

	switch ((enum guest_end)reply->end) {
	case GUEST_END_DONE:
		return false;
	case GUEST_END_FAILED:
		say_failed(run, reply, path);
		return true;
	case GUEST_END_TIMEOUT:
		tool_fail(run, "%s: %s, it was stopped: ask for less", path,
			limit_text(LIMIT_HIT_TIME, &run->request.limits, text));
		return true;
	case GUEST_END_CANCELLED:
	case GUEST_END_LOST:
		break;
	}
	tool_fail(run, "cancelled");
	return true;
}

const char *tool_string(const struct tool_run *run, const char *name, const char *otherwise)
{
	const char *value = json_string_value(json_object_get(run->request.arguments, name));

	return value ? value : otherwise;
}

uint64_t tool_number(const struct tool_run *run, const char *name, uint64_t otherwise)
{
	const json_t *value = json_object_get(run->request.arguments, name);

	return value ? (uint64_t)json_integer_value(value) : otherwise;
}

bool tool_flag(const struct tool_run *run, const char *name)
{
	return json_is_true(json_object_get(run->request.arguments, name));
}

const char *tool_cwd(const struct tool_run *run)
{
	const struct tool_shell *shell = run->request.shell;

	return shell && shell->cwd[0] ? shell->cwd : run->request.cwd;
}

int tool_path(const struct tool_run *run, const char *path, char to[static TOOL_PATH_MAX],
	struct error *err)
{
	const char *cwd = tool_cwd(run);
	int length;

	if (path[0] == '/' || !cwd)
		length = snprintf(to, TOOL_PATH_MAX, "%s", path);
	else if (strcmp(path, ".") == 0)
		length = snprintf(to, TOOL_PATH_MAX, "%s", cwd);
	else
		length = snprintf(to, TOOL_PATH_MAX, "%s/%s", cwd, path);
	if (length >= TOOL_PATH_MAX)
		return error_set(err, ENAMETOOLONG, "path of %d bytes: at most %d", length,
			TOOL_PATH_MAX - 1);
	return 0;
}

const char *tool_data(struct tool_run *run, size_t *ret_size)
{
	const unsigned char *data = evbuffer_pullup(run->data, -1);

	*ret_size = data ? evbuffer_get_length(run->data) : 0;
	return data ? (const char *)data : "";
}

const char *tool_next_string(const char **at, const char *end)
{
	const char *string = *at;
	const char *nul = string < end ? memchr(string, '\0', (size_t)(end - string)) : NULL;

	if (!nul)
		return NULL;
	*at = nul + 1;
	return string;
}
