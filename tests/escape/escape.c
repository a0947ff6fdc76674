/*
 * escape.test [E14 ...] - every attempt to get out, or those of these families, in a sandbox of its own,
 * with its control. The last line counts:
 * "# escape: N attempts, N controls, N failed, N skipped".
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "tests/escape/canary.h"
#include "tests/escape/escape.h"
#include "tests/escape/swap.h"

#define TESTS_MAX  1024
#define LIMIT_MS   10000
#define TINY_IMAGE "/var/lib/hearth/images/tiny/root"

static struct escape escape;
static struct CMUnitTest tests[TESTS_MAX];
static char names[TESTS_MAX][160];
static size_t test_count;
static uint64_t image_digest;
static char **wanted; /* families; none: all */

static int start(void **state)
{
	static const struct fixture_options limits = {
		.limits = {.memory_bytes = 64 << 20, .disk_bytes = 32 << 20, .pids = 64}};
	struct fixture_options options = limits;
	const char *image = getenv("HEARTH_TEST_ROOT");
	char program[4096];

	(void)state;
	snprintf(program, sizeof(program), "%s/tests/escape/escape-probe",
		getenv("top_builddir") ? getenv("top_builddir") : ".");
	world_create(&escape.world, image ? image : TINY_IMAGE, program);
	options.root = escape.world.root;
	image_digest = canary_digest(escape.world.root);
	fixture_start(&escape.fixture, &options);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	fixture_stop(&escape.fixture);
	world_destroy(&escape.world);
	return 0;
}

static int build(void **state)
{
	(void)state;
	return fixture_build(&escape.fixture, 0, &escape.client);
}

/* What a case that failed half-way has left. */
static void clean_up(void)
{
	struct fixture *second = escape.second;

	escape.second = NULL;
	swap_stop_any();
	if (second)
		fixture_stop(second);
	canary_remove_all();
}

static int end(void **state)
{
	bool lost = guest_client_is_lost(escape.client);

	(void)state;
	clean_up();
	guest_client_destroy(escape.client);
	if (lost)
		fixture_wait_ended(&escape.fixture);
	else
		fixture_kill(&escape.fixture);
	return 0;
}

/* PID 1 serves on, and the host's file is as it was. */
static void nothing_has_changed(void)
{
	static struct fixture_result result;
	auto_close int fd = open(escape.world.marker, O_RDONLY | O_CLOEXEC);
	char text[8] = "";

	fixture_run_ok(escape.client, "echo alive", &result);
	assert_string_equal(result.output, "alive\n");
	assert_int_equal(read(fd, text, sizeof(text)), 4);
	assert_memory_equal(text, "host", 4);
}

static size_t index_of(const struct probe *p)
{
	for (size_t i = 0; probe_at(i); i++)
		if (probe_at(i) == p)
			return i;
	fail();
	return 0;
}

static int attempt_inside(const struct probe *p)
{
	static struct fixture_result result;
	char command[256];

	snprintf(command, sizeof(command), "exec " PROBE_PROGRAM " %zu 1 %s", index_of(p),
		escape.world.marker);
	fixture_run(escape.client, command, LIMIT_MS, &result);
	switch ((enum guest_end)result.reply.end) {
	case GUEST_END_DONE:
		break;
	case GUEST_END_TIMEOUT:
		return HUNG;
	case GUEST_END_LOST:
		return WORLD_ENDED;
	case GUEST_END_FAILED:
	case GUEST_END_CANCELLED:
		fail_msg("%s", result.reply.text);
	}
	if (world_outcome(result.output))
		return world_outcome(result.output);
	if (!result.reply.signal)
		fail_msg("exit %u: %s", result.reply.exit_status, result.output);
	return result.reply.signal == SIGSYS ? SIGSYS_DEATH : OTHER_DEATH;
}

static bool is_listed(const int *outcomes, int outcome)
{
	for (size_t i = 0; i < PROBE_OUTCOMES_MAX && outcomes[i]; i++)
		if (outcomes[i] == outcome)
			return true;
	return false;
}

static void is_refused_and_its_control_is_not(void **state)
{
	const struct probe *p = *state;
	int outcome;

	for (size_t i = 0; i < PROBE_OUTCOMES_MAX && p->control[i]; i++)
		assert_true(p->may_be_absent || !is_listed(p->refused, p->control[i]));
	escape.attempts++;
	outcome = world_attempt(&escape.world, index_of(p), p);
	if (!is_listed(p->control, outcome))
		fail_msg("control: %s", probe_outcome_name(outcome));
	if (outcome != WORKED)
		printf("# %s %s: control: %s\n", p->id, p->name, probe_outcome_name(outcome));
	escape.controls++;
	outcome = attempt_inside(p);
	if (!is_listed(p->refused, outcome))
		fail_msg("inside: %s", probe_outcome_name(outcome));
	nothing_has_changed();
}

static void run_case(void **state)
{
	const struct escape_case *c = *state;

	c->run(&escape);
	nothing_has_changed();
}

static bool is_wanted(const char *id)
{
	for (char **w = wanted; *w; w++)
		if (strcmp(*w, id) == 0)
			return true;
	return !*wanted;
}

static void add(const char *id, const char *name, const char *rest, CMUnitTestFunction function,
	const void *state)
{
	struct CMUnitTest *t = &tests[test_count];

	if (!is_wanted(id))
		return;
	assert_true(test_count < TESTS_MAX - 2);
	snprintf(names[test_count], sizeof(names[0]), "%s %s%s", id, name, rest);
	*t = (struct CMUnitTest){.name = names[test_count],
		.test_func = function,
		.setup_func = build,
		.teardown_func = end,
		.initial_state = (void *)(uintptr_t)state};
	test_count++;
}

/* The image has been everybody's: nobody has written to it. Should anybody, it would be seen. */
static void the_image_is_as_it_was(void **state)
{
	char path[128];

	(void)state;
	assert_int_equal(canary_digest(escape.world.root), image_digest);
	snprintf(path, sizeof(path), "%s" PROBE_PROGRAM, escape.world.root);
	assert_int_equal(truncate(path, 1), 0);
	assert_int_not_equal(canary_digest(escape.world.root), image_digest);
}

/* Of 1..83 and 91..96; those between need more of a network: network.py. */
static void every_family_has_been_tried(void **state)
{
	char id[16];

	(void)state;
	for (int number = 1; number <= 96; number++) {
		bool found = number > 83 && number < 91;

		snprintf(id, sizeof(id), "E%02d", number);
		for (size_t i = 0; i < test_count; i++)
			found = found || strncmp(names[i], id, 3) == 0;
		if (!found)
			fail_msg("no attempt of %s", id);
	}
}

int main(int argc, char **argv)
{
	int failed;

	(void)argc;
	wanted = argv + 1;
	for (size_t i = 0; probe_at(i); i++)
		add(probe_at(i)->id, probe_at(i)->name, " is refused, control works",
			is_refused_and_its_control_is_not, probe_at(i));
	for (size_t f = 0; escape_cases[f]; f++)
		for (size_t i = 0; i < escape_cases[f]->count; i++)
			add(escape_cases[f]->cases[i].id, escape_cases[f]->cases[i].name, "",
				run_case, &escape_cases[f]->cases[i]);
	tests[test_count++] = (struct CMUnitTest){
		"the image is as it was", the_image_is_as_it_was, NULL, NULL, NULL};
	if (!*wanted)
		tests[test_count++] = (struct CMUnitTest){"every family has been tried",
			every_family_has_been_tried, NULL, NULL, NULL};
	failed = _cmocka_run_group_tests("escape", tests, test_count, start, stop);
	printf("# escape: %u attempts, %u controls, %d failed, 0 skipped\n", escape.attempts,
		escape.controls, failed);
	return failed ? 1 : 0;
}
