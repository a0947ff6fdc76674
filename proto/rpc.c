#include "proto/rpc.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define LINE_KEEP (64 * 1024) /* a longer line's buffer is given back when the line is done */

void rpc_message_finish(struct rpc_message *message)
{
	json_decref(message->root);
	memset(message, 0, sizeof(*message));
}

/* The message says what is wrong with it. Always 1: it is a message for the caller. */
__attribute__((format(printf, 3, 4))) static int refuse(
	struct rpc_message *message, enum rpc_code code, const char *format, ...)
{
	va_list ap;
	size_t length;

	message->kind = RPC_INVALID;
	message->code = code;
	va_start(ap, format);
	vsnprintf(message->text, sizeof(message->text), format, ap);
	va_end(ap);
	/* A quoted piece of the line may have been cut inside a character. */
	length = strlen(message->text);
	while (!text_is_utf8(message->text, length))
		message->text[--length] = '\0';
	return 1;
}

/* Nesting outside of strings, before a recursive parser sees it. */
static bool is_too_deep(const char *line, size_t length)
{
	unsigned depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < length; i++) {
		char c = line[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '[' || c == '{') {
			if (++depth > RPC_DEPTH_MAX)
				return true;
		} else if ((c == ']' || c == '}') && depth > 0) {
			depth--;
		}
	}
	return false;
}

static bool is_known_member(const char *name, const char *const *names)
{
	for (; *names; names++)
		if (strcmp(name, *names) == 0)
			return true;
	return false;
}

/* 0, or 1 and refused: a member that is not among names. */
static int check_members(struct rpc_message *message, const char *const *names)
{
	const char *name;
	json_t *value;

	json_object_foreach(message->root, name,
		value) if (!is_known_member(name, names)) return refuse(message,
		RPC_INVALID_REQUEST, "unknown member '%.64s'", name);
	return 0;
}

static int parse_response(struct rpc_message *message)
{
	static const char *const members[] = {"jsonrpc", "id", "result", "error", NULL};

	if (check_members(message, members))
		return 1;
	message->result = json_object_get(message->root, "result");
	message->error = json_object_get(message->root, "error");
	if (!message->id)
		return refuse(message, RPC_INVALID_REQUEST, "a response needs an id");
	if (message->result && message->error)
		return refuse(message, RPC_INVALID_REQUEST, "both a result and an error");
	if (message->error && (!json_is_integer(json_object_get(message->error, "code")) ||
				      !json_is_string(json_object_get(message->error, "message"))))
		return refuse(message, RPC_INVALID_REQUEST,
			"an error needs a code (integer) and a message (string)");
	message->kind = RPC_RESPONSE;
	return 1;
}

static int parse_request(struct rpc_message *message)
{
	static const char *const members[] = {"jsonrpc", "id", "method", "params", NULL};
	const json_t *method = json_object_get(message->root, "method");

	if (check_members(message, members))
		return 1;
	if (!method)
		return refuse(message, RPC_INVALID_REQUEST, "no method");
	if (!json_is_string(method))
		return refuse(message, RPC_INVALID_REQUEST, "method must be a string");
	message->method = json_string_value(method);
	if (message->method[0] == '\0' || strlen(message->method) > RPC_METHOD_MAX)
		return refuse(message, RPC_INVALID_REQUEST, "method must have 1 to %d bytes",
			RPC_METHOD_MAX);
	message->params = json_object_get(message->root, "params");
	if (message->params && !json_is_object(message->params) && !json_is_array(message->params))
		return refuse(message, RPC_INVALID_PARAMS, "params must be an object or an array");
	message->kind = message->id ? RPC_REQUEST : RPC_NOTIFICATION;
	return 1;
}

static int parse_object(struct rpc_message *message)
{
	json_t *id = json_object_get(message->root, "id");
	const char *version = json_string_value(json_object_get(message->root, "jsonrpc"));

	if (id && !json_is_string(id) && !json_is_number(id) && !json_is_null(id))
		return refuse(
			message, RPC_INVALID_REQUEST, "id must be a string, a number or null");
	message->id = id;
	if (!version || strcmp(version, "2.0") != 0)
		return refuse(message, RPC_INVALID_REQUEST, "jsonrpc must be \"2.0\"");
	if (json_object_get(message->root, "result") || json_object_get(message->root, "error"))
		return parse_response(message);
	return parse_request(message);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r'; /* what JSON calls blank, and a line can hold */
}

/* jansson words what is wrong with the text; a failed allocation it mostly leaves without a word. */
static bool is_out_of_memory(const json_error_t *error)
{
	return error->text[0] == '\0';
}

/* One line, without its newline. 1: *message is set. 0: the line is empty. -ENOMEM. */
static int parse_line(const char *line, size_t length, bool takes_nul, struct rpc_message *message)
{
	size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | (takes_nul ? JSON_ALLOW_NUL : 0);
	json_error_t error;

	while (length > 0 && is_blank(line[length - 1]))
		length--;
	if (length == 0)
		return 0;
	memset(message, 0, sizeof(*message));
	if (memchr(line, '\0', length))
		return refuse(message, RPC_PARSE_ERROR, "NUL byte in the line");
	if (!text_is_utf8(line, length))
		return refuse(message, RPC_PARSE_ERROR, "invalid UTF-8");
	if (is_too_deep(line, length))
		return refuse(message, RPC_PARSE_ERROR, "nested deeper than %d", RPC_DEPTH_MAX);
	message->root = json_loadb(line, length, flags, &error);
	if (!message->root && is_out_of_memory(&error))
		return -ENOMEM;
	if (!message->root)
		return refuse(
			message, RPC_PARSE_ERROR, "byte %d: %.100s", error.position, error.text);
	if (json_is_array(message->root))
		return refuse(message, RPC_INVALID_REQUEST,
			"batches are not served: send one request per line");
	if (!json_is_object(message->root))
		return refuse(message, RPC_INVALID_REQUEST, "not an object");
	return parse_object(message);
}

void rpc_decoder_init(struct rpc_decoder *decoder)
{
	memset(decoder, 0, sizeof(*decoder));
}

static void free_line(struct rpc_decoder *decoder)
{
	free(decoder->line);
	decoder->line = NULL;
	decoder->used = decoder->allocated = 0;
}

void rpc_decoder_finish(struct rpc_decoder *decoder)
{
	free_line(decoder);
	rpc_decoder_init(decoder);
}

/* Keep a piece of a line that goes on. 0 or -ENOMEM. */
static int keep(struct rpc_decoder *decoder, const char *data, size_t size)
{
	size_t wanted = decoder->used + size, allocated = decoder->allocated;
	char *line;

	if (wanted > allocated) {
		allocated = allocated > 0 ? allocated : 512;
		while (allocated < wanted)
			allocated *= 2;
		line = realloc(decoder->line, allocated);
		if (!line)
			return -ENOMEM;
		decoder->line = line;
		decoder->allocated = allocated;
	}
	if (size > 0)
		memcpy(decoder->line + decoder->used, data, size);
	decoder->used = wanted;
	return 0;
}

static void forget_line(struct rpc_decoder *decoder)
{
	decoder->used = 0;
	if (decoder->allocated > LINE_KEEP)
		free_line(decoder);
}

/* A piece of a line, up to its newline when is_end. 1: a message. 0: none yet. -ENOMEM. */
static int take_piece(struct rpc_decoder *decoder, const char *data, size_t size, bool is_end,
	struct rpc_message *message)
{
	int r = 0;

	if (decoder->is_skipping) {
		decoder->is_skipping = !is_end;
		return 0;
	}
	if (size > RPC_LINE_MAX - decoder->used) {
		forget_line(decoder);
		decoder->is_skipping = !is_end;
		memset(message, 0, sizeof(*message));
		return refuse(message, RPC_TOO_LARGE, "line longer than %d bytes", RPC_LINE_MAX);
	}
	if (is_end && decoder->used == 0)
		return parse_line(data, size, decoder->takes_nul, message);
	r = keep(decoder, data, size);
	if (r < 0 || !is_end)
		return r;
	r = parse_line(decoder->line, decoder->used, decoder->takes_nul, message);
	forget_line(decoder);
	return r;
}

int rpc_decode(struct rpc_decoder *decoder, const char **data, size_t *size,
	struct rpc_message *ret_message)
{
	int r = 0;

	while (r == 0 && *size > 0) {
		const char *piece = *data;
		const char *newline = memchr(piece, '\n', *size);
		size_t length = newline ? (size_t)(newline - piece) : *size;
		size_t consumed = newline ? length + 1 : length;

		*data += consumed;
		*size -= consumed;
		r = take_piece(decoder, piece, length, newline != NULL, ret_message);
	}
	return r;
}
