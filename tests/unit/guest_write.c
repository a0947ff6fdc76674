/*
 * WRITE and EDIT, asked of a whole guest. Three of its system calls come through here, where a test
 * may do something between two of them: by the name of the file, since it is another process.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "tests/unit/guest_child.h"

static struct guest_child child;
static struct call call;

ssize_t __real_readlinkat(int directory, const char *path, char *buffer, size_t size);
ssize_t __wrap_readlinkat(int directory, const char *path, char *buffer, size_t size);
int __real_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __real_fchmod(int fd, mode_t mode);
int __wrap_fchmod(int fd, mode_t mode);

/* The symlink has become a file since it was looked at. */
ssize_t __wrap_readlinkat(int directory, const char *path, char *buffer, size_t size)
{
	if (strcmp(path, "becomes-file") == 0) {
		unlinkat(directory, path, 0);
		close(openat(directory, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	}
	if (strcmp(path, "becomes-nothing") == 0)
		unlinkat(directory, path, 0);
	return __real_readlinkat(directory, path, buffer, size);
}

int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	if (strcmp(to, "not-renamed") == 0) {
		errno = EDQUOT;
		return -1;
	}
	if (strcmp(to, "told-to-end") == 0)
		raise(SIGTERM); /* as a CANCEL does it */
	return __real_renameat(from_fd, from, to_fd, to);
}

/* The last step before the new file gets its name; its content is complete. */
int __wrap_fchmod(int fd, mode_t mode)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && st.st_size == 13)
		raise(SIGKILL);
	return __real_fchmod(fd, mode);
}

static int set_up(void **state)
{
	(void)state;
	guest_child_start(&child);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	guest_child_stop(&child);
	call_finish(&call);
	return 0;
}

static void run(const char *command)
{
	guest_child_run(&child, &call, command, NULL);
	assert_int_equal(call.reply.exit_status, 0);
}

static void write_file(const char *path, const char *content)
{
	guest_child_ask(&child, &call,
		&(struct guest_file_options){.type = GUEST_WRITE, .path = path}, content);
}

static void edit(const char *old, const char *new, uint32_t flags)
{
	char input[256];
	int size = snprintf(input, sizeof(input), "%s%c%s", old, 0, new);

	call_finish(&call);
	call_file(child.client, &call,
		&(struct guest_file_options){.type = GUEST_EDIT, .path = "f", .flags = flags},
		input, (size_t)size);
	call_wait(child.client, &call);
}

static void assert_done(uint64_t count)
{
	if (call.reply.end != GUEST_END_DONE)
		fail_msg("end %u: %s", call.reply.end, call.reply.text);
	assert_int_equal(call.reply.count, count);
}

static void assert_failed(unsigned error)
{
	if (call.reply.end != GUEST_END_FAILED || call.reply.error != error)
		fail_msg("end %u, error %u: %s", call.reply.end, call.reply.error, call.reply.text);
}

static mode_t mode_of(const char *name)
{
	char path[GUEST_CHILD_PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", child.root, name);
	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static void write_makes_a_file_and_its_parents(void **state)
{
	(void)state;
	write_file("a/b/c/new", "content\n");
	assert_done(8);
	assert_string_equal(guest_child_get(&child, "a/b/c/new"), "content\n");
	assert_int_equal(mode_of("a/b/c/new"), 0644);
	assert_int_equal(guest_child_count_names(&child, "a/b/c"), 1);
	write_file("empty", "");
	assert_done(0);
	assert_string_equal(guest_child_get(&child, "empty"), "");
}

static void write_keeps_the_mode_of_what_it_replaces(void **state)
{
	static const char *const modes[] = {"600", "755", "4711"};
	static const mode_t expected[] = {0600, 0755, 04711};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		char command[64];

		snprintf(command, sizeof(command), "echo old >f; chmod %s f", modes[i]);
		run(command);
		write_file("f", "new");
		assert_done(3);
		assert_int_equal(mode_of("f"), expected[i]);
		assert_string_equal(guest_child_get(&child, "f"), "new");
	}
}

static void write_replaces_a_file_and_never_changes_the_old_one(void **state)
{
	(void)state;
	run("echo old >f; ln f other");
	write_file("f", "new");
	assert_done(3);
	assert_string_equal(guest_child_get(&child, "other"), "old\n");
	assert_int_equal(guest_child_count_names(&child, "."), 2);
}

static void write_of_more_than_the_credit_arrives_whole(void **state)
{
	static char content[3 * GUEST_INPUT_CREDIT + 1];

	(void)state;
	for (size_t i = 0; i + 1 < sizeof(content); i++)
		content[i] = (char)('a' + i % 26);
	write_file("f", content);
	assert_done(sizeof(content) - 1);
	assert_string_equal(guest_child_get(&child, "f"), content);
}

static void write_goes_through_a_symlink_and_leaves_it(void **state)
{
	(void)state;
	run("mkdir d; ln -s d/target link; ln -s link again");
	write_file("again", "content");
	assert_done(7);
	assert_string_equal(guest_child_get(&child, "d/target"), "content");
	run("test -L link && test -L again");
	run("ln -s loop loop");
	write_file("loop", "content");
	assert_failed(ELOOP);
}

static void write_to_what_is_no_regular_file_is_refused(void **state)
{
	(void)state;
	run("mkdir d; mkfifo fifo; : >f");
	write_file("d", "x");
	assert_failed(EISDIR);
	write_file("d/", "x");
	assert_failed(EISDIR);
	write_file("d/..", "x");
	assert_failed(EISDIR);
	write_file("fifo", "x");
	assert_failed(EINVAL);
	write_file("f/x", "x");
	assert_failed(ENOTDIR);
}

static void a_symlink_exchanged_under_write_is_looked_at_again(void **state)
{
	(void)state;
	run("ln -s elsewhere becomes-file; ln -s elsewhere becomes-nothing");
	write_file("becomes-file", "content");
	assert_done(7);
	assert_string_equal(guest_child_get(&child, "becomes-file"), "content");
	write_file("becomes-nothing", "content");
	assert_done(7);
	assert_string_equal(guest_child_get(&child, "becomes-nothing"), "content");
	assert_int_equal(guest_child_count_names(&child, "."), 2);
}

static void a_write_that_fails_at_the_end_leaves_nothing_behind(void **state)
{
	(void)state;
	run("echo old >not-renamed");
	write_file("not-renamed", "new");
	assert_failed(EDQUOT);
	assert_string_equal(guest_child_get(&child, "not-renamed"), "old\n");
	assert_int_equal(guest_child_count_names(&child, "."), 1);
}

/* /dev/shm is a tmpfs, which has O_TMPFILE; what stands below it is removed again. */
static void a_write_killed_before_its_end_leaves_nothing_behind(void **state)
{
	char directory[64], path[128];

	(void)state;
	snprintf(directory, sizeof(directory), "/dev/shm/hearth-guest-%d", getpid());
	snprintf(path, sizeof(path), "%s/f", directory);
	assert_int_equal(mkdir(directory, 0700), 0);
	write_file(path, "thirteen char"); /* see fchmod() */
	if (rmdir(directory) < 0) {
		snprintf(path, sizeof(path), "rm -rfv %s", directory);
		run(path);
		fail_msg("left behind: %s", call.output);
	}
	assert_failed(EIO);
	assert_non_null(strstr(call.reply.text, "signal 9"));
}

static void a_write_told_to_end_between_its_last_two_steps_is_finished(void **state)
{
	(void)state;
	write_file("told-to-end", "new");
	assert_done(3);
	assert_string_equal(guest_child_get(&child, "told-to-end"), "new");
	assert_int_equal(guest_child_count_names(&child, "."), 1);
}

static void a_cancelled_write_changes_nothing(void **state)
{
	(void)state;
	run("echo old >f");
	call_finish(&call);
	call_file(child.client, &call,
		&(struct guest_file_options){.type = GUEST_WRITE, .path = "f"}, NULL, 0);
	assert_int_equal(guest_request_input(call.request, "new", 3, false), 0);
	assert_int_equal(guest_request_cancel(call.request), 0);
	call_wait(child.client, &call);
	assert_int_equal(call.reply.end, GUEST_END_CANCELLED);
	assert_string_equal(guest_child_get(&child, "f"), "old\n");
	assert_int_equal(guest_child_count_names(&child, "."), 1);
}

static void edit_exchanges_the_one_occurrence(void **state)
{
	(void)state;
	guest_child_put(&child, "f", "one two three");
	edit("two", "2", 0);
	assert_done(1);
	assert_int_equal(call.reply.total, 1);
	assert_string_equal(guest_child_get(&child, "f"), "one 2 three");
	edit("one 2 three", "", 0);
	assert_done(1);
	assert_string_equal(guest_child_get(&child, "f"), "");
}

static void edit_exchanges_all_when_asked(void **state)
{
	(void)state;
	guest_child_put(&child, "f", "aaaaa b aa");
	edit("aa", "a", GUEST_FILE_ALL);
	assert_done(3); /* none of them overlap, none are found in what was put */
	assert_string_equal(guest_child_get(&child, "f"), "aaa b a");
	run("chmod 751 f");
	edit("a", "longer", GUEST_FILE_ALL);
	assert_done(4);
	assert_string_equal(guest_child_get(&child, "f"), "longerlongerlonger b longer");
	assert_int_equal(mode_of("f"), 0751);
}

static void edit_refuses_a_text_found_more_than_once(void **state)
{
	(void)state;
	guest_child_put(&child, "f", "x x x");
	edit("x", "y", 0);
	assert_failed(EEXIST);
	assert_int_equal(call.reply.total, 3);
	assert_string_equal(guest_child_get(&child, "f"), "x x x");
}

static void edit_refuses_a_text_that_is_not_there(void **state)
{
	(void)state;
	guest_child_put(&child, "f", "abc");
	edit("abcd", "x", 0);
	assert_failed(ENOENT);
	assert_int_equal(call.reply.total, 0);
	edit("B", "x", GUEST_FILE_ALL);
	assert_failed(ENOENT);
	assert_string_equal(guest_child_get(&child, "f"), "abc");
}

static void edit_takes_every_byte_for_itself(void **state)
{
	static const char *const texts[] = {
		"$&", "$1 \\1 &", "\\n", ".*", "[a]", "\xff\xfe\r\n", "%s%n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		char expected[64];

		guest_child_put(&child, "f", "<old>");
		edit("old", texts[i], 0);
		assert_done(1);
		snprintf(expected, sizeof(expected), "<%s>", texts[i]);
		assert_string_equal(guest_child_get(&child, "f"), expected);
		edit(texts[i], "new", 0);
		assert_done(1);
		assert_string_equal(guest_child_get(&child, "f"), "<new>");
	}
}

static void edit_without_old_text_is_refused(void **state)
{
	(void)state;
	guest_child_put(&child, "f", "abc");
	edit("", "x", 0);
	assert_failed(EINVAL);
	guest_child_ask(&child, &call,
		&(struct guest_file_options){.type = GUEST_EDIT, .path = "f"}, "no NUL");
	assert_failed(EINVAL);
	assert_string_equal(guest_child_get(&child, "f"), "abc");
}

static void edit_of_what_is_no_file_fails(void **state)
{
	(void)state;
	edit("a", "b", 0);
	assert_failed(ENOENT);
	run("mkdir f");
	edit("a", "b", 0);
	assert_failed(EISDIR);
	run("rmdir f; mkfifo f");
	edit("a", "b", 0);
	assert_failed(EINVAL);
}

#define with_guest(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_guest(write_makes_a_file_and_its_parents),
		with_guest(write_keeps_the_mode_of_what_it_replaces),
		with_guest(write_replaces_a_file_and_never_changes_the_old_one),
		with_guest(write_of_more_than_the_credit_arrives_whole),
		with_guest(write_goes_through_a_symlink_and_leaves_it),
		with_guest(write_to_what_is_no_regular_file_is_refused),
		with_guest(a_symlink_exchanged_under_write_is_looked_at_again),
		with_guest(a_write_that_fails_at_the_end_leaves_nothing_behind),
		with_guest(a_write_killed_before_its_end_leaves_nothing_behind),
		with_guest(a_write_told_to_end_between_its_last_two_steps_is_finished),
		with_guest(a_cancelled_write_changes_nothing),
		with_guest(edit_exchanges_the_one_occurrence),
		with_guest(edit_exchanges_all_when_asked),
		with_guest(edit_refuses_a_text_found_more_than_once),
		with_guest(edit_refuses_a_text_that_is_not_there),
		with_guest(edit_takes_every_byte_for_itself),
		with_guest(edit_without_old_text_is_refused),
		with_guest(edit_of_what_is_no_file_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
