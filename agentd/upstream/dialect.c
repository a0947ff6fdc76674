#include "agentd/upstream/dialect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agentd/upstream/loose_json.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/text.h"

/* Words with which servers say what they mean by an error within an answer that began with 200. */
static const struct {
	const char *word;
	long http;
} fault_words[] = {
	{"api_error", 500},
	{"authentication_error", 401},
	{"context_length_exceeded", 400},
	{"insufficient_quota", 429},
	{"invalid_api_key", 401},
	{"invalid_request_error", 400},
	{"model_not_found", 404},
	{"not_found_error", 404},
	{"overloaded_error", 529},
	{"permission_error", 403},
	{"rate_limit_error", 429},
	{"rate_limit_exceeded", 429},
	{"request_too_large", 413},
	{"RESOURCE_EXHAUSTED", 429},
	{"server_error", 500},
	{"timeout_error", 504},
	{"UNAVAILABLE", 503},
};

void dialect_line(const char *bytes, size_t size, char text[static REPLY_FAULT_MAX])
{
	size_t used = 0;

	for (size_t i = 0; i < size;) {
		size_t n = text_utf8_sequence(bytes + i, size - i), length = n;
		const char *piece = bytes + i;

		if (n == 0) {
			piece = "?";
			n = length = 1;
		} else if ((unsigned char)*piece < ' ' || *piece == 0x7f) {
			piece = " "; /* one for several */
			length = used > 0 && text[used - 1] != ' ';
		}
		if (used + length >= REPLY_FAULT_MAX)
			break;
		memcpy(text + used, piece, length);
		used += length;
		i += n;
	}
	text[used] = '\0';
}

static long status_of(const json_t *word)
{
	json_int_t number = json_integer_value(word); /* 0: it is none */

	if (number >= 400 && number <= 599)
		return (long)number;
	for (size_t i = 0; json_is_string(word) && i < ARRAY_SIZE(fault_words); i++)
		if (strcmp(json_string_value(word), fault_words[i].word) == 0)
			return fault_words[i].http;
	return 0;
}

long dialect_fault(const json_t *answer, char text[static REPLY_FAULT_MAX])
{
	static const char *const codes[] = {"code", "type", "status"};
	static const char *const messages[] = {"message", "error", "detail"};
	const json_t *error;
	long http = 0;

	text[0] = '\0';
	if (json_is_array(answer))
		answer = json_array_get(answer, 0);
	error = json_object_get(answer, "error");
	if (!json_is_object(error))
		error = answer;
	for (size_t i = 0; http == 0 && i < ARRAY_SIZE(codes); i++)
		http = status_of(json_object_get(error, codes[i]));
	for (size_t i = 0; !text[0] && i < ARRAY_SIZE(messages); i++) {
		const json_t *message = json_object_get(error, messages[i]);

		if (json_is_string(message))
			dialect_line(json_string_value(message), json_string_length(message), text);
	}
	return http;
}

int dialect_read(const struct dialect *dialect, struct reply *reply, bool is_whole,
	const char *data, size_t size, struct error *err)
{
	static const char last[] = "[DONE]";
	json_auto_t *json = NULL;
	const json_t *error;
	char text[REPLY_FAULT_MAX];
	long http;

	if (!is_whole && size == sizeof(last) - 1 && memcmp(data, last, size) == 0) {
		reply->is_last = true;
		if (reply->call_count > 0 || reply_has_text(reply)) /* or it says nothing at all */
			reply_complete(reply, reply->is_complete ? reply->finish : UPSTREAM_STOP);
		return 0;
	}
	json = loose_json_parse(data, size, &reply->is_loose);
	if (!json_is_object(json)) {
		dialect_line(data, size, text);
		return error_set(err, EPROTO, "what came is not JSON: %.60s", text);
	}
	error = json_object_get(json, "error");
	if (error && !json_is_null(error)) {
		http = dialect_fault(json, text);
		return reply_fault(reply, http ? http : 500,
			text[0] ? text : "an error that it does not name", err);
	}
	return is_whole ? dialect->whole(reply, json, err) : dialect->event(reply, json, err);
}

json_t *dialect_arguments(const char *text)
{
	json_auto_t *json = json_loads(text ? text : "", 0, NULL);

	if (json_is_object(json))
		return take_ptr(&json);
	return json_pack("{s:s}", "invalid_arguments", text ? text : "");
}
