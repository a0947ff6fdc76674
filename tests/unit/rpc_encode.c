/* rpc.h, encoding: one valid line each, whatever is put in; and it decodes to what was meant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/rpc.h"

struct fixture {
	char *line;
	size_t size;
};

static int set_up(void **state)
{
	*state = calloc(1, sizeof(struct fixture));
	return *state ? 0 : -1;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	free(f->line);
	free(f);
	return 0;
}

static void line_is(struct fixture *f, const char *expected)
{
	assert_string_equal(f->line, expected);
	assert_int_equal(f->size, strlen(expected));
	free(f->line);
	f->line = NULL;
}

/* What the other end makes of the line. */
static void decode(struct fixture *f, struct rpc_message *message)
{
	struct rpc_decoder decoder;
	const char *data = f->line;
	size_t size = f->size;

	rpc_decoder_init(&decoder);
	assert_int_equal(rpc_decode(&decoder, &data, &size, message), 1);
	assert_int_equal(size, 0);
	rpc_decoder_finish(&decoder);
}

static void result_is_one_line(void **state)
{
	struct fixture *f = *state;
	json_t *id = json_integer(7);

	assert_int_equal(rpc_encode_result(id, json_pack("{s:i}", "n", 1), &f->line, &f->size), 0);
	line_is(f, "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"n\":1}}\n");
	json_decref(id);
}

static void missing_result_and_id_are_null(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(rpc_encode_result(NULL, NULL, &f->line, &f->size), 0);
	line_is(f, "{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":null}\n");
}

static void id_comes_back_as_it_was_sent(void **state)
{
	static const char *const ids[] = {
		"\"x\"", "\"\"", "0", "-9223372036854775808", "1.5", "null", "\"\xc3\xa4\\n\""};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		json_t *id = json_loads(ids[i], JSON_DECODE_ANY, NULL);
		struct rpc_message message;

		assert_non_null(id);
		assert_int_equal(rpc_encode_result(id, NULL, &f->line, &f->size), 0);
		decode(f, &message);
		assert_int_equal(message.kind, RPC_RESPONSE);
		assert_true(json_equal(message.id, id));
		rpc_message_finish(&message);
		json_decref(id);
		free(f->line);
		f->line = NULL;
	}
}

static void references_are_taken_over_and_the_id_only_borrowed(void **state)
{
	struct fixture *f = *state;
	json_t *id = json_integer(7), *result = json_object();

	json_incref(result);
	assert_int_equal(rpc_encode_result(id, result, &f->line, &f->size), 0);
	assert_int_equal(result->refcount, 1);
	assert_int_equal(id->refcount, 1);
	json_decref(result);
	json_decref(id);
}

static void newlines_in_values_make_no_second_line(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(rpc_encode_result(NULL, json_string("a\nb\r\n"), &f->line, &f->size), 0);
	assert_ptr_equal(strchr(f->line, '\n'), f->line + f->size - 1);
}

static void error_names_its_type(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(
		rpc_encode_error(NULL, RPC_PARSE_ERROR, "bad", NULL, &f->line, &f->size), 0);
	line_is(f, "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,"
		   "\"message\":\"bad\",\"data\":{\"type\":\"parse_error\"}}}\n");
}

static void error_keeps_the_data_beside_its_type(void **state)
{
	struct fixture *f = *state;
	struct rpc_message message;
	json_t *id = json_string("x"), *data;

	assert_int_equal(rpc_encode_error(id, RPC_STALE_HANDLE, "gone",
				 json_pack("{s:i}", "epoch", 5), &f->line, &f->size),
		0);
	decode(f, &message);
	assert_int_equal(message.kind, RPC_RESPONSE);
	assert_int_equal(json_integer_value(json_object_get(message.error, "code")), -32000);
	data = json_object_get(message.error, "data");
	assert_string_equal(json_string_value(json_object_get(data, "type")), "stale_handle");
	assert_int_equal(json_integer_value(json_object_get(data, "epoch")), 5);
	rpc_message_finish(&message);
	json_decref(id);
}

static void error_message_of_any_bytes_is_sent_clean(void **state)
{
	struct fixture *f = *state;
	struct rpc_message message;

	assert_int_equal(rpc_encode_error(NULL, RPC_NOT_FOUND, "no file 'a\xff\xc3\xa4\xe2\x82'",
				 NULL, &f->line, &f->size),
		0);
	decode(f, &message);
	assert_string_equal(json_string_value(json_object_get(message.error, "message")),
		"no file 'a?\xc3\xa4?\?'");
	rpc_message_finish(&message);
}

static void every_code_has_a_name_of_its_own(void **state)
{
	static const enum rpc_code codes[] = {RPC_PARSE_ERROR, RPC_INVALID_REQUEST,
		RPC_METHOD_NOT_FOUND, RPC_INVALID_PARAMS, RPC_INTERNAL_ERROR, RPC_STALE_HANDLE,
		RPC_NOT_FOUND, RPC_DENIED, RPC_EXHAUSTED, RPC_TIMEOUT, RPC_LEASE_ENDED,
		RPC_UNAVAILABLE, RPC_CANCELED, RPC_TOO_LARGE, RPC_COMMAND_FAILED};

	(void)state;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(
				rpc_code_name((int)codes[i]), rpc_code_name((int)codes[j]));
	assert_string_equal(rpc_code_name(RPC_STALE_HANDLE), "stale_handle");
	assert_string_equal(rpc_code_name(RPC_METHOD_NOT_FOUND), "method_not_found");
	assert_string_equal(rpc_code_name(4711), "internal_error");
}

static void notification_has_no_id(void **state)
{
	struct fixture *f = *state;
	struct rpc_message message;

	assert_int_equal(rpc_encode_notification("sandbox.output", json_pack("{s:s}", "a", "b"),
				 &f->line, &f->size),
		0);
	decode(f, &message);
	assert_int_equal(message.kind, RPC_NOTIFICATION);
	assert_string_equal(message.method, "sandbox.output");
	rpc_message_finish(&message);
	line_is(f,
		"{\"jsonrpc\":\"2.0\",\"method\":\"sandbox.output\",\"params\":{\"a\":\"b\"}}\n");
}

static void request_has_an_id_and_perhaps_params(void **state)
{
	struct fixture *f = *state;
	json_t *id = json_integer(3);

	assert_int_equal(rpc_encode_request(id, "pool.status", NULL, &f->line, &f->size), 0);
	assert_int_equal(id->refcount, 1);
	json_decref(id);
	line_is(f, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"pool.status\"}\n");
}

static void longest_line_fits_and_one_byte_more_does_not(void **state)
{
	struct fixture *f = *state;
	size_t overhead = strlen("{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":\"\"}");
	char *text = calloc(1, RPC_LINE_MAX);

	assert_non_null(text);
	memset(text, 'x', RPC_LINE_MAX - overhead);
	assert_int_equal(rpc_encode_result(NULL, json_string(text), &f->line, &f->size), 0);
	assert_int_equal(f->size, RPC_LINE_MAX + 1); /* and its newline */
	free(f->line);
	f->line = NULL;
	strcat(text, "x");
	assert_int_equal(rpc_encode_result(NULL, json_string(text), &f->line, &f->size), -EMSGSIZE);
	assert_null(f->line);
	free(text);
}

static void value_that_is_too_large_is_released_all_the_same(void **state)
{
	struct fixture *f = *state;
	char *text = calloc(1, RPC_LINE_MAX + 1);
	json_t *result;

	assert_non_null(text);
	memset(text, 'x', RPC_LINE_MAX);
	result = json_string(text);
	json_incref(result);
	assert_int_equal(rpc_encode_result(NULL, result, &f->line, &f->size), -EMSGSIZE);
	assert_int_equal(result->refcount, 1);
	json_decref(result);
	free(text);
}

/* jansson's allocator, failing at one allocation, so that each is seen to fail once. */
static int allocations_left;

static void *failing_malloc(size_t size)
{
	return allocations_left-- > 0 ? malloc(size) : NULL;
}

static void out_of_memory_at_any_allocation_is_told_and_leaks_nothing(void **state)
{
	struct fixture *f = *state;
	int r = -ENOMEM;
	int tries;

	for (tries = 0; r == -ENOMEM; tries++) {
		json_t *data = json_pack("{s:i}", "n", 1);

		assert_true(tries < 1000);
		allocations_left = tries;
		json_set_alloc_funcs(failing_malloc, free);
		r = rpc_encode_error(NULL, RPC_TIMEOUT, "late", data, &f->line, &f->size);
		json_set_alloc_funcs(malloc, free);
	}
	assert_int_equal(r, 0);
	assert_true(tries > 5);
	line_is(f, "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32004,"
		   "\"message\":\"late\",\"data\":{\"n\":1,\"type\":\"timeout\"}}}\n");
}

static void out_of_memory_while_decoding_serves_nothing_and_leaks_nothing(void **state)
{
	struct rpc_message message = {.root = NULL};
	struct rpc_decoder decoder;
	bool is_served = false;
	int tries;

	(void)state;
	rpc_decoder_init(&decoder);
	for (tries = 0; !is_served; tries++) {
		const char *data = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":[{"
				   "\"a\":2.5}]}\n";
		size_t size = strlen(data);
		int r;

		assert_true(tries < 1000);
		allocations_left = tries;
		json_set_alloc_funcs(failing_malloc, free);
		r = rpc_decode(&decoder, &data, &size, &message);
		json_set_alloc_funcs(malloc, free);
		assert_int_equal(size, 0);
		if (r == -ENOMEM)
			continue;
		assert_int_equal(r, 1);
		is_served = message.kind == RPC_REQUEST;
		if (!is_served) /* some failures look like bad text to jansson */
			assert_int_equal(message.code, RPC_PARSE_ERROR);
		rpc_message_finish(&message);
	}
	assert_true(tries > 5);
	rpc_decoder_finish(&decoder);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(result_is_one_line),
		T(missing_result_and_id_are_null),
		T(id_comes_back_as_it_was_sent),
		T(references_are_taken_over_and_the_id_only_borrowed),
		T(newlines_in_values_make_no_second_line),
		T(error_names_its_type),
		T(error_keeps_the_data_beside_its_type),
		T(error_message_of_any_bytes_is_sent_clean),
		T(every_code_has_a_name_of_its_own),
		T(notification_has_no_id),
		T(request_has_an_id_and_perhaps_params),
		T(longest_line_fits_and_one_byte_more_does_not),
		T(value_that_is_too_large_is_released_all_the_same),
		T(out_of_memory_at_any_allocation_is_told_and_leaks_nothing),
		T(out_of_memory_while_decoding_serves_nothing_and_leaks_nothing),
	};

	return cmocka_run_group_tests_name("proto/rpc, encoding", tests, NULL, NULL);
}
