/* A decoder, the message it gave last, and what the tests of decoding say about it. */
#ifndef TESTS_UNIT_RPC_FIXTURE_H
#define TESTS_UNIT_RPC_FIXTURE_H
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "proto/rpc.h"

struct fixture {
	struct rpc_decoder decoder;
	struct rpc_message message; /* the last one decoded */
};

static inline int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	rpc_decoder_init(&f->decoder);
	*state = f;
	return 0;
}

static inline int tear_down(void **state)
{
	struct fixture *f = *state;

	rpc_message_finish(&f->message);
	rpc_decoder_finish(&f->decoder);
	free(f);
	return 0;
}

static inline int feed(struct fixture *f, const char **data, size_t *size)
{
	rpc_message_finish(&f->message);
	return rpc_decode(&f->decoder, data, size, &f->message);
}

/* Decode these bytes, which hold exactly one message. */
static inline void decode_bytes(struct fixture *f, const char *bytes, size_t size)
{
	assert_int_equal(feed(f, &bytes, &size), 1);
	assert_int_equal(size, 0);
}

static inline void decode(struct fixture *f, const char *line)
{
	decode_bytes(f, line, strlen(line));
}

static inline void refused(
	struct fixture *f, const char *line, enum rpc_code code, const char *text)
{
	decode(f, line);
	assert_int_equal(f->message.kind, RPC_INVALID);
	assert_int_equal(f->message.code, code);
	assert_string_equal(f->message.text, text);
}

/* jansson words its own errors; only their code is ours. */
static inline void refused_by_the_parser(struct fixture *f, const char *line)
{
	decode(f, line);
	assert_int_equal(f->message.kind, RPC_INVALID);
	assert_int_equal(f->message.code, RPC_PARSE_ERROR);
	assert_memory_equal(f->message.text, "byte ", 5);
	assert_null(f->message.id);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#endif
