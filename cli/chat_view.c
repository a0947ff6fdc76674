#include "cli/chat_view.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli/plain.h"

#define DIM   "\033[2m"
#define PLAIN "\033[0m"

void chat_view_init(struct chat_view *view, FILE *to)
{
	memset(view, 0, sizeof(*view));
	view->to = to;
	view->has_colour = plain_has_colour(to);
}

static void set_dim(struct chat_view *view, bool is_dim)
{
	if (view->has_colour && view->is_dim != is_dim)
		fputs(is_dim ? DIM : PLAIN, view->to);
	view->is_dim = is_dim;
}

void chat_view_end_line(struct chat_view *view)
{
	set_dim(view, false);
	if (view->is_in_line)
		fputc('\n', view->to);
	view->is_in_line = false;
}

static void print_text(struct chat_view *view, const json_t *text, bool is_dim)
{
	size_t size = json_string_length(text);

	if (size == 0)
		return;
	if (view->is_dim != is_dim)
		chat_view_end_line(view);
	set_dim(view, is_dim);
	plain_print(view->to, json_string_value(text), size);
	view->is_in_line = json_string_value(text)[size - 1] != '\n';
}

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

/* What says most about a call: the first of these that it has, else all of its arguments. */
static void print_arguments(FILE *to, const json_t *arguments)
{
	static const char *const telling[] = {
		"command", "pattern", "url", "query", "path", "text", "content"};
	auto_free char *all = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(telling); i++)
		if (json_is_string(json_object_get(arguments, telling[i]))) {
			plain_print_line(to, text_of(arguments, telling[i]), CHAT_VIEW_LINE_MAX);
			return;
		}
	if (json_is_string(arguments)) { /* of a model that did not write JSON */
		plain_print_line(to, json_string_value(arguments), CHAT_VIEW_LINE_MAX);
		return;
	}
	if (json_object_size(arguments) > 0)
		all = json_dumps(arguments, JSON_COMPACT);
	plain_print_line(to, all ? all : "", CHAT_VIEW_LINE_MAX);
}

static void print_call(struct chat_view *view, const char *name, const json_t *arguments)
{
	chat_view_end_line(view);
	set_dim(view, true);
	fputs("> ", view->to);
	plain_print_line(view->to, name, CHAT_VIEW_LINE_MAX);
	fputc(' ', view->to);
	print_arguments(view->to, arguments);
	view->is_in_line = true;
	chat_view_end_line(view);
}

/* The first line of an error's text, without the word that the line begins with already. */
static void print_error(struct chat_view *view, const char *text)
{
	static const char word[] = "Error:";
	auto_free char *line = strndup(text, strcspn(text, "\n"));

	chat_view_end_line(view);
	set_dim(view, true);
	fputs("  error: ", view->to);
	if (line)
		plain_print_line(view->to,
			strncmp(line, word, strlen(word)) == 0 ? line + strlen(word) : line,
			CHAT_VIEW_LINE_MAX);
	view->is_in_line = true;
	chat_view_end_line(view);
}

static void note_start(struct chat_view *view, const char *id)
{
	unsigned at = view->calls++ % CHAT_VIEW_CALLS_MAX;

	view->call[at].since_ms = clock_now_ms();
	if (text_copy(view->call[at].id, sizeof(view->call[at].id), id) < 0)
		view->call[at].id[0] = '\0';
}

/* By its receipt; else since it was seen to begin; else -1. */
static double seconds_of(const struct chat_view *view, const json_t *call)
{
	const json_t *wall = json_object_get(json_object_get(call, "receipt"), "wall_ms");
	const char *id = text_of(call, "id");

	if (json_is_number(wall))
		return json_number_value(wall) / 1000;
	for (unsigned i = 0; id[0] && i < CHAT_VIEW_CALLS_MAX; i++)
		if (strcmp(view->call[i].id, id) == 0)
			return (double)(clock_now_ms() - view->call[i].since_ms) / 1000;
	return -1;
}

static void print_done(struct chat_view *view, const json_t *call)
{
	double seconds = seconds_of(view, call);

	chat_view_end_line(view);
	set_dim(view, true);
	fputs("  ok", view->to);
	if (seconds >= 0)
		fprintf(view->to, " %.*f s", seconds < 0.1 ? 3 : 1, seconds);
	view->is_in_line = true;
	chat_view_end_line(view);
}

static void on_tool_call(struct chat_view *view, const json_t *call)
{
	const char *state = text_of(call, "state");

	if (strcmp(state, "calling") == 0) {
		note_start(view, text_of(call, "id"));
		print_call(view, text_of(call, "name"), json_object_get(call, "arguments"));
	} else if (strcmp(state, "completed") == 0) {
		print_done(view, call);
	} else if (strcmp(state, "error") == 0) {
		print_error(view, text_of(call, "result"));
	}
}

void chat_view_frame(struct chat_view *view, const json_t *frame)
{
	const json_t *choice = json_array_get(json_object_get(frame, "choices"), 0);

	print_text(view, json_object_get(choice, "thinking"), true);
	print_text(view, json_object_get(json_object_get(choice, "delta"), "content"), false);
	if (json_object_get(choice, "tool_call"))
		on_tool_call(view, json_object_get(choice, "tool_call"));
	fflush(view->to);
}

/* {id, type, function: {name, arguments}}; the arguments are the model's text, which need not be JSON. */
static void print_kept_call(struct chat_view *view, const json_t *call)
{
	const json_t *function = json_object_get(call, "function");
	const json_t *text = json_object_get(function, "arguments");
	json_auto_t *arguments =
		json_loadb(text_of(function, "arguments"), json_string_length(text), 0, NULL);

	print_call(view, text_of(function, "name"), arguments ? arguments : text);
}

static void print_kept_result(struct chat_view *view, const char *text)
{
	if (strncmp(text, "Error:", 6) == 0) {
		print_error(view, text);
		return;
	}
	set_dim(view, true);
	fputs("  ", view->to);
	plain_print_line(view->to, text, CHAT_VIEW_LINE_MAX);
	view->is_in_line = true;
	chat_view_end_line(view);
}

void chat_view_message(struct chat_view *view, const char *agent, const json_t *message)
{
	const char *role = text_of(message, "role");
	const json_t *content = json_object_get(message, "content");
	size_t i;
	json_t *call;

	chat_view_end_line(view);
	if (strcmp(role, "tool") == 0) {
		print_kept_result(view, text_of(message, "content"));
		return;
	}
	if (json_string_length(content) > 0) {
		fputc('\n', view->to);
		plain_print_line(view->to, strcmp(role, "assistant") == 0 ? agent : role,
			CHAT_VIEW_LINE_MAX);
		fputs(": ", view->to);
		print_text(view, content, false);
		chat_view_end_line(view);
	}
	json_array_foreach(json_object_get(message, "tool_calls"), i, call)
		print_kept_call(view, call);
}
