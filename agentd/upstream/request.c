#include "agentd/upstream/request.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "agentd/upstream/attempt.h"
#include "agentd/upstream/candidates.h"
#include "agentd/upstream/dialect.h"
#include "agentd/utf8.h"
#include "base/cleanup.h"
#include "base/error.h"

struct upstream_request {
	struct list in_upstream;
	struct list in_queue; /* of its provider */
	struct upstream *upstream;
	struct upstream_callbacks callbacks;
	struct candidates candidates;
	json_t *messages, *tools, *options; /* shared with who asks; not changed */
	char *reasoning;
	char *body; /* for the candidate at hand; NULL: not made yet */
	struct event *timer;
	struct attempt attempt; /* the last one's reply stays until the next */
	unsigned tries, tries_of_model;
	bool has_slot, is_cancelled;
	struct upstream_usage usage;
	long retry_after_s;
	struct error why;
};

static void request_destroy(struct upstream_request *request)
{
	if (!request)
		return;
	candidates_finish(&request->candidates);
	attempt_finish(&request->attempt);
	json_decref(request->messages);
	json_decref(request->tools);
	json_decref(request->options);
	free(request->reasoning);
	free(request->body);
	if (request->timer)
		event_free(request->timer);
	free(request);
}

static const struct candidate *candidate_of(const struct upstream_request *request)
{
	return &request->candidates.items[request->candidates.at];
}

static void wake_in(struct upstream_request *request, uint32_t ms)
{
	const struct timeval delay = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};

	if (ms > 0)
		event_add(request->timer, &delay);
	else /* in the order of waking, which timers do not keep */
		event_active(request->timer, EV_TIMEOUT, 1);
}

/* A turn, or a place in the queue: then false. */
static bool take_slot(struct upstream_request *request)
{
	struct provider *provider = candidate_of(request)->provider;

	if (request->has_slot)
		return true;
	if (provider->running == provider->concurrency) {
		list_append(&provider->queue, &request->in_queue);
		return false;
	}
	provider->running++;
	request->has_slot = true;
	return true;
}

/* The turn goes to who has waited longest. */
static void give_slot(struct upstream_request *request)
{
	struct provider *provider = candidate_of(request)->provider;
	struct upstream_request *next =
		list_first(&provider->queue, struct upstream_request, in_queue);

	if (!request->has_slot)
		return;
	request->has_slot = false;
	if (!next) {
		provider->running--;
		return;
	}
	list_remove(&next->in_queue);
	next->has_slot = true;
	wake_in(next, 0);
}

/* Of which model it was; what does not fit is cut off in whole characters. */
static void name_model(struct upstream_request *request)
{
	char *text = request->why.text;

	error_prefix(&request->why, 0, "%s", candidate_of(request)->name);
	text[utf8_whole_length(text, strlen(text))] = '\0';
}

/* The only place that ends a request. */
static void finish(struct upstream_request *request, int status)
{
	const struct candidate *candidate = candidate_of(request);
	struct upstream_result result = {
		.finish = request->attempt.reply.finish,
		.model = candidate->name,
		.tries = request->tries,
		.usage = request->usage,
		.is_scripted = candidate->provider->is_scripted,
	};
	json_auto_t *message = NULL;

	give_slot(request);
	list_remove(&request->in_queue);
	list_remove(&request->in_upstream);
	request->upstream->request_count--;
	if (status == 0) {
		if (reply_message(&request->attempt.reply, &message, &request->why) < 0) {
			name_model(request);
			status = -EPROTO;
		}
		result.finish = request->attempt.reply.finish;
	} else if (status == -ECONNRESET || status == -ETIMEDOUT || status == -ECANCELED) {
		message = reply_partial(&request->attempt.reply);
	}
	if (status == -EBUSY && request->retry_after_s > 0)
		result.retry_after_ms = request->retry_after_s < UINT32_MAX / 1000
						? (uint32_t)request->retry_after_s * 1000
						: UINT32_MAX;
	result.status = status;
	result.error = status < 0 ? request->why.text : "";
	result.message = message;
	request->callbacks.on_done(request->callbacks.arg, &result);
	request_destroy(request);
}

/* The object's last brace gives way to the tools. */
static int write_body(struct upstream_request *request, const struct dialect *dialect,
	const json_t *body, struct error *err)
{
	auto_free char *text = json_dumps(body, JSON_COMPACT);
	const char *tools = NULL;
	bool has_tools = json_array_size(request->tools) > 0;

	if (text && has_tools)
		tools = tools_text_get(&request->upstream->tools_text, dialect, request->tools);
	if (!text || (has_tools && !tools))
		return error_set(err, ENOMEM, "out of memory for a request");
	if (!has_tools) {
		request->body = take_ptr(&text);
	} else if (asprintf(&request->body, "%.*s,\"tools\":%s}", (int)strlen(text) - 1, text,
			   tools) < 0) {
		request->body = NULL;
		return error_set(err, ENOMEM, "out of memory for a request");
	}
	return 0;
}

static int make_body(struct upstream_request *request, struct error *err)
{
	const struct candidate *candidate = candidate_of(request);
	const struct dialect_ask ask = {
		.model = candidate->model,
		.messages = request->messages,
		.tools = request->tools,
		.options = request->options,
		.reasoning = request->reasoning,
		.traits = candidate->provider->traits,
	};
	json_auto_t *body = NULL;
	int r;

	if (request->body)
		return 0;
	r = candidate->provider->dialect->encode(&ask, &body, err);
	if (r < 0)
		return r;
	return write_body(request, candidate->provider->dialect, body, err);
}

static void tell_retry(struct upstream_request *request, uint32_t wait_ms)
{
	if (request->callbacks.on_retry)
		request->callbacks.on_retry(request->callbacks.arg, candidate_of(request)->name,
			request->why.text, wait_ms);
}

/* False: there is none. */
static bool go_to_next(struct upstream_request *request)
{
	if (request->candidates.at + 1 == request->candidates.count)
		return false;
	request->candidates.at++;
	request->tries_of_model = 0;
	free(take_ptr(&request->body));
	wake_in(request, 0);
	tell_retry(request, 0);
	return true;
}

static void go_again(struct upstream_request *request, long retry_after_s)
{
	const struct upstream *upstream = request->upstream;
	uint32_t random = 0, wait;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = 0; /* a moment after the boot: all wait the full time */
	wait = verdict_wait_ms(request->tries_of_model, upstream->first_wait_ms,
		upstream->last_wait_ms, retry_after_s, random);
	wake_in(request, wait);
	tell_retry(request, wait);
}

/* What its reader has seen is not said twice: a cut is the end then. */
static int status_after_text(int status)
{
	return status == -ETIMEDOUT || status == -EPROTO ? status : -ECONNRESET;
}

static void on_attempt_end(void *arg, const struct attempt_outcome *outcome)
{
	struct upstream_request *request = arg;
	const struct reply *reply = &request->attempt.reply;
	bool may_go_on = outcome->verdict != VERDICT_END && !reply->has_passed_text;

	request->usage.prompt_tokens += reply->usage.prompt_tokens;
	request->usage.completion_tokens += reply->usage.completion_tokens;
	request->retry_after_s = outcome->retry_after_s;
	give_slot(request);
	if (request->is_cancelled || request->upstream->is_closing) {
		error_set(&request->why, ECANCELED, "cancelled");
		finish(request, -ECANCELED);
		return;
	}
	if (outcome->verdict == VERDICT_DONE) {
		finish(request, 0);
		return;
	}
	request->why = outcome->why;
	name_model(request);
	if (may_go_on && outcome->verdict == VERDICT_AGAIN &&
		request->tries_of_model < request->upstream->tries)
		go_again(request, outcome->retry_after_s);
	else if (!may_go_on || !go_to_next(request))
		finish(request, reply->has_passed_text ? status_after_text(outcome->status)
						       : outcome->status);
}

static void try(struct upstream_request *request)
{
	const struct upstream *upstream = request->upstream;
	struct attempt_target target = {
		.base = upstream->base,
		.transfers = upstream->transfers,
		.provider = candidate_of(request)->provider,
		.connect_timeout_ms = upstream->connect_timeout_ms,
		.stall_timeout_ms = upstream->stall_timeout_ms,
	};
	int r;

	attempt_finish(&request->attempt);
	if (!take_slot(request))
		return;
	r = make_body(request, &request->why);
	if (r == 0) {
		target.body = request->body;
		target.body_size = strlen(request->body);
		r = attempt_start(&request->attempt, &target, &request->callbacks, on_attempt_end,
			request, &request->why);
	}
	if (r == 0) {
		request->tries++;
		request->tries_of_model++;
		return;
	}
	name_model(request);
	finish(request, r == -EINVAL ? r : -EIO);
}

static void on_timer(evutil_socket_t fd, short events, void *arg)
{
	struct upstream_request *request = arg;

	(void)fd;
	(void)events;
	if (request->is_cancelled) {
		error_set(&request->why, ECANCELED, "cancelled");
		finish(request, -ECANCELED);
	} else {
		try(request);
	}
}

static int check_ask(const struct upstream_ask *ask, struct error *err)
{
	static const char *const levels[] = {"off", "minimal", "low", "medium", "high", "xhigh"};

	if (!json_is_array(ask->messages))
		return error_set(err, EINVAL, "messages: must be an array");
	if (ask->tools && !json_is_array(ask->tools))
		return error_set(err, EINVAL, "tools: must be an array");
	if (!ask->reasoning)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
		if (strcmp(ask->reasoning, levels[i]) == 0)
			return 0;
	return error_set(err, EINVAL,
		"reasoning \"%.20s\": must be off, minimal, low, medium, high or xhigh",
		ask->reasoning);
}

static int fill(struct upstream_request *request, const struct upstream_ask *ask, struct error *err)
{
	int r = check_ask(ask, err);

	if (r == 0)
		r = candidates_init(&request->candidates, &request->upstream->providers, ask->model,
			ask->fallbacks, err);
	if (r < 0)
		return r;
	request->messages = json_incref((json_t *)ask->messages);
	request->tools = json_incref((json_t *)ask->tools);
	request->options = json_incref((json_t *)ask->options);
	if (ask->reasoning)
		request->reasoning = strdup(ask->reasoning);
	request->timer = event_new(request->upstream->base, -1, 0, on_timer, request);
	if ((ask->reasoning && !request->reasoning) || !request->timer)
		return error_set(err, ENOMEM, "out of memory for a request");
	return 0;
}

int request_start(struct upstream *upstream, const struct upstream_ask *ask,
	const struct upstream_callbacks *callbacks, struct upstream_request **ret_request,
	struct error *err)
{
	struct upstream_request *request;
	int r;

	if (upstream->is_closing)
		return error_set(err, ECANCELED, "requests are no longer taken");
	if (upstream->request_count == TRANSFERS_MAX)
		return error_set(err, EBUSY, "%d requests of models are under way", TRANSFERS_MAX);
	request = calloc(1, sizeof(*request));
	if (!request)
		return error_set(err, ENOMEM, "out of memory for a request");
	request->upstream = upstream;
	request->callbacks = *callbacks;
	list_init(&request->in_upstream);
	list_init(&request->in_queue);
	r = fill(request, ask, err);
	if (r < 0) {
		request_destroy(request);
		return r;
	}
	list_append(&upstream->requests, &request->in_upstream);
	upstream->request_count++;
	wake_in(request, 0);
	*ret_request = request;
	return 0;
}

void request_cancel(struct upstream_request *request)
{
	if (request->is_cancelled)
		return;
	request->is_cancelled = true;
	list_remove(&request->in_queue);
	if (request->attempt.transfer)
		attempt_cancel(&request->attempt);
	else
		wake_in(request, 0);
}

void request_end_all(struct upstream *upstream)
{
	struct upstream_request *request;

	while ((request = list_first(&upstream->requests, struct upstream_request, in_upstream))) {
		error_set(&request->why, ECANCELED, "cancelled");
		finish(request, -ECANCELED);
	}
}
