/* Five hundred sandboxes at once, of two instances: whose ids are whose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/system/jail_fixture.h"

#define INSTANCES    2
#define PER_INSTANCE 250u
#define SANDBOXES    (INSTANCES * PER_INSTANCE)
#define HOST_IDS     1048576ul /* below, ids are the host's own */
#define LOWER_FILE   "/var/lib/hearth/images/tiny/root/bin/true"

struct sandbox {
	struct guest_client *client;
	pid_t pid;
};

static struct fixture fixtures[INSTANCES];
static struct sandbox sandboxes[SANDBOXES];

static int set_up(void **state)
{
	const struct fixture_options options = {.slots = PER_INSTANCE,
		.limits = {.memory_bytes = 64 << 20, .disk_bytes = 8 << 20, .pids = 16}};
	struct rlimit files;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	for (unsigned i = 0; i < INSTANCES; i++)
		fixture_start(&fixtures[i], &options);
	for (unsigned i = 0; i < SANDBOXES; i++) {
		struct fixture *f = &fixtures[i % INSTANCES];

		if (fixture_build(f, i / INSTANCES, &sandboxes[i].client) < 0)
			fail_msg("sandbox %u: %s", i, f->failed.text);
		sandboxes[i].pid = (pid_t)f->built.pid;
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SANDBOXES; i++)
		guest_client_destroy(sandboxes[i].client);
	for (unsigned i = 0; i < INSTANCES; i++)
		fixture_stop(&fixtures[i]);
	return 0;
}

/* The one line of a map of its PID 1: all ids from 0 inside; the base outside. */
static unsigned long read_map(pid_t pid, const char *which)
{
	unsigned long inside, outside, count;
	char path[64], more;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, which);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%lu %lu %lu %c", &inside, &outside, &count, &more), 3);
	fclose(file);
	assert_int_equal(inside, 0);
	assert_int_equal(count, 65536);
	return outside;
}

static int compare_bases(const void *a, const void *b)
{
	unsigned long x = *(const unsigned long *)a, y = *(const unsigned long *)b;

	return x < y ? -1 : x > y;
}

static void assert_apart(const char *which)
{
	static unsigned long bases[SANDBOXES];

	for (unsigned i = 0; i < SANDBOXES; i++)
		bases[i] = read_map(sandboxes[i].pid, which);
	qsort(bases, SANDBOXES, sizeof(bases[0]), compare_bases);
	assert_true(bases[0] >= HOST_IDS);
	for (unsigned i = 1; i < SANDBOXES; i++)
		if (bases[i] - bases[i - 1] < 65536)
			fail_msg("%s: %lu and %lu meet", which, bases[i - 1], bases[i]);
	assert_true(bases[SANDBOXES - 1] + 65535 <= INT32_MAX);
}

static void no_two_sandboxes_share_a_uid_or_a_gid_and_none_has_the_hosts_0(void **state)
{
	(void)state;
	assert_apart("uid_map");
	assert_apart("gid_map");
}

/* The four ids of a kind that PID 1 has on the host. */
static void assert_ids_from(const char *status, const char *kind, unsigned long base)
{
	const char *line = strstr(status, kind);
	unsigned long ids[4];

	assert_non_null(line);
	assert_int_equal(
		sscanf(line + strlen(kind), "%lu %lu %lu %lu", &ids[0], &ids[1], &ids[2], &ids[3]),
		4);
	for (int i = 0; i < 4; i++)
		assert_in_range(ids[i], base, base + 65535);
}

static void processes_have_the_ids_of_their_own_range(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SANDBOXES; i++) {
		char path[64], text[4096];
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%d/status", sandboxes[i].pid);
		file = fopen(path, "re");
		assert_non_null(file);
		text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
		fclose(file);
		assert_ids_from(text, "\nUid:", read_map(sandboxes[i].pid, "uid_map"));
		assert_ids_from(text, "\nGid:", read_map(sandboxes[i].pid, "gid_map"));
	}
}

static unsigned long namespace_of(pid_t pid, const char *name)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, name);
	assert_int_equal(stat(path, &st), 0);
	return st.st_ino;
}

static void every_sandbox_has_namespaces_of_its_own(void **state)
{
	static const char *const names[] = {"user", "net", "mnt", "pid", "ipc", "uts", "cgroup"};
	static unsigned long inodes[SANDBOXES + 1];

	(void)state;
	for (size_t n = 0; n < ARRAY_SIZE(names); n++) {
		inodes[SANDBOXES] = namespace_of(getpid(), names[n]);
		for (unsigned i = 0; i < SANDBOXES; i++)
			inodes[i] = namespace_of(sandboxes[i].pid, names[n]);
		qsort(inodes, SANDBOXES + 1, sizeof(inodes[0]), compare_bases);
		for (unsigned i = 1; i <= SANDBOXES; i++)
			assert_int_not_equal(inodes[i], inodes[i - 1]);
	}
}

static void the_images_files_are_roots_inside_and_stay_roots_outside(void **state)
{
	static struct fixture_result result;
	struct stat before, after;

	(void)state;
	assert_int_equal(stat(LOWER_FILE, &before), 0);
	assert_int_equal(before.st_uid, 0);
	for (unsigned i = 0; i < SANDBOXES; i += SANDBOXES / 10) {
		fixture_run_ok(sandboxes[i].client,
			"cd /bin && stat -c '%u:%g' true . && chown 7:8 true && "
			"chmod 4711 true && echo more >>true && stat -c '%u:%g %a' true",
			&result);
		assert_string_equal(result.output, "0:0\n0:0\n7:8 711\n");
	}
	for (unsigned i = 1; i < SANDBOXES; i += SANDBOXES / 10) {
		fixture_run_ok(sandboxes[i].client, "stat -c '%u:%g' /bin/true", &result);
		assert_string_equal(result.output, "0:0\n");
	}
	assert_int_equal(stat(LOWER_FILE, &after), 0);
	assert_int_equal(after.st_uid, 0);
	assert_int_equal(after.st_gid, 0);
	assert_int_equal(after.st_mode, before.st_mode);
	assert_int_equal(after.st_size, before.st_size);
	assert_int_equal(after.st_ctim.tv_sec, before.st_ctim.tv_sec);
	assert_int_equal(after.st_ctim.tv_nsec, before.st_ctim.tv_nsec);
}

/* Signals, limits by uid and keys reach nobody: the same id inside is another outside. */
static void root_of_one_sandbox_reaches_no_process_of_another(void **state)
{
	static struct fixture_result result;

	(void)state;
	fixture_run(sandboxes[0].client, "kill -9 -1; kill -9 1", 0, &result);
	for (unsigned i = 0; i < SANDBOXES; i += SANDBOXES / 20) {
		fixture_run_ok(sandboxes[i].client, "echo lives", &result);
		assert_string_equal(result.output, "lives\n");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_two_sandboxes_share_a_uid_or_a_gid_and_none_has_the_hosts_0),
		cmocka_unit_test(processes_have_the_ids_of_their_own_range),
		cmocka_unit_test(every_sandbox_has_namespaces_of_its_own),
		cmocka_unit_test(the_images_files_are_roots_inside_and_stay_roots_outside),
		cmocka_unit_test(root_of_one_sandbox_reaches_no_process_of_another),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
