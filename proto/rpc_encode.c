/* The encoders of rpc.h; rpc.c decodes. */
#include "proto/rpc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

static const struct {
	enum rpc_code code;
	const char *name;
} codes[] = {
	{RPC_PARSE_ERROR, "parse_error"},
	{RPC_INVALID_REQUEST, "invalid_request"},
	{RPC_METHOD_NOT_FOUND, "method_not_found"},
	{RPC_INVALID_PARAMS, "invalid_params"},
	{RPC_INTERNAL_ERROR, "internal_error"},
	{RPC_STALE_HANDLE, "stale_handle"},
	{RPC_NOT_FOUND, "not_found"},
	{RPC_DENIED, "denied"},
	{RPC_EXHAUSTED, "exhausted"},
	{RPC_TIMEOUT, "timeout"},
	{RPC_LEASE_ENDED, "lease_ended"},
	{RPC_UNAVAILABLE, "unavailable"},
	{RPC_CANCELED, "canceled"},
	{RPC_TOO_LARGE, "too_large"},
	{RPC_COMMAND_FAILED, "command_failed"},
};

const char *rpc_code_name(int code)
{
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if ((int)codes[i].code == code)
			return codes[i].name;
	return "internal_error";
}

/* Takes over envelope (NULL: memory ran out while it was made). */
static int encode(json_t *envelope, char **ret_line, size_t *ret_size)
{
	auto_free char *line = NULL;
	size_t size = envelope ? json_dumpb(envelope, NULL, 0, JSON_COMPACT) : 0;
	bool is_complete;

	if (size > 0 && size <= RPC_LINE_MAX)
		line = malloc(size + 2);
	is_complete = line && json_dumpb(envelope, line, size, JSON_COMPACT) == size;
	json_decref(envelope);
	if (size > RPC_LINE_MAX)
		return -EMSGSIZE;
	if (!is_complete)
		return -ENOMEM;
	line[size] = '\n';
	line[size + 1] = '\0';
	*ret_line = take_ptr(&line);
	*ret_size = size + 1;
	return 0;
}

/* Put key and value, which it takes over, into *envelope; on failure *envelope becomes NULL. */
static void put(json_t **envelope, const char *key, json_t *value)
{
	if (json_object_set_new(*envelope, key, value) == 0)
		return;
	json_decref(*envelope);
	*envelope = NULL;
}

static json_t *envelope_new(void)
{
	json_t *envelope = json_object();

	put(&envelope, "jsonrpc", json_string("2.0"));
	return envelope;
}

static json_t *id_or_null(json_t *id)
{
	return id ? json_incref(id) : json_null();
}

int rpc_encode_result(json_t *id, json_t *result, char **ret_line, size_t *ret_size)
{
	json_t *envelope = envelope_new();

	put(&envelope, "id", id_or_null(id));
	put(&envelope, "result", result ? result : json_null());
	return encode(envelope, ret_line, ret_size);
}

/* text as a JSON string, also when it quotes bytes that are not UTF-8: each becomes '?'. */
static json_t *clean_string(const char *text)
{
	size_t left = strlen(text);
	auto_free char *copy = malloc(left + 1);

	if (!copy)
		return NULL;
	memcpy(copy, text, left + 1);
	for (char *p = copy; left > 0;) {
		size_t length = text_utf8_sequence(p, left);

		if (length == 0) {
			*p = '?';
			length = 1;
		}
		p += length;
		left -= length;
	}
	return json_string(copy);
}

int rpc_encode_error(json_t *id, enum rpc_code code, const char *message, json_t *data,
	char **ret_line, size_t *ret_size)
{
	json_t *envelope = envelope_new(), *error = json_object();

	if (!data)
		data = json_object();
	if (!json_object_get(data, "type"))
		put(&data, "type", json_string(rpc_code_name((int)code)));
	put(&error, "code", json_integer((json_int_t)code));
	put(&error, "message", clean_string(message));
	put(&error, "data", data);
	put(&envelope, "id", id_or_null(id));
	put(&envelope, "error", error);
	return encode(envelope, ret_line, ret_size);
}

/* Takes over id (NULL: leave it out) and params. */
static int encode_call(
	json_t *id, const char *method, json_t *params, char **ret_line, size_t *ret_size)
{
	json_t *envelope = envelope_new();

	if (id)
		put(&envelope, "id", id);
	put(&envelope, "method", json_string(method));
	if (params)
		put(&envelope, "params", params);
	return encode(envelope, ret_line, ret_size);
}

int rpc_encode_notification(const char *method, json_t *params, char **ret_line, size_t *ret_size)
{
	return encode_call(NULL, method, params, ret_line, ret_size);
}

int rpc_encode_request(
	json_t *id, const char *method, json_t *params, char **ret_line, size_t *ret_size)
{
	return encode_call(id_or_null(id), method, params, ret_line, ret_size);
}
