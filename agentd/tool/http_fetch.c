/*
 * A URL by the image's curl, inside the sandbox: its network's egress policy judges every connection,
 * those of redirects too, and agentd opens none.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agentd/tool/http_head.h"
#include "agentd/tool/http_request.h"
#include "agentd/tool/tool.h"
#include "base/cleanup.h"
#include "base/error.h"

#define FETCH_TIMEOUT_MS  30000u
#define FETCH_GRACE_MS	  5000u /* for curl to end by itself and say why */
#define FETCH_BODY_KEPT	  100000u
#define FETCH_HEADERS_MAX 65536u /* bytes of all answers' headers */
#define FETCH_OUTPUT_MAX  (128u << 20)
#define FETCH_FIELD_SHOWN 1000u /* bytes of one header, or of a URL */
#define FETCH_MESSAGE_MAX 300u

/* Exit codes of curl, as its manual page has them. */
enum {
	CURL_PARTIAL = 18,
	CURL_TIMEOUT = 28,
	CURL_RECEIVE = 56,
	EXIT_MISSING = 127,
};

static const struct {
	unsigned exit;
	const char *advice;
} advices[] = {
	{1, "only http and https are fetched, redirects too"},
	{3, "check the URL"},
	{5, "check the proxy that the sandbox's environment names"},
	{6, "check the name; the sandbox's network may not let it be found"},
	{7, "nothing listens there, or the sandbox's network does not let it be reached"},
	{CURL_PARTIAL, "the answer was cut: try again"},
	{CURL_TIMEOUT, "set a longer timeout, at most 120000, or use bash with background"},
	{35, "the server does not speak TLS there, or refuses it: check scheme and port"},
	{47, "fetch the address that it leads to"},
	{52, "the server closed without an answer: try again"},
	{CURL_RECEIVE, "the connection was cut: try again"},
	{60, "its certificate is not trusted: check the host's name and that the image has "
	     "ca-certificates"},
	{63, "use bash: curl -o FILE URL"},
	{77, "the image has no ca-certificates"},
};

/* Headers that say more than status and body; of HEAD all are shown. */
static const char *const useful[] = {"Location", "Link", "Retry-After", "Content-Disposition",
	"Last-Modified", "ETag", "Allow", "WWW-Authenticate", "Set-Cookie", "X-RateLimit-Remaining",
	"X-RateLimit-Reset"};

/* What curl has written to stderr, each as far as it came. */
struct outcome {
	unsigned status;
	size_t header_size;
	unsigned redirects;
	const char *url;     /* NULL: its last line did not come */
	const char *message; /* NULL: none */
};

static void parse_line(const char *line, struct outcome *outcome)
{
	struct outcome found = {.message = outcome->message};
	const char *message;
	int url = 0;

	if (strncmp(line, "curl: ", 6) == 0) {
		message = strstr(line, ") ");
		outcome->message = message ? message + 2 : line + 6;
	} else if (sscanf(line, "%3u %9zu %3u %n", &found.status, &found.header_size,
			   &found.redirects, &url) == 3 &&
		   url > 0) {
		found.url = line + url;
		*outcome = found;
	}
}

/* The texts are *ret_text's, which is the caller's to free. */
static struct outcome parse_errors(struct tool_run *run, char **ret_text)
{
	struct outcome outcome = {.url = NULL};
	struct evbuffer *text = evbuffer_new();
	size_t size = 0;
	char *rest;

	if (text && headtail_format(&run->errors, HEADTAIL_KEPT, text) == 0)
		size = evbuffer_get_length(text);
	*ret_text = rest = calloc(1, size + 1);
	if (rest && size > 0)
		evbuffer_copyout(text, rest, size);
	if (!text || !rest)
		run->is_out_of_memory = true;
	for (char *line; rest && (line = strsep(&rest, "\n"));)
		parse_line(line, &outcome);
	if (text)
		evbuffer_free(text);
	return outcome;
}

static void say_field(struct tool_run *run, const struct http_field *field)
{
	tool_say_line(run, field->name, field->name_length, FETCH_FIELD_SHOWN);
	tool_say(run, ": ");
	tool_say_line(run, field->value, field->value_length, FETCH_FIELD_SHOWN);
	tool_say(run, "\n");
}

static void say_fields(struct tool_run *run, const struct http_head *head)
{
	bool is_head = strcmp(tool_string(run, "method", "GET"), "HEAD") == 0;
	const char *at = head->start;
	struct http_field field;

	while (at && http_head_next(&at, head->end, &field)) {
		bool is_useful = is_head;

		for (size_t i = 0; i < ARRAY_SIZE(useful); i++)
			is_useful = is_useful || http_field_is(&field, useful[i]);
		if (is_useful)
			say_field(run, &field);
	}
}

static bool is_binary(const struct http_field *type, const char *body, size_t size)
{
	static const char *const kinds[] = {"image/", "audio/", "video/", "font/"};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		size_t length = strlen(kinds[i]);

		if (type->value_length > length &&
			strncasecmp(type->value, kinds[i], length) == 0 &&
			!memmem(type->value, type->value_length, "svg", 3))
			return true;
	}
	return size > 0 && memchr(body, '\0', size) != NULL;
}

static void say_body(struct tool_run *run, bool is_binary)
{
	struct headtail *body = &run->output;

	if (body->total == 0)
		tool_say(run, "(no body)\n");
	else if (is_binary)
		tool_say(run,
			"(binary, %llu bytes, not shown as text: save it by bash: curl -o FILE "
			"URL)\n",
			(unsigned long long)body->total);
	else if (headtail_format(body, FETCH_BODY_KEPT, run->text) < 0)
		run->is_out_of_memory = true;
}

/* "HTTP 200 text/html", headers, a blank line, the body. */
static void say_answer(struct tool_run *run, const struct outcome *outcome)
{
	size_t size = run->output.head ? evbuffer_get_length(run->output.head) : 0;
	const char *data = size > 0 ? (const char *)evbuffer_pullup(run->output.head, -1) : NULL;
	struct http_field type = {.value_length = 0};
	struct http_head head;
	bool binary;

	data = data ? data : "";
	head = http_head_find(data, size, outcome->header_size);
	http_head_get(&head, "Content-Type", &type);
	binary = is_binary(&type, head.end, size - (size_t)(head.end - data));
	tool_say(run, "HTTP %u", outcome->status);
	if (type.value_length > 0) {
		tool_say(run, " ");
		tool_say_line(run, type.value, type.value_length, FETCH_FIELD_SHOWN);
	}
	tool_say(run, "\n");
	if (outcome->redirects > 0) {
		tool_say(run, "URL: ");
		tool_say_line(run, outcome->url, strlen(outcome->url), FETCH_FIELD_SHOWN);
		tool_say(run, " (redirects: %u)\n", outcome->redirects);
	}
	say_fields(run, &head);
	tool_say(run, "\n");
	headtail_drain(&run->output, (size_t)(head.end - data));
	say_body(run, binary);
}

static const char *advice_find(unsigned exit)
{
	for (size_t i = 0; i < ARRAY_SIZE(advices); i++)
		if (advices[i].exit == exit)
			return advices[i].advice;
	return "try another way";
}

/* Of an answer that was cut, what came is said as well. */
static void say_failed(struct tool_run *run, const struct outcome *outcome, unsigned exit)
{
	bool is_cut = exit == CURL_PARTIAL || exit == CURL_TIMEOUT || exit == CURL_RECEIVE;

	if (outcome->message) {
		tool_fail(run, "%s", "");
		tool_say_line(run, outcome->message, strlen(outcome->message), FETCH_MESSAGE_MAX);
	} else {
		tool_fail(run, "curl ended with exit code %u", exit);
	}
	tool_say(run, ": %s\n", advice_find(exit));
	if (is_cut && outcome->url && outcome->status > 0)
		say_answer(run, outcome);
}

static void say_outcome(struct tool_run *run, const struct guest_reply *reply)
{
	auto_free char *text = NULL;
	struct outcome outcome = parse_errors(run, &text);
	char limits[LIMIT_TEXT_MAX];

	if (reply->signal)
		tool_fail(run, "curl was killed by signal %u: %s\n", reply->signal,
			limit_text_all(reply->limits_hit, &run->request.limits, limits));
	else if (reply->exit_status != 0)
		say_failed(run, &outcome, reply->exit_status);
	else if (!outcome.url)
		tool_fail(run, "curl did not say how it went: use bash with curl -v");
	else if (outcome.header_size > FETCH_HEADERS_MAX)
		tool_fail(run,
			"the answer has %zu bytes of headers, at most %u: use bash with curl",
			outcome.header_size, FETCH_HEADERS_MAX);
	else
		say_answer(run, &outcome);
}

static void on_fetched(struct tool_run *run, const struct guest_reply *reply)
{
	switch ((enum guest_end)reply->end) {
	case GUEST_END_FAILED:
		if (reply->exit_status != EXIT_MISSING) {
			tool_has_failed(run, reply, "curl");
			return;
		}
		tool_fail(run, "the sandbox's image has no curl: use bash with what it has (wget, "
			       "python3), or an image with curl");
		return;
	case GUEST_END_TIMEOUT:
		tool_fail(run, "timed out: %s", advice_find(CURL_TIMEOUT));
		return;
	case GUEST_END_CANCELLED:
		tool_fail(run, "cancelled");
		return;
	case GUEST_END_DONE:
	case GUEST_END_LOST:
		break;
	}
	say_outcome(run, reply);
}

static int send_request(struct tool_run *run, const struct http_request *request,
	uint32_t timeout_ms, const char *body, struct error *err)
{
	const struct guest_exec_options options = {.argv = request->argv,
		.flags = body ? GUEST_EXEC_STDIN : 0,
		.timeout_ms = timeout_ms + FETCH_GRACE_MS,
		.output_max = FETCH_OUTPUT_MAX};
	int r;

	if (body && evbuffer_add(run->input, body, strlen(body)) < 0)
		return error_set(err, ENOMEM, "out of memory");
	r = tool_send_exec(run, &options, on_fetched, err);
	if (r == 0 && body)
		tool_send_input(run);
	return r;
}

static int start(struct tool_run *run, struct error *err)
{
	const char *url = tool_string(run, "url", "");
	const char *method = tool_string(run, "method", "GET");
	const char *body = tool_string(run, "body", NULL);
	uint32_t timeout_ms = (uint32_t)tool_number(run, "timeout", FETCH_TIMEOUT_MS);
	struct http_request request;
	int r;

	/* The headers stand before the body, in the half that is the head. */
	run->is_quiet = true;
	run->output.kept = FETCH_BODY_KEPT + 2 * FETCH_HEADERS_MAX;
	run->request.limits.time_ms = timeout_ms;
	r = http_request_init(&request, url, method,
		json_object_get(run->request.arguments, "headers"), body, timeout_ms, err);
	if (r == 0)
		r = send_request(run, &request, timeout_ms, body, err);
	http_request_finish(&request);
	return r;
}

const struct tool tool_http_fetch = {
	.name = "http_fetch",
	.description =
		"Fetch an http or https URL from inside the sandbox, by its curl and within what "
		"its "
		"network allows. Answers status, type, useful headers and the body, of a long one "
		"100,000 bytes of head and tail. Redirects are followed for GET, HEAD and POST.",
	.parameters = "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"url\"],"
		      "\"properties\":{"
		      "\"url\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":8192,"
		      "\"description\":\"http:// or https://, percent-encoded, without user and "
		      "password\"},"
		      "\"method\":{\"type\":\"string\","
		      "\"enum\":[\"GET\",\"HEAD\",\"POST\",\"PUT\",\"PATCH\",\"DELETE\"],"
		      "\"description\":\"GET\"},"
		      "\"headers\":{\"type\":\"object\",\"description\":\"Name: value, strings\"},"
		      "\"body\":{\"type\":\"string\",\"description\":\"Sent as JSON where it is "
		      "JSON, else "
		      "as text, unless headers have a Content-Type\"},"
		      "\"timeout\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":120000,"
		      "\"description\":\"Milliseconds for all of it (30000)\"}}}",
	.start = start,
};
