/*
 * output.h - what a command writes, as sandbox.output notifications to the client that asked for it.
 *
 * A chunk goes as text where it is UTF-8 without NUL, else as base64. The first bytes of a character whose rest
 * is still to come wait for it.
 */
#ifndef AGENTD_OUTPUT_H
#define AGENTD_OUTPUT_H
#include <stddef.h>
#include <stdint.h>

#include "agentd/utf8.h"
#include "proto/guest.h"

struct call;

struct output_carry {
	char bytes[UTF8_SEQUENCE_MAX];
	size_t size;
};

struct output {
	struct output_carry out, err;
};

/* Send a chunk of at most GUEST_CHUNK_MAX bytes. */
void output_send(struct output *output, struct call *call, enum guest_stream stream,
	const void *data, uint32_t size);
/* The streams have ended: what waited for more goes as it is. */
void output_finish(struct output *output, struct call *call);
#endif
