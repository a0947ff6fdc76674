/*
 * File requests against what a hostile program can put in their way: names that change under them,
 * files without an end, names that are no text. Each is replied in bounded time and says why; none
 * reads or writes a file of the host.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/system/jail_calls.h"
#include "tests/system/jail_fixture.h"
#include "tests/system/patience.h"

#define ROUNDS	  2000
#define IN_FLIGHT 8 /* rounds */
#define CANARY	  "of the host: a needle"
/* The timeout of what may have no end; what has one gets more on a slow machine. */
#define SHORT_MS 1000

static struct fixture f;
static struct guest_client *client;
static struct fixture_result result;
static struct call call;
static char host[] =
	"/dev/shm/hearth-test-host.XXXXXX"; /* canary, and shared/, which is bound to /bound */

static void write_host_file(const char *name, const char *content)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", host, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(content, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
	struct fixture_options options = {
		.limits = {.memory_bytes = 256u << 20, .disk_bytes = 64u << 20, .pids = 256},
		.bind_count = 1,
		.binds = {{.destination = "/bound"}},
	};
	char shared[128];

	(void)state;
	assert_non_null(mkdtemp(host));
	assert_int_equal(chmod(host, 0777), 0); /* only the sandbox's walls guard the canary */
	write_host_file("canary", CANARY);
	snprintf(shared, sizeof(shared), "%s/canary", host);
	assert_int_equal(chmod(shared, 0666), 0);
	snprintf(shared, sizeof(shared), "%s/shared", host);
	assert_int_equal(mkdir(shared, 0777), 0);
	assert_int_equal(chmod(shared, 0777), 0);
	options.bind_fds[0] = open(shared, O_PATH | O_CLOEXEC);
	fixture_start(&f, &options);
	close(options.bind_fds[0]);
	assert_int_equal(fixture_build(&f, 0, &client), 0);
	return 0;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	guest_client_destroy(client);
	call_finish(&call);
	fixture_kill(&f);
	fixture_stop(&f);
	snprintf(command, sizeof(command), "rm -rf %s", host);
	return system(command);
}

static const struct call *ask(const struct guest_file_options *options, const char *input)
{
	call_finish(&call);
	call_file(client, &call, options, input, input ? strlen(input) : 0);
	call_wait(client, &call);
	return &call;
}

static void assert_canary_is_untouched(const struct stat *before)
{
	char path[128], text[64] = "";
	struct stat after;
	FILE *file;

	snprintf(path, sizeof(path), "%s/canary", host);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(after.st_ino, before->st_ino);
	assert_int_equal(after.st_mtim.tv_sec, before->st_mtim.tv_sec);
	assert_int_equal(after.st_mtim.tv_nsec, before->st_mtim.tv_nsec);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	fclose(file);
	assert_string_equal(text, CANARY);
}

/* The five requests of a round. */
static const struct swapped {
	struct guest_file_options file;
	const char *input;
	size_t input_size;
} swapped[] = {
	{{.type = GUEST_READ, .path = "/bound/d/canary"}, NULL, 0},
	{{.type = GUEST_WRITE, .path = "/bound/d/canary"}, "inside\n", 7},
	{{.type = GUEST_EDIT, .path = "/bound/d/canary"}, "inside\0inside", 13},
	{{.type = GUEST_GLOB, .path = "/bound/d", .pattern = "**/canary"}, NULL, 0},
	{{.type = GUEST_GREP, .path = "/bound/d", .pattern = "host|inside", .include = ""}, NULL,
		0},
};

static struct call swaps[IN_FLIGHT][ARRAY_SIZE(swapped)];
static unsigned done_count[ARRAY_SIZE(swapped)], failed_count;

static void check_swapped(struct call *c, size_t kind)
{
	/* EPERM: what ext4 says of a new file in a directory that was removed */
	static const int allowed[] = {
		ENOENT, ENOTDIR, EEXIST, EACCES, EINVAL, ELOOP, EAGAIN, EPERM};
	bool is_allowed = c->reply.end == GUEST_END_DONE;

	assert_int_equal(c->replies, 1);
	if (c->output && strstr(c->output, "of the host"))
		fail_msg("request %u read the canary: %s", swapped[kind].file.type, c->output);
	done_count[kind] += is_allowed;
	failed_count += !is_allowed;
	for (size_t i = 0; i < ARRAY_SIZE(allowed) && c->reply.end == GUEST_END_FAILED; i++)
		is_allowed |= (int)c->reply.error == allowed[i];
	if (!is_allowed)
		fail_msg("request %u: end %u: %s", swapped[kind].file.type, c->reply.end,
			c->reply.text);
	call_finish(c);
}

/* Inside, d is a directory, then a link to the host's directory by one way or another. */
static void start_swapping(struct call *loop)
{
	static char command[1024];

	snprintf(command, sizeof(command),
		"cd /bound; mkdir -p d; echo inside >d/canary; ln -s %1$s absolute; ln -s .. "
		"parent; "
		"ln -s ../../../..%1$s deep; ln -s /proc/1/root%1$s proc; ln -s ../../canary file; "
		"echo; while :; do for l in absolute parent deep proc; do mv d real; cp -P $l d; "
		"rm d; mv real d; mv d/canary d/kept; cp -P file d/canary; mv d/kept d/canary; "
		"done; done",
		host);
	call_command(client, loop, command, NULL);
	while (loop->bytes[GUEST_STDOUT] == 0)
		calls_turn(client, 1000);
}

static void names_swapped_under_requests_lead_nowhere_outside(void **state)
{
	const char *fewer = getenv("HEARTH_TEST_ROUNDS"); /* for a slow machine */
	const int rounds = fewer ? atoi(fewer) : ROUNDS;
	static struct call loop;
	char path[128];
	struct stat before;

	(void)state;
	snprintf(path, sizeof(path), "%s/canary", host);
	assert_int_equal(stat(path, &before), 0);
	start_swapping(&loop);
	for (int round = 0; round < rounds; round += IN_FLIGHT) {
		for (int i = 0; i < IN_FLIGHT; i++)
			for (size_t k = 0; k < ARRAY_SIZE(swapped); k++)
				call_file(client, &swaps[i][k], &swapped[k].file, swapped[k].input,
					swapped[k].input_size);
		for (int i = 0; i < IN_FLIGHT; i++)
			for (size_t k = 0; k < ARRAY_SIZE(swapped); k++) {
				call_wait(client, &swaps[i][k]);
				check_swapped(&swaps[i][k], k);
			}
	}
	assert_int_equal(loop.replies, 0); /* it swapped all the time */
	assert_int_equal(guest_request_cancel(loop.request), 0);
	call_wait(client, &loop);
	call_finish(&loop);
	for (size_t k = 0; k < ARRAY_SIZE(swapped); k++)
		assert_true(done_count[k] > 0); /* the directory was seen, */
	assert_true(failed_count > 0);		/* and what it was swapped for */
	assert_canary_is_untouched(&before);
}

static void what_is_no_regular_file_is_refused_at_once(void **state)
{
	static const char *const paths[] = {"/fifo", "/dev/zero", "/dev/null", "/dev/full",
		"/dev/urandom", "/dev/tty", "/dev/ptmx"};
	static const struct {
		uint16_t type;
		const char *input;
	} requests[] = {{GUEST_READ, NULL}, {GUEST_WRITE, "text"}, {GUEST_EDIT, "a"}};

	(void)state;
	fixture_run_ok(client, "mkfifo /fifo; ln -s /fifo /link; ln -s /self /self", &result);
	for (size_t p = 0; p < ARRAY_SIZE(paths); p++)
		for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
			const struct guest_file_options options = {
				.type = requests[i].type, .path = paths[p]};

			ask(&options, requests[i].input);
			assert_int_equal(call.reply.end, GUEST_END_FAILED);
			if (call.reply.error != EINVAL && call.reply.error != ENXIO)
				fail_msg("%u of %s: %s", requests[i].type, paths[p],
					call.reply.text);
			assert_int_equal(call.bytes[GUEST_DATA], 0);
		}
	ask(&(struct guest_file_options){.type = GUEST_READ, .path = "/link"}, NULL);
	assert_int_equal(call.reply.error, EINVAL);
	ask(&(struct guest_file_options){.type = GUEST_WRITE, .path = "/link"}, "text");
	assert_int_equal(call.reply.error, EINVAL);
	ask(&(struct guest_file_options){.type = GUEST_READ, .path = "/self"}, NULL);
	assert_int_equal(call.reply.error, ELOOP);
	ask(&(struct guest_file_options){.type = GUEST_WRITE, .path = "/self"}, "text");
	assert_int_equal(call.reply.error, ELOOP);
	ask(&(struct guest_file_options){.type = GUEST_READ, .path = "/proc"}, NULL);
	assert_int_equal(call.reply.error, EISDIR);
	ask(&(struct guest_file_options){.type = GUEST_WRITE, .path = "/proc"}, "text");
	assert_int_equal(call.reply.error, EISDIR);
}

/* An end of its own or the timeout's; either way typed. */
static void assert_ended(const char *what)
{
	if (call.reply.end == GUEST_END_FAILED)
		assert_int_not_equal(call.reply.error, 0);
	else if (call.reply.end == GUEST_END_TIMEOUT)
		assert_int_equal(call.reply.error, 0);
	else if (call.reply.end != GUEST_END_DONE)
		fail_msg("%s: end %u", what, call.reply.end);
	fixture_run_ok(client, "true", &result);
}

static void ask_all_of_endless(const char *path)
{
	const uint32_t max = 1 << 20;

	ask(&(struct guest_file_options){.type = GUEST_READ,
		    .path = path,
		    .timeout_ms = SHORT_MS * patience(),
		    .max_bytes = max,
		    .length = UINT64_MAX},
		NULL);
	assert_int_equal(call.reply.end, GUEST_END_DONE);
	assert_int_equal(call.bytes[GUEST_DATA], max);
	ask(&(struct guest_file_options){.type = GUEST_READ,
		    .flags = GUEST_FILE_LINES,
		    .path = path,
		    .timeout_ms = SHORT_MS,
		    .offset = 1,
		    .length = 10},
		NULL);
	assert_ended("READ of lines");
	ask(
		&(struct guest_file_options){
			.type = GUEST_EDIT, .path = path, .timeout_ms = SHORT_MS * patience()},
		"");
	assert_int_equal(call.reply.end, GUEST_END_FAILED);
	assert_int_not_equal(call.reply.error, 0);
	ask(&(struct guest_file_options){.type = GUEST_GREP,
		    .path = path,
		    .pattern = "x",
		    .include = "",
		    .timeout_ms = SHORT_MS},
		NULL);
	assert_ended("GREP");
}

static void files_without_an_end_are_cut_or_end_at_the_timeout(void **state)
{
	static const char *const paths[] = {"/petabyte", "/growing"};
	static struct call growth;

	(void)state;
	fixture_run_ok(
		client, "truncate -s 1125899906842624 /petabyte; truncate -s 8M /growing", &result);
	call_command(client, &growth, "while :; do yes | head -c 4M >>/growing; echo; done", NULL);
	while (growth.bytes[GUEST_STDOUT] == 0)
		calls_turn(client, 1000);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		ask_all_of_endless(paths[i]);
	ask(&(struct guest_file_options){.type = GUEST_GREP,
		    .path = "/",
		    .pattern = "x[0-9]*y",
		    .include = "",
		    .timeout_ms = SHORT_MS},
		NULL);
	assert_ended("GREP of everything");
	ask(&(struct guest_file_options){.type = GUEST_GLOB,
		    .path = "/",
		    .pattern = "**/*",
		    .length = 10000,
		    .timeout_ms = SHORT_MS,
		    .max_bytes = 1 << 20},
		NULL);
	assert_ended("GLOB of everything");
	assert_int_equal(guest_request_cancel(growth.request), 0);
	call_wait(client, &growth);
	call_finish(&growth);
	fixture_run_ok(client, "rm /petabyte /growing", &result);
}

static void a_path_of_4096_bytes_is_too_long_for_every_request(void **state)
{
	static char path[4097], name[258];

	(void)state;
	for (size_t i = 0; i < 4096; i++)
		path[i] = i % 2 ? 'a' : '/';
	name[0] = '/';
	memset(name + 1, 'n', 256);
	for (uint16_t type = GUEST_READ; type <= GUEST_GREP; type++) {
		bool is_search = type == GUEST_GLOB || type == GUEST_GREP;
		struct guest_file_options options = {.type = type,
			.path = path,
			.pattern = is_search ? "x" : NULL,
			.include = type == GUEST_GREP ? "" : NULL};
		const char *input = type == GUEST_WRITE || type == GUEST_EDIT ? "text" : NULL;

		for (int i = 0; i < 2; i++, options.path = name) {
			ask(&options, input);
			/* WRITE makes each directory on the way, and then needs no long path. */
			if (type == GUEST_WRITE && i == 0 && call.reply.end == GUEST_END_DONE)
				continue;
			if (call.reply.end != GUEST_END_FAILED)
				fail_msg("request %u, path %d: end %u", type, i, call.reply.end);
			/* "text" is no EDIT: whichever of its two faults is told. */
			if (type != GUEST_EDIT && call.reply.error != ENAMETOOLONG)
				fail_msg("request %u: %s", type, call.reply.text);
		}
	}
}

static void names_that_are_no_text_are_found_byte_for_byte(void **state)
{
	static const char *const names[] = {
		"new\nline", "\xff\xfe\xc3(", "\x1b[31m", " ", "-rf", "*"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char path[64], grep[128], parent[16];
		int size = snprintf(path, sizeof(path), "/odd%zu/%s", i, names[i]);
		int n = snprintf(grep, sizeof(grep), "%s%cneedle", path, 0) + 1;

		snprintf(parent, sizeof(parent), "/odd%zu", i);
		ask(&(struct guest_file_options){.type = GUEST_WRITE, .path = path}, "needle\n");
		assert_int_equal(call.reply.end, GUEST_END_DONE);
		ask(&(struct guest_file_options){.type = GUEST_READ, .path = path}, NULL);
		assert_string_equal(call.output, "needle\n");
		ask(&(struct guest_file_options){.type = GUEST_LIST, .path = parent}, NULL);
		assert_string_equal(call.output + sizeof(struct guest_stat), names[i]);
		ask(
			&(struct guest_file_options){
				.type = GUEST_GLOB, .path = parent, .pattern = "**/*"},
			NULL);
		assert_int_equal(call.size, size + 1);
		assert_memory_equal(call.output, path, call.size);
		ask(&(struct guest_file_options){.type = GUEST_GREP,
			    .path = parent,
			    .pattern = "needle",
			    .include = ""},
			NULL);
		assert_int_equal(call.size, sizeof(struct guest_match) + (size_t)n);
		assert_memory_equal(call.output + sizeof(struct guest_match), grep, (size_t)n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_swapped_under_requests_lead_nowhere_outside),
		cmocka_unit_test(what_is_no_regular_file_is_refused_at_once),
		cmocka_unit_test(files_without_an_end_are_cut_or_end_at_the_timeout),
		cmocka_unit_test(a_path_of_4096_bytes_is_too_long_for_every_request),
		cmocka_unit_test(names_that_are_no_text_are_found_byte_for_byte),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
