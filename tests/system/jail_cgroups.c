/* Cgroups as this host has them: limits, counters, freeze, kill, removal, an instance's base. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "nsjail-lite/cgroup/cgroup.h"

#define MEMORY	(64u << 20)
#define PIDS	5
#define WAIT_MS 20000
#define MEMBERS 8

static struct cgroup_base base = {.v2_fd = -1, .v1_fd = {CGROUP_NONE_}};
static char instance[32];
static struct error err;
static const struct jail_limits no_limits;
static pid_t members[MEMBERS];

static int set_up(void **state)
{
	(void)state;
	snprintf(instance, sizeof(instance), "test-%d", getpid());
	if (cgroup_base_open(instance, NULL, &base, &err) < 0)
		fail_msg("%s", err.text);
	return 0;
}

static int clean(void **state)
{
	(void)state;
	for (int i = 0; i < MEMBERS; i++)
		if (members[i] > 0) {
			kill(members[i], SIGKILL);
			waitpid(members[i], NULL, 0);
			members[i] = 0;
		}
	return cgroup_remove_matching(&base, "", &err);
}

static int tear_down(void **state)
{
	clean(state);
	cgroup_base_close(&base);
	return cgroup_base_destroy(instance, &err);
}

/* Text of a file of the cgroup, where the controller is. */
static const char *read_knob(
	enum cgroup_controller c, const char *name, const char *v1, const char *v2)
{
	static char text[256];
	char path[128];
	bool is_v2 = base.place[c] == CGROUP_V2;

	snprintf(path, sizeof(path), "%s/%s", name, is_v2 ? v2 : v1);
	if (file_read_at(is_v2 ? base.v2_fd : base.v1_fd[c], path, text, sizeof(text), &err) < 0)
		fail_msg("%s", err.text);
	text[strcspn(text, "\n")] = '\0';
	return text;
}

static void create(const char *name, const struct jail_limits *limits)
{
	struct cgroup cgroup;

	if (cgroup_create(&base, name, limits, &cgroup, &err) < 0)
		fail_msg("%s", err.text);
	cgroup_close(&cgroup);
}

/* In a child: into the cgroup, by every hierarchy. */
static void join(const char *name)
{
	char path[128];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(path, sizeof(path), "%s/cgroup.procs", name);
	if (base.v2_fd >= 0 && file_write_at(base.v2_fd, path, "0", NULL) < 0)
		_exit(99);
	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		if (c != CGROUP_IO && base.v1_fd[c] >= 0 &&
			file_write_at(base.v1_fd[c], path, "0", NULL) < 0)
			_exit(99);
}

/* Run it in the cgroup, to its end. Its wait status. */
static int run_in(const char *name, void (*function)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		join(name);
		function();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 99);
	return status;
}

/* A process that sits in the cgroup, of which clean() takes care. Returns once it does. */
static pid_t settle(const char *name)
{
	int ready[2], i = 0;
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		join(name);
		if (write(ready[1], "r", 1) != 1)
			_exit(98);
		for (;;)
			pause();
	}
	close(ready[1]);
	while (members[i])
		i++;
	members[i] = pid;
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void assert_killed(pid_t pid)
{
	int status;

	for (int i = 0; i < MEMBERS; i++)
		if (members[i] == pid)
			members[i] = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

/* In how many hierarchies a name stands. */
static int count_places(const char *name)
{
	int count = base.v2_fd >= 0 && faccessat(base.v2_fd, name, F_OK, 0) == 0;

	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		count += base.v1_fd[c] >= 0 && faccessat(base.v1_fd[c], name, F_OK, 0) == 0;
	return count;
}

/* The first whole disk of /sys/block that is no memory in disguise. */
static bool find_disk(uint32_t *ret_major, uint32_t *ret_minor)
{
	DIR *disks = opendir("/sys/block");
	const struct dirent *entry;
	bool found = false;

	while (disks && !found && (entry = readdir(disks))) {
		char path[300], text[32];

		snprintf(path, sizeof(path), "/sys/block/%s/dev", entry->d_name);
		if (entry->d_name[0] != '.' &&
			file_read_at(AT_FDCWD, path, text, sizeof(text), NULL) > 0)
			found = sscanf(text, "%u:%u", ret_major, ret_minor) == 2;
	}
	if (disks)
		closedir(disks);
	return found;
}

static void limits_are_read_back_as_they_were_given(void **state)
{
	const struct jail_limits limits = {.memory_bytes = MEMORY, .pids = 77, .cpu_milli = 1500};

	(void)state;
	create("limits", &limits);
	if (base.place[CGROUP_MEMORY] != CGROUP_ABSENT)
		assert_string_equal(
			read_knob(CGROUP_MEMORY, "limits", "memory.limit_in_bytes", "memory.max"),
			"67108864");
	if (base.place[CGROUP_PIDS] != CGROUP_ABSENT)
		assert_string_equal(read_knob(CGROUP_PIDS, "limits", "pids.max", "pids.max"), "77");
	if (base.place[CGROUP_CPU] != CGROUP_ABSENT)
		assert_int_equal(
			strtol(read_knob(CGROUP_CPU, "limits", "cpu.cfs_quota_us", "cpu.max"), NULL,
				10),
			150000);
}

static void a_weight_is_a_share_of_the_default(void **state)
{
	const struct jail_limits limits = {.cpu_weight = 50};

	(void)state;
	create("weight", &limits);
	if (base.place[CGROUP_CPU] != CGROUP_ABSENT)
		assert_string_equal(read_knob(CGROUP_CPU, "weight", "cpu.shares", "cpu.weight"),
			base.place[CGROUP_CPU] == CGROUP_V1 ? "512" : "50");
}

/* On any disk that the host has: nothing is read or written here. */
static void io_limits_are_read_back_as_they_were_given(void **state)
{
	struct jail_limits limits = {.io_read_bps = 1 << 20, .io_write_bps = 2 << 20};
	char text[64];

	(void)state;
	if (base.place[CGROUP_IO] == CGROUP_ABSENT)
		return; /* the description says so, below */
	assert_true(find_disk(&limits.io_major, &limits.io_minor));
	create("io", &limits);
	snprintf(text, sizeof(text),
		base.place[CGROUP_IO] == CGROUP_V1 ? "%u:%u 1048576"
						   : "%u:%u rbps=1048576 wbps=2097152",
		limits.io_major, limits.io_minor);
	assert_memory_equal(read_knob(CGROUP_IO, "io", "blkio.throttle.read_bps_device", "io.max"),
		text, strlen(text));
}

static void only_a_limit_makes_an_io_cgroup_of_v1(void **state)
{
	(void)state;
	create("none", &no_limits);
	if (base.place[CGROUP_IO] == CGROUP_V1)
		assert_int_equal(faccessat(base.v1_fd[CGROUP_IO], "none", F_OK, 0), -1);
}

static void a_limit_of_nought_is_no_limit(void **state)
{
	(void)state;
	create("free", &no_limits);
	if (base.place[CGROUP_PIDS] != CGROUP_ABSENT)
		assert_string_equal(read_knob(CGROUP_PIDS, "free", "pids.max", "pids.max"), "max");
	if (base.place[CGROUP_CPU] == CGROUP_V1)
		assert_string_equal(
			read_knob(CGROUP_CPU, "free", "cpu.cfs_quota_us", "cpu.max"), "-1");
}

static void touch_memory(size_t bytes)
{
	char *memory =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		_exit(97);
	for (size_t i = 0; i < bytes; i += 4096)
		*(volatile char *)(memory + i) = 1;
}

static void use_half(void)
{
	touch_memory(MEMORY / 2);
}

static void use_double(void)
{
	touch_memory(MEMORY * 2);
}

static void counters_start_at_nought_and_tell_what_was_used(void **state)
{
	const struct jail_limits limits = {.memory_bytes = MEMORY};
	struct cgroup_usage usage;

	(void)state;
	create("use", &limits);
	assert_int_equal(cgroup_read_usage(&base, "use", &usage), 0);
	assert_int_equal(usage.oom_kills, 0);
	assert_int_equal(usage.pids_refused, 0);
	assert_true(usage.memory_peak_bytes < MEMORY / 4);
	assert_int_equal(run_in("use", use_half), 0);
	assert_int_equal(cgroup_read_usage(&base, "use", &usage), 0);
	assert_int_equal(usage.oom_kills, 0);
	if (base.place[CGROUP_MEMORY] != CGROUP_ABSENT)
		assert_in_range(usage.memory_peak_bytes, MEMORY / 2, MEMORY);
	if (base.v2_fd >= 0)
		assert_true(usage.cpu_ns > 0);
}

static void a_process_over_its_memory_is_killed_and_counted(void **state)
{
	const struct jail_limits limits = {.memory_bytes = MEMORY};
	struct cgroup_usage usage;
	int status;

	(void)state;
	if (base.place[CGROUP_MEMORY] == CGROUP_ABSENT)
		skip();
	create("oom", &limits);
	status = run_in("oom", use_double);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	assert_int_equal(cgroup_read_usage(&base, "oom", &usage), 0);
	assert_int_equal(usage.oom_kills, 1);
	assert_true(usage.has_hit_memory);
}

static void limit_base(const char *bytes)
{
	bool is_v1 = base.place[CGROUP_MEMORY] == CGROUP_V1;

	assert_int_equal(file_write_at(is_v1 ? base.v1_fd[CGROUP_MEMORY] : base.v2_fd,
				 is_v1 ? "memory.limit_in_bytes" : "memory.max", bytes, NULL),
		0);
}

/* As when the host is out of memory: it is not said to be the sandbox's fault. */
static void a_kill_for_the_memory_of_others_is_no_hit_of_the_limit(void **state)
{
	const struct jail_limits limits = {.memory_bytes = MEMORY * 4};
	struct cgroup_usage usage;
	char bytes[32];
	int status;

	(void)state;
	if (base.place[CGROUP_MEMORY] == CGROUP_ABSENT)
		skip();
	create("far", &limits);
	snprintf(bytes, sizeof(bytes), "%llu", (unsigned long long)MEMORY);
	limit_base(bytes);
	status = run_in("far", use_double);
	limit_base(base.place[CGROUP_MEMORY] == CGROUP_V1 ? "-1" : "max");
	assert_true(WIFSIGNALED(status));
	assert_int_equal(cgroup_read_usage(&base, "far", &usage), 0);
	assert_int_equal(usage.oom_kills, 1);
	assert_false(usage.has_hit_memory);
}

static void fork_too_much(void)
{
	int refused = 0;

	for (int i = 0; i < PIDS + 2; i++) {
		pid_t pid = fork();

		if (pid == 0)
			for (;;)
				pause();
		refused += pid < 0 && errno == EAGAIN;
	}
	_exit(refused); /* itself is one: three of the others do not fit */
}

static void forks_over_the_limit_are_refused_and_counted(void **state)
{
	const struct jail_limits limits = {.pids = PIDS};
	struct cgroup_usage usage;
	int status;

	(void)state;
	if (base.place[CGROUP_PIDS] == CGROUP_ABSENT)
		skip();
	create("pids", &limits);
	status = run_in("pids", fork_too_much);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 3);
	assert_int_equal(cgroup_read_usage(&base, "pids", &usage), 0);
	assert_int_equal(usage.pids_refused, 3);
	assert_int_equal(cgroup_is_empty(&base, "pids"), 0);
	assert_int_equal(cgroup_kill(&base, "pids", &err), 0);
	assert_int_equal(cgroup_is_empty(&base, "pids"), 1);
}

static void wait_for_frozen(const char *name, const char *line)
{
	uint64_t until = clock_now_ms() + WAIT_MS;
	char path[128], text[256];

	snprintf(path, sizeof(path), "%s/cgroup.events", name);
	do {
		assert_true(clock_now_ms() < until);
		assert_true(file_read_at(base.v2_fd, path, text, sizeof(text), &err) >= 0);
	} while (!strstr(text, line));
}

static void freeze_and_thaw_reach_the_processes(void **state)
{
	(void)state;
	create("frozen", &no_limits);
	if (base.v2_fd < 0) {
		assert_int_equal(cgroup_freeze(&base, "frozen", true, &err), -EOPNOTSUPP);
		return;
	}
	settle("frozen");
	assert_int_equal(cgroup_freeze(&base, "frozen", true, &err), 0);
	wait_for_frozen("frozen", "frozen 1");
	assert_int_equal(cgroup_freeze(&base, "frozen", false, &err), 0);
	wait_for_frozen("frozen", "frozen 0");
	assert_true(cgroup_freeze(&base, "no-such", true, &err) < 0);
}

static void kill_ends_every_process_frozen_ones_too(void **state)
{
	pid_t pids[3];

	(void)state;
	create("kill", &no_limits);
	assert_int_equal(cgroup_is_empty(&base, "kill"), 1);
	assert_int_equal(cgroup_kill(&base, "kill", &err), 0); /* nobody there */
	assert_int_equal(clean(state), 0);
	create("kill", &no_limits);
	for (int i = 0; i < 3; i++)
		pids[i] = settle("kill");
	kill(pids[0], SIGSTOP);
	if (base.v2_fd >= 0)
		assert_int_equal(cgroup_freeze(&base, "kill", true, &err), 0);
	assert_int_equal(cgroup_is_empty(&base, "kill"), 0);
	assert_int_equal(cgroup_kill(&base, "kill", &err), 0);
	for (int i = 0; i < 3; i++)
		assert_killed(pids[i]);
	assert_int_equal(cgroup_is_empty(&base, "kill"), 1);
	assert_int_equal(cgroup_kill(&base, "no-such", &err), 0);
}

static void remove_takes_it_from_every_hierarchy_and_is_idempotent(void **state)
{
	(void)state;
	create("gone", &no_limits);
	assert_true(count_places("gone") > 0);
	assert_int_equal(cgroup_remove(&base, "gone", &err), 0);
	assert_int_equal(count_places("gone"), 0);
	assert_int_equal(cgroup_remove(&base, "gone", &err), 0);
	assert_true(cgroup_is_empty(&base, "gone") < 0);
}

static void remove_of_one_that_has_a_process_says_so(void **state)
{
	(void)state;
	create("busy", &no_limits);
	settle("busy");
	assert_int_equal(cgroup_remove(&base, "busy", &err), -EBUSY);
	assert_non_null(strstr(err.text, "busy"));
}

static void remove_matching_ends_those_of_the_prefix_only(void **state)
{
	int half = base.v2_fd >= 0 ? base.v2_fd : base.v1_fd[CGROUP_PIDS];
	pid_t matching, other;

	(void)state;
	create("a-1", &no_limits);
	create("a-2", &no_limits);
	create("ab", &no_limits);
	assert_int_equal(mkdirat(half, "a-half", 0755), 0); /* its maker died between two mkdirs */
	matching = settle("a-2");
	other = settle("ab");
	assert_int_equal(cgroup_remove_matching(&base, "a-", &err), 0);
	assert_killed(matching);
	assert_int_equal(count_places("a-1") + count_places("a-2") + count_places("a-half"), 0);
	assert_true(count_places("ab") > 0);
	assert_int_equal(kill(other, 0), 0);
}

static void a_name_that_is_too_long_leaves_nothing(void **state)
{
	struct cgroup cgroup;
	char name[80];

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(cgroup_create(&base, name, &no_limits, &cgroup, &err), -ENAMETOOLONG);
	assert_int_equal(count_places(name), 0);
}

#define CGROUP_TEST(function) cmocka_unit_test_teardown(function, clean)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CGROUP_TEST(limits_are_read_back_as_they_were_given),
		CGROUP_TEST(a_weight_is_a_share_of_the_default),
		CGROUP_TEST(io_limits_are_read_back_as_they_were_given),
		CGROUP_TEST(only_a_limit_makes_an_io_cgroup_of_v1),
		CGROUP_TEST(a_limit_of_nought_is_no_limit),
		CGROUP_TEST(counters_start_at_nought_and_tell_what_was_used),
		CGROUP_TEST(a_process_over_its_memory_is_killed_and_counted),
		CGROUP_TEST(a_kill_for_the_memory_of_others_is_no_hit_of_the_limit),
		CGROUP_TEST(forks_over_the_limit_are_refused_and_counted),
		CGROUP_TEST(freeze_and_thaw_reach_the_processes),
		CGROUP_TEST(kill_ends_every_process_frozen_ones_too),
		CGROUP_TEST(remove_takes_it_from_every_hierarchy_and_is_idempotent),
		CGROUP_TEST(remove_of_one_that_has_a_process_says_so),
		CGROUP_TEST(remove_matching_ends_those_of_the_prefix_only),
		CGROUP_TEST(a_name_that_is_too_long_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
