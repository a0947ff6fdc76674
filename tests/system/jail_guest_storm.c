/*
 * Ten thousand requests of every kind in flight in one sandbox, cancels among them: each is replied
 * exactly once. HEARTH_SEED=N repeats the run that printed "seed N".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "tests/system/jail_calls.h"
#include "tests/system/jail_fixture.h"

#define REQUESTS      10000
#define CANCEL_ONE_IN 8
#define TURN_ONE_IN   16
#define SETTLE_MS     20000

static struct fixture f;
static struct guest_client *client;
static struct fixture_result result;
static struct call calls[REQUESTS];
static unsigned kinds[REQUESTS];
static unsigned short seed_state[3];

static unsigned chance(unsigned below)
{
	return (unsigned)nrand48(seed_state) % below;
}

static int set_up(void **state)
{
	const struct fixture_options options = {
		.limits = {.memory_bytes = 512u << 20, .disk_bytes = 64u << 20, .pids = 512}};
	const char *word = getenv("HEARTH_SEED");
	unsigned long seed = word ? strtoul(word, NULL, 10) : clock_now_ns() & 0xffffffff;

	(void)state;
	print_message("# seed %lu\n", seed);
	seed_state[0] = (unsigned short)seed;
	seed_state[1] = (unsigned short)(seed >> 16);
	fixture_start(&f, &options);
	assert_int_equal(fixture_build(&f, 0, &client), 0);
	fixture_run_ok(client,
		"mkdir -p /d/e && cd /d && echo needle >e/f && for i in 0 1 2 3 4 5 6 7; do "
		"echo text >edit$i; done",
		&result);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	guest_client_destroy(client);
	for (int i = 0; i < REQUESTS; i++)
		call_finish(&calls[i]);
	fixture_kill(&f);
	fixture_stop(&f);
	return 0;
}

struct kind {
	struct guest_file_options file; /* type 0: a command */
	const char *input;
	size_t input_size;
	const char *output; /* what DONE must bring; NULL: not looked at */
};

static const struct kind all_kinds[] = {
	{.output = "done\n"},
	{.file = {.type = GUEST_READ, .path = "/d/e/f"}, .output = "needle\n"},
	{.file = {.type = GUEST_WRITE, .path = "/d/new/written"}, "content", 7, ""},
	{.file = {.type = GUEST_EDIT, .path = "/d/edit0"}, "text\0text", 9, ""},
	{.file = {.type = GUEST_STAT, .path = "/d/e/f"}},
	{.file = {.type = GUEST_LIST, .path = "/d/e"}},
	{.file = {.type = GUEST_GLOB, .path = "/d/e", .pattern = "**/f"}},
	{.file = {.type = GUEST_GREP, .path = "/d/e", .pattern = "need.e", .include = ""}},
};

static void start(unsigned i)
{
	const struct kind *kind = &all_kinds[kinds[i] = chance(ARRAY_SIZE(all_kinds))];

	if (kind->file.type)
		call_file(client, &calls[i], &kind->file, kind->input, kind->input_size);
	else
		call_command(client, &calls[i], "true; echo done", NULL);
}

static void check(unsigned i)
{
	const struct call *call = &calls[i];
	const struct kind *kind = &all_kinds[kinds[i]];

	if (call->replies != 1)
		fail_msg("request %u of kind %u: %u replies", i, kinds[i], call->replies);
	if (call->reply.end == GUEST_END_CANCELLED)
		return;
	if (call->reply.end != GUEST_END_DONE)
		fail_msg("request %u of kind %u: end %u: %s", i, kinds[i], call->reply.end,
			call->reply.text);
	assert_int_equal(call->reply.exit_status, 0);
	if (kind->output)
		assert_string_equal(call->output ? call->output : "", kind->output);
	else
		assert_true(call->size > 0);
}

static void each_of_ten_thousand_requests_is_replied_once(void **state)
{
	const char *fewer = getenv("HEARTH_TEST_ROUNDS"); /* for a slow machine */
	const unsigned requests = fewer ? REQUESTS / 5 : REQUESTS;
	unsigned cancelled = 0;

	(void)state;
	for (unsigned i = 0; i < requests; i++) {
		unsigned victim = chance(i + 1);

		start(i);
		if (chance(TURN_ONE_IN) == 0)
			calls_turn(client, 0);
		if (chance(CANCEL_ONE_IN) == 0 && calls[victim].request)
			assert_int_equal(guest_request_cancel(calls[victim].request), 0);
	}
	calls_wait(client);
	for (unsigned i = 0; i < requests; i++) {
		check(i);
		cancelled += calls[i].reply.end == GUEST_END_CANCELLED;
	}
	print_message("# %u were cancelled\n", cancelled);
	assert_in_range(cancelled, 1, requests / 2);
}

/* Runners that are not needed any more exit a little after the reply. */
static void nothing_runs_afterwards_and_the_sandbox_works_on(void **state)
{
	const uint64_t until = clock_now_ms() + SETTLE_MS;
	int processes;

	(void)state;
	do {
		processes = 0;
		fixture_run(client, "ls -d /proc/[0-9]* 2>/dev/null", 0, &result);
		for (const char *p = result.output; (p = strstr(p, "/proc/")); p++)
			processes++;
		/* The guest, the runner, the shell; and what lists them, if that is none of the shell's own. */
	} while ((processes < 3 || processes > 4) && clock_now_ms() < until);
	if (processes < 3 || processes > 4)
		fail_msg("%d processes: %s", processes, result.output);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_of_ten_thousand_requests_is_replied_once),
		cmocka_unit_test(nothing_runs_afterwards_and_the_sandbox_works_on),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
