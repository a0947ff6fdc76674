/*
 * Any bytes as a stream of JSON-RPC lines. The first byte says in how large pieces they arrive; the
 * messages must be the same when they arrive at once. Whatever comes out can be answered, and the
 * answer can be decoded.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "proto/rpc.h"
#include "tests/fuzz/fuzz.h"

struct summary {
	unsigned counts[4]; /* of each kind */
	unsigned codes;	    /* a sum over the codes of what was refused */
};

static void answer(const struct rpc_message *message)
{
	struct rpc_message reply;
	struct rpc_decoder decoder;
	char *line;
	size_t size;
	const char *data;
	int r;

	if (message->kind == RPC_INVALID)
		r = rpc_encode_error(message->id, message->code, message->text, NULL, &line, &size);
	else
		r = rpc_encode_result(message->id, NULL, &line, &size);
	if (r == -EMSGSIZE)
		return; /* an id of almost a mebibyte */
	if (r < 0)
		abort();
	rpc_decoder_init(&decoder);
	data = line;
	if (rpc_decode(&decoder, &data, &size, &reply) != 1 || reply.kind != RPC_RESPONSE)
		abort();
	if (message->id && !json_equal(message->id, reply.id))
		abort();
	rpc_message_finish(&reply);
	rpc_decoder_finish(&decoder);
	free(line);
}

static void check(const struct rpc_message *message)
{
	bool has_method = message->kind == RPC_REQUEST || message->kind == RPC_NOTIFICATION;

	if (has_method && !message->method)
		abort();
	if (message->params && has_method && !json_is_object(message->params) &&
		!json_is_array(message->params))
		abort();
	if ((message->kind == RPC_NOTIFICATION && message->id) ||
		(message->kind == RPC_REQUEST && !message->id))
		abort();
	if (message->kind == RPC_INVALID && !text_is_utf8(message->text, strlen(message->text)))
		abort();
	if (message->kind != RPC_NOTIFICATION)
		answer(message);
}

static void decode_in_pieces(
	const char *data, size_t size, size_t piece_size, struct summary *ret_summary)
{
	struct rpc_decoder decoder;
	struct rpc_message message;

	memset(ret_summary, 0, sizeof(*ret_summary));
	rpc_decoder_init(&decoder);
	while (size > 0) {
		size_t piece = size < piece_size ? size : piece_size;

		data += piece;
		size -= piece;
		for (const char *p = data - piece;
			rpc_decode(&decoder, &p, &piece, &message) > 0;) {
			check(&message);
			ret_summary->counts[message.kind]++;
			if (message.kind == RPC_INVALID)
				ret_summary->codes += (unsigned)-message.code;
			rpc_message_finish(&message);
		}
		if (decoder.used > RPC_LINE_MAX)
			abort();
	}
	rpc_decoder_finish(&decoder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct summary in_pieces, at_once;

	if (size == 0)
		return 0;
	decode_in_pieces((const char *)data + 1, size - 1, (size_t)data[0] + 1, &in_pieces);
	decode_in_pieces((const char *)data + 1, size - 1, size, &at_once);
	if (memcmp(&in_pieces, &at_once, sizeof(at_once)) != 0)
		abort();
	return 0;
}
