#include "agentd/upstream/attempt.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "agentd/upstream/dialect.h"
#include "agentd/upstream/loose_json.h"
#include "agentd/upstream/provider.h"
#include "agentd/upstream/transfer.h"
#include "base/cleanup.h"

#define URL_MAX	   (PROVIDER_URL_MAX + 64)
#define HEADER_MAX (SECRET_MAX + 64)

static bool is_success(long http)
{
	return http >= 200 && http <= 299;
}

/* One event of the stream. */
static int on_event(void *arg, const char *data, size_t size)
{
	const struct timeval grace = {0, ATTEMPT_GRACE_MS * 1000};
	struct attempt *attempt = arg;
	int r;

	if (attempt->is_cancelled)
		return -ECANCELED;
	if (attempt->reply.is_last)
		return 0;
	attempt->has_event = true;
	r = dialect_read(
		attempt->provider->dialect, &attempt->reply, false, data, size, &attempt->why);
	if (attempt->reply.is_last)
		event_add(attempt->grace, &grace);
	return r;
}

/* All has been said, but the server does not end its answer. */
static void on_grace(evutil_socket_t fd, short events, void *arg)
{
	struct attempt *attempt = arg;

	(void)fd;
	(void)events;
	transfer_cancel(attempt->transfer);
}

static void on_status(void *arg, long http)
{
	struct attempt *attempt = arg;

	if (!is_success(http))
		attempt->body = ATTEMPT_FAULT;
}

/* No field of an event begins like JSON. */
static void tell_kind(struct attempt *attempt, const char *data, size_t size)
{
	size_t blanks = 0;

	while (blanks < size && strchr(" \t\r\n", data[blanks]) && data[blanks])
		blanks++;
	if (blanks < size)
		attempt->body =
			data[blanks] == '{' || data[blanks] == '[' ? ATTEMPT_PLAIN : ATTEMPT_EVENTS;
}

static int keep(struct attempt *attempt, const char *data, size_t size, size_t max)
{
	size_t left = max - evbuffer_get_length(attempt->plain);

	if (size > left && attempt->body == ATTEMPT_PLAIN)
		return error_set(&attempt->why, E2BIG, "the answer has more than %zu bytes", max);
	if (evbuffer_add(attempt->plain, data, size < left ? size : left) < 0)
		return error_set(&attempt->why, ENOMEM, "out of memory for an answer");
	return 0;
}

static bool on_data(void *arg, const char *data, size_t size)
{
	struct attempt *attempt = arg;
	int r = 0;

	if (attempt->body == ATTEMPT_UNKNOWN)
		tell_kind(attempt, data, size);
	switch (attempt->body) {
	case ATTEMPT_UNKNOWN: /* blanks so far */
		break;
	case ATTEMPT_EVENTS:
		r = sse_feed(&attempt->sse, data, size);
		break;
	case ATTEMPT_PLAIN:
		r = keep(attempt, data, size, ATTEMPT_PLAIN_MAX);
		break;
	case ATTEMPT_FAULT:
		r = keep(attempt, data, size, ATTEMPT_FAULT_MAX);
		break;
	}
	attempt->read_status = r;
	return r == 0 && !attempt->is_cancelled;
}

/* What is read when all bytes are there. */
static void read_rest(struct attempt *attempt)
{
	size_t size = evbuffer_get_length(attempt->plain);
	const char *data = (const char *)evbuffer_pullup(attempt->plain, -1);

	if (attempt->body == ATTEMPT_EVENTS)
		attempt->read_status = sse_end(&attempt->sse);
	if (attempt->body == ATTEMPT_PLAIN)
		attempt->read_status = dialect_read(attempt->provider->dialect, &attempt->reply,
			true, data ? data : "", size, &attempt->why);
}

/* What the server wrote with its HTTP error; or nothing. */
static void read_fault(struct attempt *attempt, char text[static REPLY_FAULT_MAX])
{
	size_t size = evbuffer_get_length(attempt->plain);
	const char *data = (const char *)evbuffer_pullup(attempt->plain, -1);
	json_auto_t *json = NULL;
	bool is_loose;

	text[0] = '\0';
	if (!data)
		return;
	json = loose_json_parse(data, size, &is_loose);
	dialect_fault(json, text);
	if (!text[0])
		dialect_line(data, size, text);
}

static void judge_http(
	struct attempt *attempt, struct attempt_outcome *outcome, long http, const char *text)
{
	const char *between = *text ? ": " : "";

	outcome->verdict = verdict_of_http(http, text, &outcome->status);
	if (outcome->status == -EACCES)
		error_set(&outcome->why, EACCES, "access was refused (HTTP %ld%s%s): check %s",
			http, between, text, attempt->provider->key_name);
	else if (outcome->status == -ENOENT)
		error_set(&outcome->why, ENOENT,
			"not found (HTTP %ld%s%s): check the model's name and base_url", http,
			between, text);
	else if (outcome->status == -EMSGSIZE)
		error_set(&outcome->why, EMSGSIZE, "too much for this model (HTTP %ld%s%s)", http,
			between, text);
	else if (outcome->status == -EINVAL)
		error_set(&outcome->why, EINVAL, "the request was refused (HTTP %ld%s%s)", http,
			between, text);
	else if (outcome->status == -EBUSY)
		error_set(&outcome->why, EBUSY,
			"it is limited now (HTTP %ld%s%s): try later, or name a fallback", http,
			between, text);
	else
		error_set(&outcome->why, -outcome->status, "HTTP %ld%s%s", http, between, text);
}

static void judge_errno(struct attempt_outcome *outcome, int error, const char *text)
{
	outcome->verdict = verdict_of_errno(error, &outcome->status);
	error_set(&outcome->why, -outcome->status, "%s", *text ? text : strerror(-error));
}

/* It did not come to a complete reply: why? */
static void judge(
	struct attempt *attempt, const struct transfer_end *end, struct attempt_outcome *outcome)
{
	char text[REPLY_FAULT_MAX];

	if (attempt->read_status == -EREMOTEIO) {
		judge_http(attempt, outcome, attempt->reply.fault_http, attempt->reply.fault);
	} else if (attempt->read_status < 0) {
		judge_errno(outcome, attempt->read_status, attempt->why.text);
	} else if (end->http_status > 0 && !is_success(end->http_status)) {
		read_fault(attempt, text);
		judge_http(attempt, outcome, end->http_status, text);
	} else if (end->status < 0 && !attempt->reply.is_last) {
		judge_errno(outcome, end->status, end->error);
	} else if (attempt->has_event) {
		judge_errno(outcome, -ECONNRESET, "the reply ended before it was complete");
	} else {
		judge_errno(outcome, -EPROTO, "the answer is neither JSON nor a stream of events");
	}
}

static void on_done(void *arg, const struct transfer_end *end)
{
	struct attempt *attempt = arg;
	struct attempt_outcome outcome = {.retry_after_s = end->retry_after_s};

	attempt->transfer = NULL;
	event_del(attempt->grace);
	if (end->status == 0 && attempt->read_status == 0)
		read_rest(attempt);
	if (attempt->is_cancelled)
		judge_errno(&outcome, -ECANCELED, "cancelled");
	else if (attempt->read_status < 0 || !attempt->reply.is_complete)
		judge(attempt, end, &outcome);
	secret_redact(attempt->provider->key, outcome.why.text);
	attempt->on_end(attempt->arg, &outcome);
}

static int start_transfer(
	struct attempt *attempt, const struct attempt_target *target, struct error *err)
{
	const struct provider *provider = target->provider;
	const struct transfer_callbacks callbacks = {
		.on_status = on_status, .on_data = on_data, .on_done = on_done, .arg = attempt};
	const char *headers[] = {"Content-Type: application/json", "Accept: text/event-stream",
		provider->dialect->header, NULL};
	char url[URL_MAX], key_header[HEADER_MAX];
	const struct transfer_request request = {
		.method = "POST",
		.url = url,
		.socket_path = provider->socket_path,
		.headers = headers,
		.secret_header = provider->key ? key_header : NULL,
		.body = target->body,
		.body_size = target->body_size,
		.connect_timeout_ms = target->connect_timeout_ms,
		.stall_timeout_ms = target->stall_timeout_ms,
		.response_max = ATTEMPT_WIRE_MAX,
	};
	int r = 0;

	snprintf(url, sizeof(url), "%s%s", provider->base_url, provider->dialect->path);
	if (provider->key)
		r = secret_format(provider->key, provider->dialect->key_header, key_header,
			sizeof(key_header));
	if (r == 0)
		r = transfer_start(
			target->transfers, &request, &callbacks, &attempt->transfer, err);
	explicit_bzero(key_header, sizeof(key_header));
	return r;
}

int attempt_start(struct attempt *attempt, const struct attempt_target *target,
	const struct upstream_callbacks *callbacks, attempt_end_fn on_end, void *arg,
	struct error *err)
{
	*attempt = (struct attempt){.provider = target->provider, .on_end = on_end, .arg = arg};
	attempt->plain = evbuffer_new();
	attempt->grace = event_new(target->base, -1, 0, on_grace, attempt);
	if (reply_init(&attempt->reply, callbacks) < 0 ||
		sse_init(&attempt->sse, on_event, attempt) < 0 || !attempt->plain ||
		!attempt->grace)
		return error_set(err, ENOMEM, "out of memory for a request");
	return start_transfer(attempt, target, err);
}

void attempt_cancel(struct attempt *attempt)
{
	attempt->is_cancelled = true;
	transfer_cancel(attempt->transfer);
}

void attempt_finish(struct attempt *attempt)
{
	reply_finish(&attempt->reply);
	sse_finish(&attempt->sse);
	if (attempt->plain)
		evbuffer_free(attempt->plain);
	if (attempt->grace)
		event_free(attempt->grace);
	*attempt = (struct attempt){0};
}
