/* sandbox.acquire, sandbox.release. */
#include <string.h>

#include "agentd/call.h"
#include "agentd/client.h"
#include "agentd/handle.h"
#include "agentd/method.h"
#include "proto/receipt.h"
#include "agentd/release.h"
#include "agentd/sandbox.h"
#include "agentd/server.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"

static uint32_t get_ms(const struct call *call, const char *name)
{
	return (uint32_t)json_integer_value(json_object_get(call->params, name));
}

static uint32_t get_on_empty(const struct call *call)
{
	static const struct {
		const char *name;
		enum control_on_empty value;
	} words[] = {{"build", ON_EMPTY_BUILD}, {"wait", ON_EMPTY_WAIT}, {"fail", ON_EMPTY_FAIL}};
	const char *word = json_string_value(json_object_get(call->params, "on_empty"));

	for (size_t i = 0; word && i < ARRAY_SIZE(words); i++)
		if (strcmp(words[i].name, word) == 0)
			return words[i].value;
	return ON_EMPTY_DEFAULT;
}

static json_t *describe_limits(const struct control_leased *lease)
{
	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I}", "memory_bytes",
		(json_int_t)lease->memory_bytes, "disk_bytes", (json_int_t)lease->disk_bytes,
		"disk_inodes", (json_int_t)lease->disk_inodes, "pids", (json_int_t)lease->pids,
		"cpu_milli", (json_int_t)lease->cpu_milli, "open_files",
		(json_int_t)lease->open_files);
}

static json_t *describe_lease(const struct control_leased *lease, uint64_t started_ns)
{
	json_t *result = sandbox_handle(&lease->handle);
	json_t *rest = json_pack("{s:s,s:s,s:o,s:o,s:i,s:i,s:f,s:f,s:f}", "template",
		lease->template_name, "rung", control_rung_name(lease->rung), "limits",
		describe_limits(lease), "unenforced", receipt_limits(lease->unenforced), "lease_ms",
		(int)lease->lease_ms, "idle_ms", (int)lease->idle_ms, "wait_us",
		(double)lease->wait_ns / 1e3, "build_us", (double)lease->build_ns / 1e3,
		"acquire_us", (double)(clock_now_ns() - started_ns) / 1e3);
	json_auto_t *own = receipt_of_binding(lease);

	json_object_update(result, rest);
	json_object_update(result, own);
	json_decref(rest);
	return result;
}

/* Once for each template: what it asks for is not in this host's power. */
static void warn_unenforced(struct server *server, const struct control_leased *lease)
{
	char names[LIMIT_TEXT_MAX];

	if (lease->unenforced == 0 || json_object_get(server->warned, lease->template_name))
		return;
	json_object_set_new(server->warned, lease->template_name, json_true());
	log_event(LOG_LEVEL_WARNING, "limits_unenforced", "template", lease->template_name,
		"limits", limit_names(lease->unenforced, names), NULL);
}

static void fail_refused(struct call *call, const struct control_refused *refused)
{
	json_t *data = json_pack("{s:s,s:i}", "refusal", control_refusal_name(refused->refusal),
		"retry_ms", (int)refused->retry_ms);

	call_fail_data(call, fault_of_refusal(refused->refusal), data,
		refused->text[0] ? refused->text : control_refusal_name(refused->refusal));
}

/* The lease is ours: the client's sandbox, or given back when there is no client any more. */
static void take_lease(
	struct call *call, const struct control_leased *lease, int channel, struct release *release)
{
	struct error err;

	if (!call->client || call->client->is_closing) {
		fd_close(channel);
		release_start(release, lease, NULL, NULL);
		call_fail(call, FAULT_STOPPING, "the connection ends");
		return;
	}
	if (sandbox_create(call->client, lease, channel, release, &err) < 0) {
		release_start(release, lease, NULL, NULL);
		call_fail(call, FAULT_INTERNAL, "%s", err.text);
		return;
	}
	warn_unenforced(call->server, lease);
	call_result(call, describe_lease(lease, call->started_ns));
}

static void on_acquired(void *arg, const struct message_header *answer, int fd, bool is_last)
{
	struct call *call = arg;
	struct release *release = call->work;

	(void)is_last;
	server_answered(call->server);
	call->server->lease_count--; /* it counted as one; a sandbox counts for itself */
	if (call->client)
		call->client->lease_count--;
	if (answer->type == CONTROL_LEASED) {
		take_lease(call, (const void *)answer, fd, release);
		return;
	}
	release_destroy(release);
	fail_refused(call, (const void *)answer);
}

static bool is_within_caps(struct call *call)
{
	if (call->client->lease_count >= CLIENT_LEASES_MAX) {
		call_fail(call, FAULT_LIMIT, "this connection leases %d sandboxes: release some",
			CLIENT_LEASES_MAX);
		return false;
	}
	if (call->server->lease_count >= call->server->lease_max) {
		call_fail(call, FAULT_LIMIT,
			"agentd leases %u sandboxes, all that its RLIMIT_NOFILE allows",
			call->server->lease_max);
		return false;
	}
	return true;
}

/* The schema has seen to its length; no such member is the empty name, the template's. */
static int get_name(const struct call *call, const char *member, char *name, size_t size)
{
	const char *text = json_string_value(json_object_get(call->params, member));

	return text_copy(name, size, text ? text : "");
}

static uint64_t get_limit(const struct call *call, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(call->params, name));
}

static int fill_request(const struct call *call, struct control_acquire *request)
{
	request->on_empty = get_on_empty(call);
	request->wait_ms = get_ms(call, "wait_ms");
	request->lease_ms = get_ms(call, "lease_ms");
	request->idle_ms = get_ms(call, "idle_ms");
	request->memory_bytes = get_limit(call, "memory_bytes");
	request->pids = get_limit(call, "pids");
	request->cpu_milli = get_limit(call, "cpu_milli");
	if (get_name(call, "template", request->template_name, CONTROL_NAME_MAX) < 0 ||
		get_name(call, "net", request->net, CONTROL_NAME_MAX) < 0 ||
		get_name(call, "workspace", request->workspace, CONTROL_BIND_MAX) < 0)
		return -1;
	return get_name(call, "hostname", request->hostname, CONTROL_BIND_MAX);
}

void method_acquire(struct call *call)
{
	struct control_acquire request = {.on_empty = ON_EMPTY_DEFAULT};
	struct error err;
	int r;

	if (!is_within_caps(call))
		return;
	call->work = release_create(call->server);
	if (!call->work || fill_request(call, &request) < 0) {
		release_destroy(call->work);
		call_fail(call, FAULT_INTERNAL, "out of memory");
		return;
	}
	r = server_ask(
		call->server, CONTROL_ACQUIRE, &request, sizeof(request), on_acquired, call, &err);
	if (r < 0) {
		release_destroy(call->work);
		call_fail(call, r == -EPIPE ? FAULT_STOPPING : fault_of_errno(r), "%s", err.text);
		return;
	}
	call->server->lease_count++;
	call->client->lease_count++;
}

void method_release(struct call *call)
{
	struct sandbox *sandbox = handle_find(call);

	if (sandbox)
		sandbox_release(sandbox, sandbox->owner != call->client, call);
}
