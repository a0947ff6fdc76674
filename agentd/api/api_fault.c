#include "agentd/api/api_fault.h"

#include <string.h>

#include "base/text.h"

#define INVALID "invalid_request_error"

static const struct {
	int status;
	const char *reason, *type, *code;
} faults[] = {
	[API_INVALID_REQUEST] = {400, "Bad Request", INVALID, "invalid_request"},
	[API_INVALID_KEY] = {401, "Unauthorized", "authentication_error", "invalid_api_key"},
	[API_DENIED] = {403, "Forbidden", "permission_error", "denied"},
	[API_NOT_FOUND] = {404, "Not Found", INVALID, "not_found"},
	[API_AGENT_NOT_FOUND] = {404, "Not Found", INVALID, "agent_not_found"},
	[API_SESSION_NOT_FOUND] = {404, "Not Found", INVALID, "session_not_found"},
	[API_RUN_NOT_FOUND] = {404, "Not Found", INVALID, "run_not_found"},
	[API_METHOD_NOT_ALLOWED] = {405, "Method Not Allowed", INVALID, "method_not_allowed"},
	[API_CONFLICT] = {409, "Conflict", INVALID, "conflict"},
	[API_TOO_LARGE] = {413, "Content Too Large", INVALID, "too_large"},
	[API_RATE_LIMITED] = {429, "Too Many Requests", "rate_limit_error", "rate_limit_exceeded"},
	[API_INTERNAL] = {500, "Internal Server Error", "server_error", "internal_error"},
	[API_UPSTREAM] = {502, "Bad Gateway", "upstream_error", "upstream_error"},
	[API_POOL_EXHAUSTED] = {503, "Service Unavailable", "server_error", "pool_exhausted"},
	[API_STOPPING] = {503, "Service Unavailable", "server_error", "stopping"},
	[API_TIMED_OUT] = {408, "Request Timeout", INVALID, "request_timeout"},
	[API_LENGTH_REQUIRED] = {411, "Length Required", INVALID, "length_required"},
	[API_TARGET_TOO_LONG] = {414, "URI Too Long", INVALID, "uri_too_long"},
	[API_MEDIA_TYPE] = {415, "Unsupported Media Type", INVALID, "unsupported_media_type"},
	[API_EXPECTATION_FAILED] = {417, "Expectation Failed", INVALID, "expectation_failed"},
	[API_HEAD_TOO_LARGE] = {431, "Request Header Fields Too Large", INVALID,
		"headers_too_large"},
	[API_NOT_IMPLEMENTED] = {501, "Not Implemented", INVALID, "not_implemented"},
	[API_BAD_VERSION] = {505, "HTTP Version Not Supported", INVALID, "http_version"},
};

int api_fault_status(enum api_fault fault)
{
	return faults[fault].status;
}

const char *api_fault_reason(enum api_fault fault)
{
	return faults[fault].reason;
}

const char *api_fault_type(enum api_fault fault)
{
	return faults[fault].type;
}

const char *api_fault_code(enum api_fault fault)
{
	return faults[fault].code;
}

/* Sentences may hold what a client sent; half a character at the end is a cut one. */
static json_t *make_text(const char *text)
{
	size_t length = strlen(text), good = 0, step;

	while (good < length && (step = text_utf8_sequence(text + good, length - good)) > 0)
		good += step;
	return json_stringn(text, good);
}

json_t *api_fault_body(
	enum api_shape shape, enum api_fault fault, const char *param, const char *text)
{
	const char *type = faults[fault].type, *code = faults[fault].code;

	switch (shape) {
	case API_SHAPE_OPENAI:
		return json_pack("{s:{s:o*, s:s, s:s, s:s?}}", "error", "message", make_text(text),
			"type", type, "code", code, "param", param);
	case API_SHAPE_REST:
		return json_pack("{s:b, s:o*, s:s, s:{s:s, s:s?}}", "ok", 0, "error",
			make_text(text), "code", code, "details", "type", type, "param", param);
	}
	return NULL;
}
