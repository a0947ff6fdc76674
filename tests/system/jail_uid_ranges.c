/* The host's allocator of uid ranges, with a /run of our own so that no living instance notices. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "nsjail-lite/cgroup/cgroup.h"
#include "nsjail-lite/jail.h"
#include "nsjail-lite/uid_ranges.h"

#define RANGES_FILE "/run/hearth-uid-ranges"
#define FIRST_UID   1048576u
#define RANGES_ALL  32752u /* from there to 2^31 */
#define INSTANCES   4

static char names[INSTANCES][32]; /* of instances that have a base, and so count as alive */
static struct error err;

static int set_up(void **state)
{
	(void)state;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("tmpfs", "/run", "tmpfs", 0, NULL) < 0)
		fail_msg("a /run of our own: %s", strerror(errno));
	for (int i = 0; i < INSTANCES; i++) {
		struct cgroup_base base;

		snprintf(names[i], sizeof(names[i]), "test-%d-%d", getpid(), i);
		if (cgroup_base_open(names[i], NULL, &base, &err) < 0)
			fail_msg("%s", err.text);
		cgroup_base_close(&base);
	}
	return 0;
}

static int tear_down(void **state)
{
	int result = 0;

	(void)state;
	for (int i = 0; i < INSTANCES; i++)
		result |= cgroup_base_destroy(names[i], &err);
	return result;
}

static int forget(void **state)
{
	(void)state;
	return unlink(RANGES_FILE) < 0 && errno != ENOENT;
}

static void write_file(const char *text)
{
	FILE *file = fopen(RANGES_FILE, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static const char *read_file(void)
{
	static char text[65536];
	FILE *file = fopen(RANGES_FILE, "r");

	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	return text;
}

static uint32_t take(const char *instance, uint32_t count)
{
	uint32_t first = 0;

	if (uid_ranges_take(instance, count, &first, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(first % JAIL_UIDS, 0);
	return first;
}

static void a_span_is_taken_above_the_hosts_ids_and_dropped_again(void **state)
{
	char line[64];

	(void)state;
	assert_int_equal(take(names[0], 8), FIRST_UID);
	snprintf(line, sizeof(line), "16 8 %s\n", names[0]);
	assert_string_equal(read_file(), line);
	assert_int_equal(uid_ranges_drop(names[0], &err), 0);
	assert_string_equal(read_file(), "");
	assert_int_equal(uid_ranges_drop(names[0], &err), 0); /* idempotent */
}

static void spans_of_living_instances_do_not_meet(void **state)
{
	uint32_t first[3];

	(void)state;
	for (int i = 0; i < 3; i++)
		first[i] = take(names[i], 10);
	assert_int_equal(first[1], first[0] + 10 * JAIL_UIDS);
	assert_int_equal(first[2], first[1] + 10 * JAIL_UIDS);
}

static void a_dropped_span_is_taken_by_what_fits_into_it(void **state)
{
	uint32_t hole, last;

	(void)state;
	take(names[0], 10);
	hole = take(names[1], 10);
	last = take(names[2], 10);
	assert_int_equal(uid_ranges_drop(names[1], &err), 0);
	assert_int_equal(take(names[3], 11), last + 10 * JAIL_UIDS);
	assert_int_equal(take(names[1], 10), hole);
}

static void the_span_of_a_dead_instance_is_free_again(void **state)
{
	(void)state;
	write_file("16 8 no-such-instance\n");
	assert_int_equal(take(names[0], 8), FIRST_UID);
	assert_null(strstr(read_file(), "no-such-instance"));
}

static void more_than_there_is_are_eusers_and_take_nothing(void **state)
{
	static const uint32_t counts[] = {0, RANGES_ALL + 1, 32767, 32768, 65536, UINT32_MAX};
	uint32_t first = 1;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		assert_int_equal(uid_ranges_take(names[0], counts[i], &first, &err), -EUSERS);
		assert_int_equal(first, 1);
	}
	assert_int_equal(take(names[0], RANGES_ALL), FIRST_UID);
	assert_int_equal(uid_ranges_take(names[1], 1, &first, &err), -EUSERS);
	assert_non_null(strstr(err.text, "stop another instance"));
	assert_null(strstr(read_file(), names[1]));
}

static void a_file_that_makes_no_sense_is_refused_and_left(void **state)
{
	static const char *const texts[] = {
		"garbage\n",
		"16 8\n",
		"16 eight name\n",
		"0 8 below\n",
		"15 1 below\n",
		"16 0 none\n",
		"16 4294967295 over\n",
		"-1 1 negative\n",
		"32767 2 over\n",
		"32768 1 over\n",
		"16 8 first\ngarbage\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		uint32_t first = 1;

		write_file(texts[i]);
		if (uid_ranges_take(names[0], 1, &first, &err) != -EBADMSG)
			fail_msg("taken as sense: %s", texts[i]);
		assert_non_null(strstr(err.text, RANGES_FILE ": not understood"));
		assert_int_equal(uid_ranges_drop(names[0], &err), -EBADMSG);
		assert_string_equal(read_file(), texts[i]);
	}
}

static void a_full_file_has_room_for_no_span_more(void **state)
{
	static char text[65536];
	size_t used = 0;
	uint32_t first;

	(void)state;
	for (int i = 0; i < 512; i++)
		used += (size_t)snprintf(
			text + used, sizeof(text) - used, "%d 1 %s\n", 16 + i, names[0]);
	write_file(text);
	assert_int_equal(uid_ranges_take(names[1], 1, &first, &err), -EUSERS);
	assert_string_equal(read_file(), text);
	assert_int_equal(uid_ranges_drop(names[0], &err), 0);
	assert_string_equal(read_file(), "");
}

static void a_symlink_in_the_files_place_is_not_followed(void **state)
{
	uint32_t first;

	(void)state;
	assert_int_equal(symlink("/run/elsewhere", RANGES_FILE), 0);
	assert_int_equal(uid_ranges_take(names[0], 1, &first, &err), -ELOOP);
	assert_int_not_equal(access("/run/elsewhere", F_OK), 0);
}

static void nobody_but_root_can_open_the_file_and_so_lock_it(void **state)
{
	mode_t before = umask(022);
	struct stat st;

	(void)state;
	take(names[0], 1);
	assert_int_equal(stat(RANGES_FILE, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(chmod(RANGES_FILE, 0644), 0); /* as an earlier version left it */
	assert_int_equal(uid_ranges_take(names[1], RANGES_ALL, &(uint32_t){0}, &err), -EUSERS);
	assert_int_equal(stat(RANGES_FILE, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	umask(before);
}

static void a_lock_that_nobody_gives_back_is_told_and_not_waited_for(void **state)
{
	int fd;

	(void)state;
	write_file("");
	fd = open(RANGES_FILE, O_RDONLY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(uid_ranges_drop(names[0], &err), -EBUSY);
	assert_non_null(strstr(err.text, RANGES_FILE " has been locked for 5 s"));
	close(fd);
	assert_int_equal(uid_ranges_drop(names[0], &err), 0);
}

/* Each takes and drops many times; the parent then finds four spans that do not meet. */
static void takers_at_the_same_moment_get_spans_apart(void **state)
{
	uint32_t first[INSTANCES];
	pid_t pids[INSTANCES];
	char *line, *save = NULL, text[4096];
	unsigned long found[INSTANCES];
	unsigned count = 0;

	(void)state;
	for (int i = 0; i < INSTANCES; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			int r = 0;

			for (int n = 0; n < 50 && r == 0; n++) {
				r = uid_ranges_drop(names[i], &err);
				if (r == 0)
					r = uid_ranges_take(names[i], 5, &first[i], &err);
			}
			_exit(r != 0);
		}
	}
	for (int i = 0; i < INSTANCES; i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	snprintf(text, sizeof(text), "%s", read_file());
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		assert_true(count < INSTANCES);
		found[count] = strtoul(line, NULL, 10);
		for (unsigned i = 0; i < count; i++)
			assert_true(found[i] + 5 <= found[count] || found[count] + 5 <= found[i]);
		count++;
	}
	assert_int_equal(count, INSTANCES);
}

#define RANGES_TEST(function) cmocka_unit_test_setup_teardown(function, forget, forget)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RANGES_TEST(a_span_is_taken_above_the_hosts_ids_and_dropped_again),
		RANGES_TEST(spans_of_living_instances_do_not_meet),
		RANGES_TEST(a_dropped_span_is_taken_by_what_fits_into_it),
		RANGES_TEST(the_span_of_a_dead_instance_is_free_again),
		RANGES_TEST(more_than_there_is_are_eusers_and_take_nothing),
		RANGES_TEST(a_file_that_makes_no_sense_is_refused_and_left),
		RANGES_TEST(a_full_file_has_room_for_no_span_more),
		RANGES_TEST(a_symlink_in_the_files_place_is_not_followed),
		RANGES_TEST(nobody_but_root_can_open_the_file_and_so_lock_it),
		RANGES_TEST(a_lock_that_nobody_gives_back_is_told_and_not_waited_for),
		RANGES_TEST(takers_at_the_same_moment_get_spans_apart),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
