/* rpc.h, decoding: messages come out whole, however their bytes come in. */
#include "tests/unit/rpc_fixture.h"

static void request_has_id_method_and_params(void **state)
{
	struct fixture *f = *state;

	decode(f,
		"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"pool.status\",\"params\":{\"a\":1}}\n");
	assert_int_equal(f->message.kind, RPC_REQUEST);
	assert_int_equal(json_integer_value(f->message.id), 7);
	assert_string_equal(f->message.method, "pool.status");
	assert_int_equal(json_integer_value(json_object_get(f->message.params, "a")), 1);
}

static void params_may_be_an_array_or_absent(void **state)
{
	struct fixture *f = *state;

	decode(f, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\",\"params\":[1,2]}\n");
	assert_int_equal(f->message.kind, RPC_REQUEST);
	assert_int_equal(json_array_size(f->message.params), 2);
	decode(f, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\"}\n");
	assert_int_equal(f->message.kind, RPC_REQUEST);
	assert_null(f->message.params);
}

static void id_may_be_a_string_a_number_or_null(void **state)
{
	struct fixture *f = *state;

	decode(f, "{\"jsonrpc\":\"2.0\",\"id\":\"x-1\",\"method\":\"m\"}\n");
	assert_int_equal(f->message.kind, RPC_REQUEST);
	assert_string_equal(json_string_value(f->message.id), "x-1");
	decode(f, "{\"jsonrpc\":\"2.0\",\"id\":-1.5,\"method\":\"m\"}\n");
	assert_int_equal(f->message.kind, RPC_REQUEST);
	assert_true(json_real_value(f->message.id) == -1.5);
	decode(f, "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"m\"}\n");
	assert_int_equal(f->message.kind, RPC_REQUEST);
	assert_true(json_is_null(f->message.id));
}

static void request_without_id_is_a_notification(void **state)
{
	struct fixture *f = *state;

	decode(f, "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":{}}\n");
	assert_int_equal(f->message.kind, RPC_NOTIFICATION);
	assert_null(f->message.id);
	assert_non_null(f->message.params);
}

static void response_has_a_result_even_if_it_is_null(void **state)
{
	struct fixture *f = *state;

	decode(f, "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":null}\n");
	assert_int_equal(f->message.kind, RPC_RESPONSE);
	assert_true(json_is_null(f->message.result));
	assert_null(f->message.error);
	assert_int_equal(json_integer_value(f->message.id), 7);
}

static void response_may_have_an_error_instead(void **state)
{
	struct fixture *f = *state;

	decode(f, "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":\"x\"}}"
		  "\n");
	assert_int_equal(f->message.kind, RPC_RESPONSE);
	assert_null(f->message.result);
	assert_int_equal(json_integer_value(json_object_get(f->message.error, "code")), -32700);
}

/* Line after line, also behind one whose buffer was given back. */
static void a_client_takes_nul_in_strings(void **state)
{
	static const char begin[] = "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":[\"a\\u0000b\"";
	struct fixture *f = *state;
	size_t lengths[] = {0, 100000, 0};

	f->decoder.takes_nul = true;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		const char *at = begin;
		size_t size = strlen(begin);
		char *rest = malloc(lengths[i] + 4);

		assert_non_null(rest);
		assert_int_equal(feed(f, &at, &size), 0);
		memset(rest, ' ', lengths[i]);
		strcpy(rest + lengths[i], "]}\n");
		decode_bytes(f, rest, lengths[i] + 3);
		assert_int_equal(f->message.kind, RPC_RESPONSE);
		assert_int_equal(json_string_length(json_array_get(f->message.result, 0)), 3);
		free(rest);
	}
}

static void line_may_end_in_crlf(void **state)
{
	struct fixture *f = *state;

	decode(f, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\"}\r\n");
	assert_int_equal(f->message.kind, RPC_REQUEST);
}

static void empty_lines_are_ignored(void **state)
{
	struct fixture *f = *state;

	decode(f, "\n\r\n  \t\n{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\"}\n");
	assert_int_equal(f->message.kind, RPC_REQUEST);
}

static void line_without_its_newline_waits_for_more(void **state)
{
	struct fixture *f = *state;
	const char *data = "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\"}";
	size_t size = strlen(data);

	assert_int_equal(feed(f, &data, &size), 0);
	assert_int_equal(size, 0);
	decode(f, "\n");
	assert_int_equal(f->message.kind, RPC_REQUEST);
}

static void one_byte_at_a_time_makes_the_same_message(void **state)
{
	struct fixture *f = *state;
	const char *line =
		"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\",\"params\":[\"\\u00e4\"]}\n";

	for (const char *p = line; *p; p++) {
		const char *data = p;
		size_t size = 1;

		assert_int_equal(feed(f, &data, &size), p[1] == '\0');
		assert_int_equal(size, 0);
	}
	assert_int_equal(f->message.kind, RPC_REQUEST);
	assert_int_equal(json_integer_value(f->message.id), 7);
}

static void several_lines_at_once_come_out_one_by_one(void **state)
{
	struct fixture *f = *state;
	const char *data = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\"}\n"
			   "nonsense\n"
			   "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"b\"}\n"
			   "{\"jsonrpc\":";
	size_t size = strlen(data);

	assert_int_equal(feed(f, &data, &size), 1);
	assert_string_equal(f->message.method, "a");
	assert_int_equal(feed(f, &data, &size), 1);
	assert_int_equal(f->message.kind, RPC_INVALID);
	assert_int_equal(feed(f, &data, &size), 1);
	assert_string_equal(f->message.method, "b");
	assert_int_equal(feed(f, &data, &size), 0);
	assert_int_equal(size, 0);
}

static void line_split_at_any_byte_makes_the_same_message(void **state)
{
	struct fixture *f = *state;
	const char *line = "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\"}\n";

	for (size_t cut = 1; cut < strlen(line); cut++) {
		const char *data = line;
		size_t size = cut;

		assert_int_equal(feed(f, &data, &size), 0);
		decode_bytes(f, line + cut, strlen(line) - cut);
		assert_int_equal(f->message.kind, RPC_REQUEST);
	}
}

static void message_may_be_finished_twice(void **state)
{
	struct fixture *f = *state;

	decode(f, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\"}\n");
	rpc_message_finish(&f->message);
	assert_null(f->message.root);
	rpc_message_finish(&f->message);
}

static void id_may_outlive_its_message(void **state)
{
	struct fixture *f = *state;
	json_t *id;

	decode(f, "{\"jsonrpc\":\"2.0\",\"id\":\"keep\",\"method\":\"m\"}\n");
	id = json_incref(f->message.id);
	rpc_message_finish(&f->message);
	assert_string_equal(json_string_value(id), "keep");
	json_decref(id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(request_has_id_method_and_params),
		T(params_may_be_an_array_or_absent),
		T(id_may_be_a_string_a_number_or_null),
		T(request_without_id_is_a_notification),
		T(response_has_a_result_even_if_it_is_null),
		T(response_may_have_an_error_instead),
		T(a_client_takes_nul_in_strings),
		T(line_may_end_in_crlf),
		T(empty_lines_are_ignored),
		T(line_without_its_newline_waits_for_more),
		T(one_byte_at_a_time_makes_the_same_message),
		T(several_lines_at_once_come_out_one_by_one),
		T(line_split_at_any_byte_makes_the_same_message),
		T(message_may_be_finished_twice),
		T(id_may_outlive_its_message),
	};

	return cmocka_run_group_tests_name("proto/rpc, decoding", tests, NULL, NULL);
}
