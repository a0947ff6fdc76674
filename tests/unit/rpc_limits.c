/* rpc.h, limits: the last that is served, and the first that is not. */
#include "tests/unit/rpc_fixture.h"

#include <stdio.h>

static char *nested(char *line, size_t size, int depth)
{
	size_t used = (size_t)snprintf(
		line, size, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\",\"params\":");

	for (int i = 0; i < depth; i++)
		line[used++] = '[';
	for (int i = 0; i < depth; i++)
		line[used++] = ']';
	snprintf(line + used, size - used, "}\n");
	return line;
}

static void nesting_has_its_limit_and_not_one_more(void **state)
{
	struct fixture *f = *state;
	char line[256];

	decode(f, nested(line, sizeof(line), RPC_DEPTH_MAX - 1)); /* the envelope is a level too */
	assert_int_equal(f->message.kind, RPC_REQUEST);
	refused(f, nested(line, sizeof(line), RPC_DEPTH_MAX), RPC_PARSE_ERROR,
		"nested deeper than 32");
}

static void hundred_thousand_brackets_do_no_harm(void **state)
{
	struct fixture *f = *state;
	size_t size = 100001;
	char *line = malloc(size + 1);

	assert_non_null(line);
	memset(line, '[', size);
	line[size - 1] = '\n';
	line[size] = '\0';
	refused(f, line, RPC_PARSE_ERROR, "nested deeper than 32");
	memset(line, '{', size - 1);
	refused(f, line, RPC_PARSE_ERROR, "nested deeper than 32");
	free(line);
}

static void brackets_inside_strings_are_no_nesting(void **state)
{
	struct fixture *f = *state;

	decode(f, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\",\"params\":[\"\\\""
		  "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"]}\n");
	assert_int_equal(f->message.kind, RPC_REQUEST);
}

static void closed_brackets_are_no_nesting(void **state)
{
	struct fixture *f = *state;
	char line[512] = "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\",\"params\":[0";

	for (int i = 0; i < 60; i++)
		strcat(line, ",[]");
	strcat(line, "]}\n");
	decode(f, line);
	assert_int_equal(f->message.kind, RPC_REQUEST);
}

/* A request of exactly size bytes before its newline. */
static char *request_of(size_t size)
{
	static const char head[] = "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\",\"params\":[\"";
	char *line = malloc(size + 2);

	assert_non_null(line);
	memset(line, 'x', size);
	memcpy(line, head, sizeof(head) - 1);
	memcpy(line + size - 3, "\"]}", 3);
	strcpy(line + size, "\n");
	return line;
}

static void longest_line_is_served(void **state)
{
	struct fixture *f = *state;
	char *line = request_of(RPC_LINE_MAX);

	decode(f, line);
	free(line);
	assert_int_equal(f->message.kind, RPC_REQUEST);
}

static void longer_line_is_too_large_and_the_next_is_served(void **state)
{
	struct fixture *f = *state;
	char *line = request_of(RPC_LINE_MAX + 1);

	refused(f, line, RPC_TOO_LARGE, "line longer than 1048576 bytes");
	free(line);
	decode(f, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\"}\n");
	assert_int_equal(f->message.kind, RPC_REQUEST);
}

static void endless_line_is_told_once_and_takes_no_memory(void **state)
{
	struct fixture *f = *state;
	char piece[65536];
	int told = 0;

	memset(piece, 'x', sizeof(piece));
	for (int i = 0; i < 100; i++) {
		const char *data = piece;
		size_t size = sizeof(piece);

		while (feed(f, &data, &size) == 1) {
			assert_int_equal(f->message.code, RPC_TOO_LARGE);
			told++;
		}
		assert_true(f->decoder.allocated <= 2 * RPC_LINE_MAX);
	}
	assert_int_equal(told, 1);
	assert_int_equal(f->decoder.allocated, 0);
	decode(f, "\n{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\"}\n");
	assert_int_equal(f->message.kind, RPC_REQUEST);
}

static void buffer_of_a_long_line_is_given_back(void **state)
{
	struct fixture *f = *state;
	char *line = request_of(500000);
	const char *data = line;
	size_t size = 400000;

	assert_int_equal(feed(f, &data, &size), 0);
	assert_true(f->decoder.allocated >= 400000);
	decode(f, line + 400000);
	free(line);
	assert_int_equal(f->message.kind, RPC_REQUEST);
	assert_int_equal(f->decoder.allocated, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(nesting_has_its_limit_and_not_one_more),
		T(hundred_thousand_brackets_do_no_harm),
		T(brackets_inside_strings_are_no_nesting),
		T(closed_brackets_are_no_nesting),
		T(longest_line_is_served),
		T(longer_line_is_too_large_and_the_next_is_served),
		T(endless_line_is_told_once_and_takes_no_memory),
		T(buffer_of_a_long_line_is_given_back),
	};

	return cmocka_run_group_tests_name("proto/rpc, limits", tests, NULL, NULL);
}
