/* sandbox.acquire, sandbox.release. */
#include <errno.h>
#include <string.h>

#include "agentd/acquire.h"
#include "agentd/call.h"
#include "agentd/client.h"
#include "agentd/handle.h"
#include "agentd/method.h"
#include "proto/receipt.h"
#include "agentd/sandbox.h"
#include "agentd/server.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
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

static void fail_refused(struct call *call, const struct control_refused *refused)
{
	json_t *data = json_pack("{s:s,s:i}", "refusal", control_refusal_name(refused->refusal),
		"retry_ms", (int)refused->retry_ms);

	call_fail_data(call, fault_of_refusal(refused->refusal), data,
		refused->text[0] ? refused->text : control_refusal_name(refused->refusal));
}

static void on_acquired(void *arg, struct sandbox *sandbox, const struct control_refused *refused,
	const struct error *err)
{
	struct call *call = arg;

	if (sandbox)
		call_result(call, describe_lease(&sandbox->lease, call->started_ns));
	else if (refused)
		fail_refused(call, refused);
	else
		call_fail(call, err->code == ECANCELED ? FAULT_STOPPING : FAULT_INTERNAL, "%s",
			err->text);
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

/* Of acquire_start(). */
static enum fault fault_of(int r)
{
	if (r == -EDQUOT)
		return FAULT_LIMIT;
	return r == -EPIPE ? FAULT_STOPPING : fault_of_errno(r);
}

void method_acquire(struct call *call)
{
	struct control_acquire request = {.on_empty = ON_EMPTY_DEFAULT};
	struct error err;
	int r;

	if (fill_request(call, &request) < 0) {
		call_fail(call, FAULT_INTERNAL, "a name is too long");
		return;
	}
	r = acquire_start(&call->client->owner, &request, on_acquired, call, &err);
	if (r < 0)
		call_fail(call, fault_of(r), "%s", err.text);
}

void method_release(struct call *call)
{
	struct sandbox *sandbox = handle_find(call);

	if (sandbox)
		sandbox_release(sandbox, sandbox->owner != &call->client->owner, call);
}
