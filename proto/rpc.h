/*
 * rpc.h - JSON-RPC 2.0 (jsonrpc.org/specification), one JSON text per line: bytes in, messages out.
 *
 * Pure: no socket, no event loop. agentd decodes requests with it and encodes replies; clients do
 * the reverse. A library of its own (librpc.a), because JSON ends in agentd: no root process that
 * serves sandboxes links it.
 *
 * What is refused, and how, is the decoder's to say: a line that cannot be served comes out as
 * RPC_INVALID with the code and text of the error to send, and decoding goes on with the next line.
 * A batch (an array) is RPC_INVALID_REQUEST: requests may be pipelined, one a line. Empty lines are
 * ignored. Strict where the specification leaves room: unknown members, duplicate members, NUL
 * (raw or \u0000), invalid UTF-8, nesting beyond RPC_DEPTH_MAX and lines beyond RPC_LINE_MAX are
 * errors. A client has its decoder take \u0000 in strings: what agentd has stored, it is to show.
 */
#ifndef PROTO_RPC_H
#define PROTO_RPC_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define RPC_LINE_MAX   (1024 * 1024) /* bytes, without the newline; both directions */
#define RPC_DEPTH_MAX  32	     /* arrays and objects inside each other */
#define RPC_METHOD_MAX 64	     /* bytes of a method's name */

/* Each has its name in the table of rpc_encode.c: it is sent as data.type. */
enum rpc_code {
	RPC_PARSE_ERROR = -32700,
	RPC_INVALID_REQUEST = -32600,
	RPC_METHOD_NOT_FOUND = -32601,
	RPC_INVALID_PARAMS = -32602,
	RPC_INTERNAL_ERROR = -32603,
	RPC_STALE_HANDLE = -32000, /* the handle's sandbox is of an earlier life */
	RPC_NOT_FOUND = -32001,	   /* no such sandbox, template, request */
	RPC_DENIED = -32002,	   /* not the caller's */
	RPC_EXHAUSTED = -32003,	   /* pool or a cap: data.retry_ms, data.limit */
	RPC_TIMEOUT = -32004,
	RPC_LEASE_ENDED = -32005, /* data.reason, data.limit */
	RPC_UNAVAILABLE = -32006, /* the supervisor is away or stopping */
	RPC_CANCELED = -32007,
	RPC_TOO_LARGE = -32008,	     /* a line or a reply beyond RPC_LINE_MAX */
	RPC_COMMAND_FAILED = -32009, /* the command could not be started: data.errno */
};

/* "stale_handle" for RPC_STALE_HANDLE; "internal_error" for a code that is not in the enum. */
const char *rpc_code_name(int code);

enum rpc_kind {
	RPC_REQUEST,	  /* id, method, params */
	RPC_NOTIFICATION, /* method, params; never answered */
	RPC_RESPONSE,	  /* id, and result or error */
	RPC_INVALID,	  /* code, text; id when it could be told: answer with rpc_encode_error() */
};

/* One decoded line. All pointers are borrowed from the message: json_incref() what you keep. */
struct rpc_message {
	enum rpc_kind kind;
	json_t *id;	    /* a string, number or null; NULL when there is none */
	const char *method; /* 1..RPC_METHOD_MAX bytes */
	json_t *params;	    /* an object or array; NULL when there are none */
	json_t *result;	    /* RPC_RESPONSE: any value; NULL when it is an error */
	json_t *error;	    /* RPC_RESPONSE: the error object, its code and message checked */
	enum rpc_code code; /* RPC_INVALID */
	char text[160];	    /* RPC_INVALID: for the error's message; clean UTF-8 */
	json_t *root;	    /* owns all of the above */
};

/* Frees what the message owns; accepts a zeroed one, and may be called twice. */
void rpc_message_finish(struct rpc_message *message);

/* Embedded in a connection. Holds at most one unfinished line. */
struct rpc_decoder {
	char *line;
	size_t used, allocated;
	bool is_skipping; /* the rest of a line that was too long */
	bool takes_nul; /* \u0000 in strings is none of the errors; set after rpc_decoder_init() */
};

void rpc_decoder_init(struct rpc_decoder *decoder);
void rpc_decoder_finish(struct rpc_decoder *decoder);

/*
 * Consume bytes from *data (advancing *data and *size) up to the end of one message.
 * 1: *ret_message is set; finish it, call again. 0: all bytes are consumed, more are needed.
 * -ENOMEM: the stream cannot go on; close it.
 */
int rpc_decode(struct rpc_decoder *decoder, const char **data, size_t *size,
	struct rpc_message *ret_message);

/*
 * Encoders: *ret_line is one line with its newline, *ret_size bytes, the caller's to free(). Each
 * takes over the reference to its json_t value (result, data, params), also when it fails; a NULL
 * result is null, NULL data and params are left out. id is borrowed; NULL becomes null.
 * 0; -ENOMEM; -EMSGSIZE beyond RPC_LINE_MAX: answer with RPC_TOO_LARGE instead.
 */
int rpc_encode_result(json_t *id, json_t *result, char **ret_line, size_t *ret_size);
/*
 * data (an object) gets "type" from rpc_code_name() unless it has one; without it is {"type": ...}. Bytes
 * of message that are not UTF-8 become '?'.
 */
int rpc_encode_error(json_t *id, enum rpc_code code, const char *message, json_t *data,
	char **ret_line, size_t *ret_size);
int rpc_encode_notification(const char *method, json_t *params, char **ret_line, size_t *ret_size);
int rpc_encode_request(
	json_t *id, const char *method, json_t *params, char **ret_line, size_t *ret_size);
#endif
