/* hearth bench --compare: what it reads, what it refuses, what it says. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/bench_stats.h"
#include "cli/cli.h"
#include "tests/unit/cli_capture.h"

struct fixture {
	char a[64], b[64];
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	for (int i = 0; i < 2; i++) {
		char *path = i ? f->b : f->a;
		int fd;

		strcpy(path, "/tmp/hearth-unit.XXXXXX");
		fd = mkstemp(path);
		assert_true(fd >= 0);
		close(fd);
	}
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	unlink(f->a);
	unlink(f->b);
	free(f);
	return 0;
}

static void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* BENCH_BLOCKS blocks of count samples each, from base upwards. */
static void write_result(const char *path, const char *bench, unsigned count, unsigned base)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	fprintf(file, "{\"bench\": \"%s\", \"pause_us\": %u, \"blocks_ns\": [", bench, base);
	for (unsigned block = 0; block < BENCH_BLOCKS; block++) {
		fprintf(file, "%s[", block ? ", " : "");
		for (unsigned i = 0; i < count; i++)
			fprintf(file, "%s%u, 1", i ? ", " : "", base + i * 10 + block);
		fputs("]", file);
	}
	fputs("]}", file);
	assert_int_equal(fclose(file), 0);
	write_text(path, text);
	free(text);
}

static int compare(const struct fixture *f, bool json)
{
	struct cli cli = {.json = json};
	char word[] = "--compare", a[64], b[64];
	char *argv[] = {word, strcpy(a, f->a), strcpy(b, f->b), NULL};
	int status;

	capture_begin();
	status = cli_bench_compare(&cli, 3, argv);
	capture_end();
	return status;
}

static const char *verdict(const char *quantile)
{
	static char text[64];
	json_t *all = json_loads(captured_out, 0, NULL), *row;
	size_t i;

	assert_non_null(all);
	text[0] = '\0';
	json_array_foreach(json_object_get(all, "quantiles"), i,
		row) if (strcmp(json_string_value(json_object_get(row, "quantile")), quantile) == 0)
		snprintf(text, sizeof(text), "%s",
			json_string_value(json_object_get(row, "verdict")));
	json_decref(all);
	return text;
}

static void a_result_against_itself_is_no_change(void **state)
{
	struct fixture *f = *state;

	write_result(f->a, "acquire", 50, 10000);
	write_result(f->b, "acquire", 50, 10000);
	assert_int_equal(compare(f, true), CLI_OK);
	assert_string_equal(verdict("p50"), "no change");
	assert_string_equal(verdict("p99"), "no change");
	assert_int_equal(compare(f, false), CLI_OK);
	assert_non_null(strstr(captured_out, "no change"));
	assert_string_equal(captured_err, "");
}

static void a_shift_is_seen_in_both_directions(void **state)
{
	struct fixture *f = *state;

	write_result(f->a, "acquire", 50, 10000);
	write_result(f->b, "acquire", 50, 12000);
	assert_int_equal(compare(f, true), CLI_OK);
	assert_string_equal(verdict("p50"), "slower");
	write_result(f->b, "acquire", 50, 8000);
	assert_int_equal(compare(f, true), CLI_OK);
	assert_string_equal(verdict("p50"), "faster");
	assert_string_equal(verdict("p99"), "faster");
}

static void too_few_samples_are_said_to_be(void **state)
{
	struct fixture *f = *state;

	write_result(f->a, "acquire", 2, 10000);
	write_result(f->b, "acquire", 5, 20000);
	assert_int_equal(compare(f, true), CLI_OK);
	assert_string_equal(verdict("p50"), "n is too small");
	write_result(f->a, "acquire", 5, 10000);
	assert_int_equal(compare(f, true), CLI_OK);
	assert_string_equal(verdict("p50"), "slower");
	assert_string_equal(verdict("p99"), "n is too small");
}

static void other_settings_are_warned_of(void **state)
{
	struct fixture *f = *state;

	write_result(f->a, "acquire", 50, 10000);
	write_result(f->b, "acquire", 50, 12000);
	assert_int_equal(compare(f, false), CLI_OK);
	assert_string_equal(captured_err, "hearth: warning: pause_us is not the same in both\n");
}

static void another_command_is_warned_of(void **state)
{
	static const char format[] =
		"{\"bench\": \"exec\", \"command\": [\"%s\"], \"blocks_ns\": [%s]}";
	struct fixture *f = *state;
	char blocks[BENCH_BLOCKS * 8] = "", text[512];

	for (unsigned i = 0; i < BENCH_BLOCKS; i++)
		strcat(blocks, i ? ",[1,1]" : "[1,1]");
	snprintf(text, sizeof(text), format, "true", blocks);
	write_text(f->a, text);
	write_text(f->b, text);
	assert_int_equal(compare(f, false), CLI_OK);
	assert_string_equal(captured_err, "");
	snprintf(text, sizeof(text), format, "false", blocks);
	write_text(f->b, text);
	assert_int_equal(compare(f, false), CLI_OK);
	assert_string_equal(captured_err, "hearth: warning: command is not the same in both\n");
}

static void different_benchmarks_are_not_compared(void **state)
{
	struct fixture *f = *state;

	write_result(f->a, "acquire", 50, 10000);
	write_result(f->b, "exec", 50, 10000);
	assert_int_equal(compare(f, false), CLI_FAILED);
	assert_non_null(strstr(captured_err, "of bench exec"));
	assert_string_equal(captured_out, "");
}

static void what_is_no_result_is_refused(void **state)
{
	static const char *const texts[] = {"{}", "[]", "{\"bench\": \"acquire\"}",
		"{\"bench\": \"acquire\", \"blocks_ns\": [[1, 1]]}",
		"{\"bench\": \"acquire\", \"blocks_ns\": 7}", "{\"bench\": 7, \"blocks_ns\": []}"};
	struct fixture *f = *state;

	write_result(f->a, "acquire", 50, 10000);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		write_text(f->b, texts[i]);
		assert_int_equal(compare(f, false), CLI_FAILED);
		assert_non_null(strstr(captured_err, "not a result of hearth bench --json"));
	}
	write_text(f->b, "{\n nothing");
	assert_int_equal(compare(f, false), CLI_FAILED);
	assert_non_null(strstr(captured_err, f->b));
}

/* All blocks are there, but one has something else than value and count. */
static void a_block_of_something_else_is_refused(void **state)
{
	static const char *const blocks[] = {
		"[1]", "[1, 0]", "[-1, 1]", "[1, 4294967296]", "7", "[1, \"1\"]", "[\"1\", 1]"};
	struct fixture *f = *state;

	write_result(f->a, "acquire", 50, 10000);
	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
		char text[1000] = "{\"bench\": \"acquire\", \"blocks_ns\": [";

		for (int block = 1; block < BENCH_BLOCKS; block++)
			strcat(text, "[5, 1], ");
		strcat(text, blocks[i]);
		strcat(text, "]}");
		write_text(f->b, text);
		assert_int_equal(compare(f, false), CLI_FAILED);
		assert_non_null(strstr(captured_err, "not a result"));
	}
}

static void a_file_that_is_not_there_is_not_found(void **state)
{
	struct fixture *f = *state;

	unlink(f->a);
	assert_int_equal(compare(f, false), CLI_NOT_FOUND);
	assert_non_null(strstr(captured_err, f->a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_result_against_itself_is_no_change, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_shift_is_seen_in_both_directions, set_up, tear_down),
		cmocka_unit_test_setup_teardown(too_few_samples_are_said_to_be, set_up, tear_down),
		cmocka_unit_test_setup_teardown(other_settings_are_warned_of, set_up, tear_down),
		cmocka_unit_test_setup_teardown(another_command_is_warned_of, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			different_benchmarks_are_not_compared, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_no_result_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_block_of_something_else_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_file_that_is_not_there_is_not_found, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("bench_compare", tests, NULL, NULL);
}
