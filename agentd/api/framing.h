/*
 * framing.h - where one HTTP/1 request ends and the next begins: a push parser of a client's bytes.
 *
 * Pure: no socket, no clock. It is the only reader of these bytes (evhttp gets requests that connection.c writes),
 * so there are no two opinions on where a request ends. Strict where RFC 9112 lets a server be lax: one CRLF per
 * line, no folding, one Content-Length of digits only or the one coding "chunked", never both. The first violation
 * is final: nothing behind it is read any more.
 */
#ifndef AGENTD_API_FRAMING_H
#define AGENTD_API_FRAMING_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agentd/api/api.h"

#define FRAMING_METHOD_MAX     16    /* bytes */
#define FRAMING_TARGET_MAX     8192  /* bytes of path and query; more: 414 */
#define FRAMING_HEAD_MAX       32768 /* bytes of request line and headers; more: 431 */
#define FRAMING_HEADERS_MAX    100   /* more: 431 */
#define FRAMING_TRAILER_MAX    4096  /* bytes; read and dropped */
#define FRAMING_CHUNK_LINE_MAX 256   /* bytes of a chunk's size and extensions */
#define FRAMING_EXTENSIONS_MAX 16384 /* bytes of all chunks' extensions; read and dropped */

enum framing_event {
	FRAMING_MORE, /* nothing to tell yet */
	FRAMING_HEAD, /* the fields below are known; set body_max */
	FRAMING_BODY, /* what was consumed is the body's */
	FRAMING_END,  /* the request is whole; the next push begins another one */
	FRAMING_BAD,  /* fault and why; so is every push from here */
};

struct framing_header {
	uint16_t name, value; /* offsets in head */
};

struct framing {
	/* From FRAMING_HEAD until the push after FRAMING_END. */
	const char *method, *target;
	unsigned minor; /* HTTP/1.minor: 0 or 1 */
	bool is_chunked, has_length, has_expect, is_kept_alive;
	uint64_t length; /* Content-Length; UINT64_MAX: or more */

	uint64_t body_max; /* the caller's, at FRAMING_HEAD; a larger body: 413 */

	enum api_fault fault;
	const char *why;

	/* private */
	int state;
	char *head; /* lines, each cut into words with terminators */
	size_t size, capacity, line;
	struct framing_header *headers;
	size_t header_count;
	uint64_t left, body_size;
	size_t digits, extensions, trailer;
};

void framing_init(struct framing *f);
/* Accepts one that is zeroed. */
void framing_finish(struct framing *f);

/*
 * Take bytes up to the next event. Returns how many were taken: fewer than size with FRAMING_MORE means push the
 * rest. After FRAMING_HEAD and FRAMING_BODY push again even when nothing is left: the request may end there.
 */
size_t framing_push(
	struct framing *f, const char *data, size_t size, enum framing_event *ret_event);

/* Nothing of a next request has been seen. */
bool framing_is_idle(const struct framing *f);
/* A body is announced, and not empty. */
bool framing_has_body(const struct framing *f);
/* A header's value without blanks around it, name in small letters; NULL: absent. Of several the first. */
const char *framing_find(const struct framing *f, const char *name);
#endif
