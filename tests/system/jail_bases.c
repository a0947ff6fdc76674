/* An instance's base in each cgroup hierarchy: found, listed, joined, and ended with all in it. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "nsjail-lite/cgroup/cgroup.h"

#define MEMBERS 6

static char instance[32], directory[] = "/tmp/hearth-test-bases.XXXXXX";
static struct error err;
static pid_t members[MEMBERS];

static int set_up(void **state)
{
	(void)state;
	snprintf(instance, sizeof(instance), "test-%d", getpid());
	assert_non_null(mkdtemp(directory));
	return unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0;
}

static int tear_down(void **state)
{
	(void)state;
	umount2(directory, MNT_DETACH);
	return rmdir(directory);
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
	return cgroup_base_destroy(instance, &err);
}

static int count;

static void count_ours(void *arg, const char *name)
{
	count += strcmp(name, arg) == 0;
}

/* Hierarchies in which the instance has a base. */
static int count_bases(void)
{
	count = 0;
	assert_int_equal(cgroup_base_list(count_ours, instance, &err), 0);
	return count;
}

static struct cgroup_base open_base(void)
{
	struct cgroup_base base;

	if (cgroup_base_open(instance, NULL, &base, &err) < 0)
		fail_msg("%s", err.text);
	return base;
}

static int join_one(int base_fd, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/cgroup.procs", name);
	return base_fd < 0 ? 0 : file_write_at(base_fd, path, "0", NULL);
}

/* A process in the cgroup, or with NULL in what keeps the daemons, that ignores what it may. */
static void settle(const struct cgroup_base *base, int place, const char *name)
{
	int ready[2];
	char byte;

	assert_int_equal(pipe(ready), 0);
	members[place] = fork();
	if (members[place] == 0) {
		int r = name ? join_one(base->v2_fd, name) : cgroup_join_daemon(base, &err);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGTERM, SIG_IGN);
		for (int c = 0; name && c < CGROUP_CONTROLLERS; c++)
			r |= join_one(base->v1_fd[c], name);
		if (r < 0 || write(ready[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
}

static void a_base_stands_in_each_hierarchy_and_opening_it_again_finds_it(void **state)
{
	struct cgroup_base base = open_base(), again;
	int places = count_bases();
	char text[128];

	(void)state;
	assert_in_range(places, 1, CGROUP_HIERARCHIES);
	again = open_base();
	assert_int_equal(count_bases(), places);
	assert_memory_equal(base.place, again.place, sizeof(base.place));
	assert_non_null(strstr(cgroup_describe(&base, text, sizeof(text)), "memory "));
	cgroup_base_close(&base);
	cgroup_base_close(&again);
	assert_int_equal(again.v2_fd, -1);
}

static void destroy_kills_all_that_lives_in_it_and_is_idempotent(void **state)
{
	/* with a limit of io, so that every hierarchy has a part of it */
	const struct jail_limits limits = {
		.memory_bytes = 64 << 20, .pids = 10, .io_read_bps = 1 << 20};
	struct cgroup_base base = open_base();
	struct cgroup cgroup;
	char name[16];

	(void)state;
	for (int i = 0; i < MEMBERS - 1; i++) {
		snprintf(name, sizeof(name), "b%d", i);
		assert_int_equal(cgroup_create(&base, name, &limits, &cgroup, &err), 0);
		cgroup_close(&cgroup);
		settle(&base, i, name);
	}
	settle(&base, MEMBERS - 1, NULL);
	if (base.v2_fd >= 0)
		assert_int_equal(cgroup_freeze(&base, "b0", true, &err), 0);
	kill(members[1], SIGSTOP);
	cgroup_base_close(&base);
	if (cgroup_base_destroy(instance, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(count_bases(), 0);
	for (int i = 0; i < MEMBERS; i++) {
		pid_t pid = members[i];
		int status;

		members[i] = 0;
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGKILL);
	}
	assert_int_equal(cgroup_base_destroy(instance, &err), 0);
	assert_int_equal(cgroup_base_destroy("test-never-was", &err), 0);
}

static void clear_kills_likewise_and_leaves_the_base_by_which_the_instance_is_found(void **state)
{
	struct cgroup_base base = open_base();
	int places = count_bases(), status;

	(void)state;
	settle(&base, 0, NULL);
	cgroup_base_close(&base);
	if (cgroup_base_clear(instance, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(waitpid(members[0], &status, 0), members[0]);
	members[0] = 0;
	assert_int_equal(WTERMSIG(status), SIGKILL);
	assert_int_equal(count_bases(), places);
	assert_int_equal(cgroup_base_clear(instance, &err), 0);
	assert_int_equal(cgroup_base_destroy(instance, &err), 0);
	assert_int_equal(cgroup_base_clear(instance, &err), 0);
	assert_int_equal(count_bases(), 0);
}

static void who_sits_in_a_base_can_end_it_and_lives(void **state)
{
	struct cgroup_base base = open_base();
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0) {
		if (cgroup_join_daemon(&base, &err) < 0)
			_exit(1);
		_exit(cgroup_base_destroy(instance, &err) < 0 ? 2 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(count_bases(), 0);
	cgroup_base_close(&base);
}

static void a_base_of_another_instance_is_left_alone(void **state)
{
	struct cgroup_base base = open_base(), other;
	char longer[64];

	(void)state;
	snprintf(longer, sizeof(longer), "%s0", instance);
	assert_int_equal(cgroup_base_open(longer, NULL, &other, &err), 0);
	settle(&other, 0, NULL);
	assert_int_equal(cgroup_base_destroy(instance, &err), 0);
	assert_int_equal(waitpid(members[0], NULL, WNOHANG), 0);
	cgroup_base_close(&base);
	cgroup_base_close(&other);
	assert_int_equal(cgroup_base_destroy(longer, &err), 0);
}

static void refused(const char *mountinfo, int error, const char *part)
{
	struct cgroup_base base = {.v2_fd = -7};

	assert_int_equal(cgroup_base_open(instance, mountinfo, &base, &err), -error);
	assert_int_equal(base.v2_fd, -7);
	if (!strstr(err.text, part) || strncmp(err.text, "cgroup: ", 8) != 0)
		fail_msg("no \"%s\" in: %s", part, err.text);
}

static void mount_points_that_are_not_there_are_told(void **state)
{
	(void)state;
	refused("30 1 0:30 / /no/such/v2 rw - cgroup2 none rw\n", ENOENT,
		"mkdir /no/such/v2/hearth-");
	refused("31 1 0:31 / /no/such/v1 rw - cgroup none rw,pids\n", ENOENT,
		"mkdir /no/such/v1/hearth-");
	refused("31 1 0:31 / /etc/passwd rw - cgroup none rw,memory\n", ENOTDIR, "/etc/passwd");
	refused("30 1 0:30 / / rw - ext4 none rw\n", ENODEV, "neither a v2 tree nor");
	refused("", ENODEV, "neither a v2 tree nor");
}

static void a_mount_point_that_cannot_be_written_is_told(void **state)
{
	char line[256];

	(void)state;
	assert_int_equal(mount("tmpfs", directory, "tmpfs", MS_RDONLY, NULL), 0);
	snprintf(line, sizeof(line), "30 1 0:30 / %s ro - cgroup2 none ro\n", directory);
	refused(line, EROFS, directory);
	snprintf(line, sizeof(line), "30 1 0:30 / %s ro - cgroup none ro,cpu,memory\n", directory);
	refused(line, EROFS, directory);
	assert_int_equal(umount(directory), 0);
}

/* What names a v2 tree but has no files of one: a controller that cannot be asked for is absent. */
static void a_v2_tree_without_controllers_has_none(void **state)
{
	struct cgroup_base base;
	char line[256], path[128];

	(void)state;
	assert_int_equal(mount("tmpfs", directory, "tmpfs", 0, NULL), 0);
	snprintf(line, sizeof(line), "30 1 0:30 / %s rw - cgroup2 none rw\n", directory);
	assert_int_equal(cgroup_base_open(instance, line, &base, &err), 0);
	assert_true(base.v2_fd >= 0);
	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		assert_int_equal(base.place[c], CGROUP_ABSENT);
	cgroup_base_close(&base);
	snprintf(path, sizeof(path), "%s/hearth-%s", directory, instance);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(umount(directory), 0);
}

#define BASE_TEST(function) cmocka_unit_test_teardown(function, clean)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BASE_TEST(a_base_stands_in_each_hierarchy_and_opening_it_again_finds_it),
		BASE_TEST(destroy_kills_all_that_lives_in_it_and_is_idempotent),
		BASE_TEST(clear_kills_likewise_and_leaves_the_base_by_which_the_instance_is_found),
		BASE_TEST(who_sits_in_a_base_can_end_it_and_lives),
		BASE_TEST(a_base_of_another_instance_is_left_alone),
		BASE_TEST(mount_points_that_are_not_there_are_told),
		BASE_TEST(a_mount_point_that_cannot_be_written_is_told),
		BASE_TEST(a_v2_tree_without_controllers_has_none),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
