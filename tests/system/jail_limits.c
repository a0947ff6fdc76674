/* Each limit is hit once: a typed end, and the sandbox is usable afterwards or cleanly over. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "nsjail-lite/kernel.h"
#include "proto/control.h"
#include "tests/system/jail_fixture.h"

#define MEMORY (64u << 20)
#define DISK   (16u << 20)

static struct fixture f;
static struct guest_client *client;
static struct fixture_result result;

static int set_up(void **state)
{
	const struct fixture_options options = {
		.limits = {.memory_bytes = MEMORY,
			.disk_bytes = DISK,
			.disk_inodes = 500,
			.pids = 32,
			.open_files = 64},
	};

	return fixture_set_up(&f, &options, state);
}

static int build(void **state)
{
	(void)state;
	assert_int_equal(fixture_build(&f, 0, &client), 0);
	return 0;
}

static int end(void **state)
{
	(void)state;
	guest_client_destroy(client);
	return 0;
}

static void a_full_disk_is_enospc_and_is_told(void **state)
{
	(void)state;
	fixture_run(client, "dd if=/dev/zero of=/big bs=1M count=64 2>&1", 0, &result);
	assert_int_not_equal(result.reply.exit_status, 0);
	assert_non_null(strstr(result.output, "No space left"));
	assert_true(result.reply.limits_hit & LIMIT_HIT_DISK);
	fixture_run_ok(client, "rm /big && echo again >/small", &result);
	fixture_kill(&f);
	assert_int_equal(f.ended.limits_hit, 0);
}

static void too_many_files_are_enospc(void **state)
{
	(void)state;
	fixture_run(client, "i=0; while [ $i -lt 2000 ]; do echo >/f$i || exit 1; i=$((i+1)); done",
		0, &result);
	assert_int_equal(result.reply.exit_status, 1);
	assert_true(result.reply.limits_hit & LIMIT_HIT_DISK);
	fixture_kill(&f);
}

static void a_memory_hog_is_killed_and_told_and_the_sandbox_lives(void **state)
{
	(void)state;
	fixture_run(client, "exec dd if=/dev/zero of=/dev/null bs=100M count=1", 0, &result);
	assert_int_equal(result.reply.exit_status, 128 + SIGKILL);
	assert_int_equal(result.reply.limits_hit, LIMIT_HIT_MEMORY);
	fixture_run_ok(client, "echo alive", &result);
	assert_string_equal(result.output, "alive\n");
	assert_int_equal(result.reply.limits_hit, 0);
	fixture_kill(&f);
	assert_true(f.ended.limits_hit & LIMIT_HIT_MEMORY);
	assert_true(f.ended.usage.oom_kills > 0);
	assert_true(f.ended.usage.memory_peak_bytes > MEMORY / 2);
}

static void counters_of_the_next_sandbox_start_at_zero(void **state)
{
	(void)state;
	fixture_kill(&f);
	assert_int_equal(f.ended.limits_hit, 0);
	assert_true(f.ended.usage.memory_peak_bytes < MEMORY / 4);
}

static void a_fork_bomb_is_ended_with_its_tree_and_told(void **state)
{
	(void)state;
	/* without exec the shell would need another process itself, and end when it gets none */
	fixture_run(client, "b() { b | b & }; b; exec tail -f /dev/null", 2000, &result);
	assert_int_equal(result.reply.end, GUEST_END_TIMEOUT);
	assert_true(result.reply.limits_hit & LIMIT_HIT_PIDS);
	fixture_run_ok(client, "echo alive", &result);
	assert_string_equal(result.output, "alive\n");
	fixture_kill(&f);
	assert_true(f.ended.limits_hit & LIMIT_HIT_PIDS);
}

static void open_files_end_at_the_limit(void **state)
{
	(void)state;
	fixture_run_ok(client, "ulimit -n; ulimit -c", &result);
	assert_string_equal(result.output, "64\n0\n");
	fixture_kill(&f);
}

static void a_sandbox_whose_guest_is_killed_from_outside_is_reported(void **state)
{
	(void)state;
	assert_int_equal(kill((pid_t)f.built.pid, SIGKILL), 0);
	fixture_wait_ended(&f);
	assert_int_equal(f.ended.was_asked, 0);
	assert_int_equal(f.ended.sandbox, f.built.sandbox);
}

/* The last part of the sandbox's path on the v2 tree. */
static void find_cgroup(uint32_t pid, char name[64])
{
	char path[64], line[256];
	FILE *cgroup;

	name[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%u/cgroup", pid);
	cgroup = fopen(path, "r");
	assert_non_null(cgroup);
	while (fgets(line, sizeof(line), cgroup))
		if (strncmp(line, "0::/", 4) == 0)
			sscanf(strrchr(line, '/') + 1, "%63[^\n]", name);
	fclose(cgroup);
	assert_true(name[0] != '\0');
}

static void a_slot_is_built_in_again_after_cgroup_kill(void **state)
{
	char name[64];

	(void)state;
	find_cgroup(f.built.pid, name);
	assert_int_equal(cgroup_kill(&f.base, name, &f.err), 0);
	fixture_wait_ended(&f);
	guest_client_destroy(client);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(fixture_build(&f, 0, &client), 0);
		fixture_run_ok(client, "true", &result);
		fixture_kill(&f);
		if (i < 4)
			guest_client_destroy(client);
	}
}

/* The trap itself: a cgroup that was killed once kills all that is born into it later, or (6.1) nothing. */
static void a_killed_cgroup_would_kill_the_next_birth(void **state)
{
	enum { BIRTHS = 3 };
	const struct jail_limits none = {0};
	struct cgroup cgroup;
	struct clone_args args = {.flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD};
	int deaths = 0;

	(void)state;
	fixture_kill(&f);
	assert_int_equal(cgroup_create(&f.base, "trap", &none, &cgroup, &f.err), 0);
	if (cgroup.v2_fd < 0)
		skip();
	for (int i = 0; i < BIRTHS; i++) {
		int status;
		long pid;

		args.cgroup = (unsigned)cgroup.v2_fd;
		pid = kernel_clone3(&args);
		if (pid == 0)
			_exit(0);
		assert_int_equal(waitpid((pid_t)pid, &status, 0), pid);
		deaths += WIFSIGNALED(status) != 0;
		assert_true(deaths == 0 || deaths == i);
		assert_int_equal(cgroup_kill(&f.base, "trap", &f.err), 0);
	}
	assert_true(deaths == 0 || deaths == BIRTHS - 1);
	cgroup_close(&cgroup);
	assert_int_equal(cgroup_remove(&f.base, "trap", &f.err), 0);
}

/* A frozen sandbox answers nothing; thawed it answers what was asked meanwhile. */
static void a_frozen_sandbox_answers_after_the_thaw(void **state)
{
	char name[64];

	(void)state;
	find_cgroup(f.built.pid, name);
	assert_int_equal(cgroup_is_empty(&f.base, name), 0);
	assert_int_equal(cgroup_freeze(&f.base, name, true, &f.err), 0);
	assert_int_equal(cgroup_freeze(&f.base, name, false, &f.err), 0);
	fixture_run_ok(client, "echo thawed", &result);
	assert_string_equal(result.output, "thawed\n");
	fixture_kill(&f);
	guest_client_destroy(client);
	assert_int_equal(fixture_build(&f, 0, &client), 0);
	assert_true(cgroup_is_empty(&f.base, name) < 0); /* gone before the next build */
	fixture_kill(&f);
}

static void a_dead_sandbox_takes_no_more_requests(void **state)
{
	const char *const argv[] = {"true", NULL};
	const struct guest_exec_options options = {.argv = argv};
	const struct guest_callbacks none = {0};

	(void)state;
	fixture_kill(&f);
	assert_true(guest_client_process(client, &f.err) < 0);
	assert_true(guest_client_is_lost(client));
	assert_true(guest_client_exec(client, &options, &none, NULL, &f.err) < 0);
}

#define LIMIT_TEST(name) cmocka_unit_test_setup_teardown(name, build, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIMIT_TEST(a_full_disk_is_enospc_and_is_told),
		LIMIT_TEST(too_many_files_are_enospc),
		LIMIT_TEST(a_memory_hog_is_killed_and_told_and_the_sandbox_lives),
		LIMIT_TEST(counters_of_the_next_sandbox_start_at_zero),
		LIMIT_TEST(a_fork_bomb_is_ended_with_its_tree_and_told),
		LIMIT_TEST(open_files_end_at_the_limit),
		LIMIT_TEST(a_sandbox_whose_guest_is_killed_from_outside_is_reported),
		LIMIT_TEST(a_slot_is_built_in_again_after_cgroup_kill),
		LIMIT_TEST(a_killed_cgroup_would_kill_the_next_birth),
		LIMIT_TEST(a_frozen_sandbox_answers_after_the_thaw),
		LIMIT_TEST(a_dead_sandbox_takes_no_more_requests),
	};

	return cmocka_run_group_tests(tests, set_up, fixture_tear_down);
}
