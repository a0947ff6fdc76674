/* What hearth run asks for of a lease's own, and the hearth.conf that hearth up writes. */
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

#include "base/cleanup.h"
#include "base/file.h"
#include "cli/lease_options.h"
#include "cli/parse.h"
#include "cli/up_config.h"
#include "proto/control.h"
#include "tests/unit/cli_capture.h"

#define WORDS_MAX 16

/* A command line, words parted by blanks, read by the real table of commands. */
struct line {
	struct cli cli;
	char text[1024];
	char *words[WORDS_MAX + 1], *operands[WORDS_MAX + 1];
};

static void read_line(struct line *line, const char *text)
{
	struct parse parse = {.cli = &line->cli, .argv = line->words, .operands = line->operands};
	char *rest = line->text, *word;
	unsigned count = 0;

	memset(line, 0, sizeof(*line));
	assert_true(snprintf(line->text, sizeof(line->text), "%s", text) < (int)sizeof(line->text));
	while ((word = strsep(&rest, " "))) {
		assert_true(count < WORDS_MAX);
		line->words[count++] = word;
	}
	parse_words(&parse);
	assert_int_equal(parse.err.code, 0);
}

static int lease(const char *options, struct control_acquire *request)
{
	struct line line;
	char text[1024];
	int status;

	snprintf(text, sizeof(text), "run %s-- true", options);
	read_line(&line, text);
	capture_begin();
	status = lease_options_parse(&line.cli, request);
	capture_end();
	return status;
}

static void a_lease_asks_for_nothing_by_default(void **state)
{
	struct control_acquire request, nothing = {0};

	(void)state;
	assert_int_equal(lease("", &request), 0);
	assert_memory_equal(&request, &nothing, sizeof(request));
}

static void a_lease_asks_for_what_is_given(void **state)
{
	struct control_acquire request;

	(void)state;
	assert_int_equal(
		lease("--image base --net allow --workspace a.b-c_1 --hostname box ", &request), 0);
	assert_string_equal(request.template_name, "base");
	assert_string_equal(request.net, "allow");
	assert_string_equal(request.workspace, "a.b-c_1");
	assert_string_equal(request.hostname, "box");
	assert_int_equal(lease("--memory 64M --pids 20 --cpus 0.5 ", &request), 0);
	assert_int_equal(request.memory_bytes, 64 << 20);
	assert_int_equal(request.pids, 20);
	assert_int_equal(request.cpu_milli, 500);
}

static void what_no_lease_can_have_is_a_wrong_command_line(void **state)
{
	static const char *const wrong[][2] = {
		{"--image ../x ", "--image '../x'"},
		{"--net internet ", "the profiles are: none, default, allow, open"},
		{"--net Open ", "the profiles are"},
		{"--workspace ../../etc ", "--workspace '../../etc': 1 to 63 of"},
		{"--workspace .hidden ", "a letter or digit first"},
		{"--workspace= ", "--workspace ''"},
		{"--workspace a/b ", "--workspace 'a/b'"},
		{"--workspace "
		 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx ",
			"--workspace"},
		{"--hostname Box ", "--hostname 'Box'"},
		{"--memory 0 ", "--memory '0': a size"},
		{"--memory -1 ", "--memory '-1'"},
		{"--memory 17T ", "--memory '17T'"},
		{"--memory much ", "--memory 'much'"},
		{"--pids 0 ", "--pids '0': a whole number from 1 to 4194304"},
		{"--pids 1.5 ", "--pids '1.5'"},
		{"--cpus 0 ", "--cpus '0': a number"},
		{"--cpus 1025 ", "at most 1024"},
		{"--cpus 0.0001 ", "--cpus '0.0001'"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct control_acquire request;

		assert_int_equal(lease(wrong[i][0], &request), CLI_OWN_FAILURE);
		if (!strstr(captured_err, wrong[i][1]))
			fail_msg("'%s' is not in: %s", wrong[i][1], captured_err);
	}
}

/* The file that this `hearth up` writes, or the exit code of its usage error. */
static int up(const char *options, char *ret_config, size_t size)
{
	char directory[] = "/tmp/hearth-cli-lease.XXXXXX", path[64], text[1024];
	struct up_config config;
	struct line line;
	int status;

	snprintf(text, sizeof(text), "up --image tiny --pool 4%s", options);
	read_line(&line, text);
	capture_begin();
	status = up_config_parse(&line.cli, &(struct up_config){0}, &config);
	capture_end();
	if (status != 0)
		return status;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/hearth.conf", directory);
	assert_int_equal(up_config_write(&line.cli, &config, directory, NULL), 0);
	assert_true(file_read_at(AT_FDCWD, path, ret_config, size, NULL) >= 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(directory), 0);
	return 0;
}

static void up_writes_its_pool_without_a_network(void **state)
{
	char config[1024];

	(void)state;
	assert_int_equal(up("", config, sizeof(config)), 0);
	assert_string_equal(config, "# Written by hearth up.\n[pool \"tiny\"]\nimage = tiny\n"
				    "net = none\nmin = 4\nmax = 16\n");
}

static void up_writes_the_profile_and_a_line_for_each_exception(void **state)
{
	char config[1024];

	(void)state;
	assert_int_equal(up(" --net default", config, sizeof(config)), 0);
	assert_non_null(strstr(config, "\nnet = default\n"));
	assert_null(strstr(config, "[egress]"));
	assert_int_equal(up(" --net allow --except 10.1.2.0/24,192.168.7.9 --except=172.16.0.0/12 "
			    "--allow pypi.org,*.npmjs.org --allow 203.0.113.0/24",
				 config, sizeof(config)),
		0);
	assert_non_null(strstr(config, "\nnet = allow\n"));
	assert_non_null(strstr(config,
		"\n\n[egress]\nexcept = 10.1.2.0/24\nexcept = 192.168.7.9\nexcept = 172.16.0.0/12\n"
		"allow = pypi.org\nallow = *.npmjs.org\nallow = 203.0.113.0/24\n"));
}

static void up_refuses_what_is_no_network(void **state)
{
	static const char *const wrong[][2] = {
		{" --net internet", "the profiles are: none, default, allow, open"},
		{" --net=", "--net ''"},
		{" --except 10.0.0.0/8", "need a network"},
		{" --net none --allow pypi.org", "need a network"},
		{" --net default --except 10.0.0.0/33", "--except '10.0.0.0/33'"},
		{" --net default --except 10.0.0/8", "--except '10.0.0/8'"},
		{" --net default --except registry.local", "--except 'registry.local'"},
		{" --net default --except fd00::/8", "--except 'fd00::/8'"},
		{" --net default --except 10.0.0.0/8,", "--except ''"},
		{" --net default --except=", "--except ''"},
		{" --net default --except 10.0.0.1\nuser=x", "--except '10.0.0.1\nuser=x'"},
		{" --net allow --allow *", "--allow '*'"},
		{" --net allow --allow a.*.org", "--allow 'a.*.org'"},
		{" --net allow --allow https://pypi.org", "--allow 'https://pypi.org'"},
		{" --net allow --allow pypi.org\nuser=x", "--allow"},
	};
	char config[1024];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		assert_int_equal(up(wrong[i][0], config, sizeof(config)), CLI_USAGE);
		if (!strstr(captured_err, wrong[i][1]))
			fail_msg("'%s' is not in: %s", wrong[i][1], captured_err);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lease_asks_for_nothing_by_default),
		cmocka_unit_test(a_lease_asks_for_what_is_given),
		cmocka_unit_test(what_no_lease_can_have_is_a_wrong_command_line),
		cmocka_unit_test(up_writes_its_pool_without_a_network),
		cmocka_unit_test(up_writes_the_profile_and_a_line_for_each_exception),
		cmocka_unit_test(up_refuses_what_is_no_network),
	};

	return cmocka_run_group_tests_name("cli_lease", tests, NULL, NULL);
}
