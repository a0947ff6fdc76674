/* rpc.h, refusals: what is no JSON, and what is no JSON-RPC, each with its code. */
#include "tests/unit/rpc_fixture.h"

#include <stdio.h>

#include "base/text.h"

static void truncated_json_is_a_parse_error(void **state)
{
	refused_by_the_parser(*state, "{\"jsonrpc\":\"2.0\",\"id\":7,\"meth\n");
}

static void text_behind_the_object_is_a_parse_error(void **state)
{
	refused_by_the_parser(*state, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\"} x\n");
}

static void two_objects_in_a_line_are_a_parse_error(void **state)
{
	refused_by_the_parser(*state, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\"}{}\n");
}

static void duplicate_member_is_a_parse_error(void **state)
{
	refused_by_the_parser(*state, "{\"jsonrpc\":\"2.0\",\"id\":7,\"id\":8,\"method\":\"m\"}\n");
}

static void duplicate_member_deep_in_params_is_a_parse_error(void **state)
{
	refused_by_the_parser(*state, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\",\"params\":"
				      "[{\"a\":{\"b\":1,\"\\u0062\":2}}]}\n");
}

static void escaped_nul_is_a_parse_error(void **state)
{
	refused_by_the_parser(*state,
		"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\",\"params\":[\"a\\u0000b\"]}\n");
}

static void escaped_nul_in_a_member_name_is_a_parse_error(void **state)
{
	refused_by_the_parser(*state,
		"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\",\"params\":{\"a\\u0000\":1}}\n");
}

static void lone_surrogate_is_a_parse_error(void **state)
{
	refused_by_the_parser(*state,
		"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\",\"params\":[\"\\ud800\"]}\n");
}

static void integer_beyond_64_bits_is_a_parse_error(void **state)
{
	refused_by_the_parser(
		*state, "{\"jsonrpc\":\"2.0\",\"id\":9223372036854775808,\"method\":\"m\"}\n");
}

static void largest_integer_is_kept_exactly(void **state)
{
	struct fixture *f = *state;

	decode(f, "{\"jsonrpc\":\"2.0\",\"id\":9223372036854775807,\"method\":\"m\"}\n");
	assert_true(json_integer_value(f->message.id) == INT64_MAX);
}

static void number_beyond_a_double_is_a_parse_error(void **state)
{
	refused_by_the_parser(*state, "{\"jsonrpc\":\"2.0\",\"id\":1e999,\"method\":\"m\"}\n");
}

static void infinity_and_nan_are_parse_errors(void **state)
{
	refused_by_the_parser(*state, "{\"jsonrpc\":\"2.0\",\"id\":NaN,\"method\":\"m\"}\n");
	refused_by_the_parser(*state, "{\"jsonrpc\":\"2.0\",\"id\":Infinity,\"method\":\"m\"}\n");
}

static void control_character_in_a_string_is_a_parse_error(void **state)
{
	refused_by_the_parser(*state, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"a\tb\"}\n");
}

static void nul_byte_is_a_parse_error(void **state)
{
	static const char line[] = "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"a\0b\"}\n";
	struct fixture *f = *state;

	decode_bytes(f, line, sizeof(line) - 1);
	assert_int_equal(f->message.kind, RPC_INVALID);
	assert_int_equal(f->message.code, RPC_PARSE_ERROR);
	assert_string_equal(f->message.text, "NUL byte in the line");
}

static void nul_byte_behind_the_object_is_a_parse_error(void **state)
{
	static const char line[] = "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\"}\0\n";
	struct fixture *f = *state;

	decode_bytes(f, line, sizeof(line) - 1);
	assert_string_equal(f->message.text, "NUL byte in the line");
}

static void line_of_a_single_nul_byte_is_a_parse_error(void **state)
{
	struct fixture *f = *state;

	decode_bytes(f, "\0\n", 2);
	assert_string_equal(f->message.text, "NUL byte in the line");
}

static void invalid_utf8_is_a_parse_error(void **state)
{
	refused(*state, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"\xff\"}\n", RPC_PARSE_ERROR,
		"invalid UTF-8");
}

static void overlong_utf8_is_a_parse_error(void **state)
{
	refused(*state, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"\xc0\xaf\"}\n", RPC_PARSE_ERROR,
		"invalid UTF-8");
}

static void batch_is_an_invalid_request(void **state)
{
	refused(*state, "[{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\"}]\n", RPC_INVALID_REQUEST,
		"batches are not served: send one request per line");
}

static void empty_batch_is_an_invalid_request(void **state)
{
	refused(*state, "[]\n", RPC_INVALID_REQUEST,
		"batches are not served: send one request per line");
}

static void anything_but_an_object_is_an_invalid_request(void **state)
{
	static const char *const lines[] = {"1\n", "\"x\"\n", "null\n", "true\n", "-0.5\n"};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		refused(*state, lines[i], RPC_INVALID_REQUEST, "not an object");
}

static void empty_object_is_an_invalid_request(void **state)
{
	refused(*state, "{}\n", RPC_INVALID_REQUEST, "jsonrpc must be \"2.0\"");
}

static void other_version_is_an_invalid_request(void **state)
{
	struct fixture *f = *state;

	refused(f, "{\"jsonrpc\":\"1.0\",\"id\":7,\"method\":\"m\"}\n", RPC_INVALID_REQUEST,
		"jsonrpc must be \"2.0\"");
	assert_int_equal(json_integer_value(f->message.id), 7);
}

static void version_of_a_wrong_type_is_an_invalid_request(void **state)
{
	refused(*state, "{\"jsonrpc\":2.0,\"id\":7,\"method\":\"m\"}\n", RPC_INVALID_REQUEST,
		"jsonrpc must be \"2.0\"");
}

static void id_of_a_wrong_type_is_an_invalid_request_without_id(void **state)
{
	static const char *const ids[] = {"true", "false", "[1]", "{}"};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		char line[100];

		snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"m\"}\n",
			ids[i]);
		refused(f, line, RPC_INVALID_REQUEST, "id must be a string, a number or null");
		assert_null(f->message.id);
	}
}

static void missing_method_is_an_invalid_request_with_its_id(void **state)
{
	struct fixture *f = *state;

	refused(f, "{\"jsonrpc\":\"2.0\",\"id\":7}\n", RPC_INVALID_REQUEST, "no method");
	assert_int_equal(json_integer_value(f->message.id), 7);
}

static void method_of_a_wrong_type_is_an_invalid_request(void **state)
{
	static const char *const methods[] = {"1", "null", "[\"m\"]", "{}", "true"};

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		char line[100];

		snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":%s}\n",
			methods[i]);
		refused(*state, line, RPC_INVALID_REQUEST, "method must be a string");
	}
}

static void empty_method_is_an_invalid_request(void **state)
{
	refused(*state, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"\"}\n", RPC_INVALID_REQUEST,
		"method must have 1 to 64 bytes");
}

static void method_has_a_longest_name(void **state)
{
	struct fixture *f = *state;
	char line[200];

	snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"%064d\"}\n", 0);
	decode(f, line);
	assert_int_equal(f->message.kind, RPC_REQUEST);
	snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"%065d\"}\n", 0);
	refused(f, line, RPC_INVALID_REQUEST, "method must have 1 to 64 bytes");
}

static void params_of_a_wrong_type_are_invalid_params(void **state)
{
	static const char *const params[] = {"1", "null", "\"x\"", "true"};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++) {
		char line[100];

		snprintf(line, sizeof(line),
			"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\",\"params\":%s}\n",
			params[i]);
		refused(f, line, RPC_INVALID_PARAMS, "params must be an object or an array");
		assert_int_equal(json_integer_value(f->message.id), 7);
	}
}

static void unknown_member_is_an_invalid_request(void **state)
{
	refused(*state, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\",\"parms\":{}}\n",
		RPC_INVALID_REQUEST, "unknown member 'parms'");
}

static void quoted_member_is_cut_between_characters(void **state)
{
	struct fixture *f = *state;
	char line[256] = "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\",\"x";

	for (int i = 0; i < 60; i++)
		strcat(line, "\xc3\xa4");
	strcat(line, "\":1}\n");
	decode(f, line);
	assert_int_equal(f->message.code, RPC_INVALID_REQUEST);
	assert_true(text_is_utf8(f->message.text, strlen(f->message.text)));
	assert_memory_equal(f->message.text, "unknown member 'x\xc3\xa4", 19);
}

static void response_with_result_and_error_is_invalid(void **state)
{
	refused(*state,
		"{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":1,"
		"\"error\":{\"code\":1,\"message\":\"x\"}}\n",
		RPC_INVALID_REQUEST, "both a result and an error");
}

static void response_without_id_is_invalid(void **state)
{
	refused(*state, "{\"jsonrpc\":\"2.0\",\"result\":1}\n", RPC_INVALID_REQUEST,
		"a response needs an id");
}

static void response_with_a_method_is_invalid(void **state)
{
	refused(*state, "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":1,\"method\":\"m\"}\n",
		RPC_INVALID_REQUEST, "unknown member 'method'");
}

static void error_of_a_response_needs_code_and_message(void **state)
{
	static const char *const errors[] = {"1", "null", "{}", "{\"code\":1}",
		"{\"message\":\"x\"}", "{\"code\":\"1\",\"message\":\"x\"}",
		"{\"code\":1,\"message\":2}", "{\"code\":1.5,\"message\":\"x\"}"};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		char line[100];

		snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":%s}\n",
			errors[i]);
		refused(*state, line, RPC_INVALID_REQUEST,
			"an error needs a code (integer) and a message (string)");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(truncated_json_is_a_parse_error),
		T(text_behind_the_object_is_a_parse_error),
		T(two_objects_in_a_line_are_a_parse_error),
		T(duplicate_member_is_a_parse_error),
		T(duplicate_member_deep_in_params_is_a_parse_error),
		T(escaped_nul_is_a_parse_error),
		T(escaped_nul_in_a_member_name_is_a_parse_error),
		T(lone_surrogate_is_a_parse_error),
		T(integer_beyond_64_bits_is_a_parse_error),
		T(largest_integer_is_kept_exactly),
		T(number_beyond_a_double_is_a_parse_error),
		T(infinity_and_nan_are_parse_errors),
		T(control_character_in_a_string_is_a_parse_error),
		T(nul_byte_is_a_parse_error),
		T(nul_byte_behind_the_object_is_a_parse_error),
		T(line_of_a_single_nul_byte_is_a_parse_error),
		T(invalid_utf8_is_a_parse_error),
		T(overlong_utf8_is_a_parse_error),
		T(batch_is_an_invalid_request),
		T(empty_batch_is_an_invalid_request),
		T(anything_but_an_object_is_an_invalid_request),
		T(empty_object_is_an_invalid_request),
		T(other_version_is_an_invalid_request),
		T(version_of_a_wrong_type_is_an_invalid_request),
		T(id_of_a_wrong_type_is_an_invalid_request_without_id),
		T(missing_method_is_an_invalid_request_with_its_id),
		T(method_of_a_wrong_type_is_an_invalid_request),
		T(empty_method_is_an_invalid_request),
		T(method_has_a_longest_name),
		T(params_of_a_wrong_type_are_invalid_params),
		T(unknown_member_is_an_invalid_request),
		T(quoted_member_is_cut_between_characters),
		T(response_with_result_and_error_is_invalid),
		T(response_without_id_is_invalid),
		T(response_with_a_method_is_invalid),
		T(error_of_a_response_needs_code_and_message),
	};

	return cmocka_run_group_tests_name("proto/rpc, refusals", tests, NULL, NULL);
}
