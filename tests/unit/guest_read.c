/* READ, STAT and LIST, asked of a whole guest. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/unit/guest_child.h"

static struct guest_child child;
static struct call call;

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

static void ask(const struct guest_file_options *options)
{
	guest_child_ask(&child, &call, options, NULL);
}

static void assert_failed(unsigned error)
{
	if (call.reply.end != GUEST_END_FAILED || call.reply.error != error)
		fail_msg("end %u, error %u: %s", call.reply.end, call.reply.error, call.reply.text);
}

static void assert_done(uint64_t count, uint64_t total)
{
	if (call.reply.end != GUEST_END_DONE)
		fail_msg("end %u: %s", call.reply.end, call.reply.text);
	assert_int_equal(call.reply.count, count);
	assert_int_equal(call.reply.total, total);
}

struct row {
	uint64_t offset, length, max_bytes;
	const char *output;
	uint64_t count;
};

static void check(uint32_t flags, uint64_t total, const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		ask(&(struct guest_file_options){.type = GUEST_READ,
			.path = "f",
			.flags = flags,
			.offset = rows[i].offset,
			.length = rows[i].length,
			.max_bytes = rows[i].max_bytes});
		if (strcmp(guest_child_output(&call), rows[i].output) != 0)
			fail_msg("row %zu: \"%s\"", i, guest_child_output(&call));
		assert_done(rows[i].count, total);
		assert_int_equal(call.bytes[GUEST_DATA], strlen(rows[i].output));
	}
}

static void read_sends_the_bytes_that_were_asked(void **state)
{
	static const struct row rows[] = {
		{0, 0, 0, "0123456789", 10},
		{3, 0, 0, "3456789", 7},
		{3, 4, 0, "3456", 4},
		{8, 100, 0, "89", 2},
		{10, 0, 0, "", 0},
		{1000, 5, 0, "", 0},
		{2, 0, 3, "234", 3},
		{2, 5, 3, "234", 3},
	};

	(void)state;
	guest_child_put(&child, "f", "0123456789");
	check(0, 10, rows, ARRAY_SIZE(rows));
}

static void read_sends_the_lines_that_were_asked(void **state)
{
	static const struct row rows[] = {
		{1, 0, 0, "a\nbb\n\nd", 4},
		{2, 0, 0, "bb\n\nd", 3},
		{2, 2, 0, "bb\n\n", 2},
		{3, 1, 0, "\n", 1},
		{4, 5, 0, "d", 1},
		{5, 1, 0, "", 0},
		{1, 0, 3, "a\nb", 2}, /* cut within the second */
		{2, UINT64_MAX, 0, "bb\n\nd", 3},
	};

	(void)state;
	guest_child_put(&child, "f", "a\nbb\n\nd");
	check(GUEST_FILE_LINES, 4, rows, ARRAY_SIZE(rows));
}

/* A hole of 300 MiB is one line. */
static void lines_behind_a_hundred_megabytes_are_found_and_an_early_end_of_the_count_is_told(
	void **state)
{
	struct guest_file_options options = {.type = GUEST_READ,
		.path = "f",
		.flags = GUEST_FILE_LINES,
		.offset = 1,
		.length = 2};

	(void)state;
	guest_child_run(&child, &call,
		"printf 'a\\nb\\n' >f; truncate -s 300M f; printf '\\nc\\nd\\n' >>f", NULL);
	ask(&options);
	assert_string_equal(guest_child_output(&call), "a\nb\n");
	assert_done(2, 3); /* at least */
	assert_string_equal(call.reply.text, "lines behind the first 256 MiB");
	options.offset = 4;
	ask(&options);
	assert_string_equal(guest_child_output(&call), "c\nd\n");
	assert_done(2, 5);
	assert_string_equal(call.reply.text, "");
}

static void an_empty_file_has_no_bytes_and_no_lines(void **state)
{
	static const struct row rows[] = {{1, 0, 0, "", 0}, {1, 1, 0, "", 0}};

	(void)state;
	guest_child_put(&child, "f", "");
	check(0, 0, rows, ARRAY_SIZE(rows));
	check(GUEST_FILE_LINES, 0, rows, ARRAY_SIZE(rows));
}

static void a_read_without_max_bytes_is_cut_at_the_default(void **state)
{
	(void)state;
	guest_child_run(&child, &call, "head -c 1000000 /dev/zero >f", NULL);
	ask(&(struct guest_file_options){.type = GUEST_READ, .path = "f"});
	assert_done(GUEST_FILE_OUTPUT, 1000000);
	assert_int_equal(call.bytes[GUEST_DATA], GUEST_FILE_OUTPUT);
	ask(&(struct guest_file_options){.type = GUEST_READ, .path = "f", .max_bytes = 1 << 20});
	assert_done(1000000, 1000000);
	assert_int_equal(call.bytes[GUEST_DATA], 1000000);
}

static void what_is_missing_or_no_regular_file_is_not_read(void **state)
{
	static const struct {
		const char *path;
		unsigned error;
	} rows[] = {{"missing", ENOENT}, {"d", EISDIR}, {"fifo", EINVAL}, {"/dev/null", EINVAL},
		{"f/x", ENOTDIR}, {"loop", ELOOP}, {"", ENOENT}};

	(void)state;
	guest_child_run(&child, &call, "mkdir d; mkfifo fifo; : >f; ln -s loop loop", NULL);
	assert_int_equal(call.reply.exit_status, 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ask(&(struct guest_file_options){.type = GUEST_READ, .path = rows[i].path});
		assert_failed(rows[i].error);
		assert_int_equal(call.size, 0);
	}
}

/* A writer who waits for a reader goes on at the first one: the bytes would be lost. */
static void a_fifo_is_not_opened_to_see_what_it_is(void **state)
{
	auto_close int events = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	struct inotify_event event;
	char fifo[128];

	(void)state;
	guest_child_run(&child, &call, "mkfifo fifo", NULL);
	snprintf(fifo, sizeof(fifo), "%s/fifo", child.root);
	assert_true(inotify_add_watch(events, fifo, IN_OPEN) >= 0);
	ask(&(struct guest_file_options){.type = GUEST_READ, .path = "fifo"});
	assert_failed(EINVAL);
	assert_int_equal(read(events, &event, sizeof(event)), -1);
	assert_int_equal(errno, EAGAIN);
}

/* A worker is a fork of PID 1: what /proc tells of it is true of the host's program. */
static void no_link_leads_to_the_workers_own_proc(void **state)
{
	static const struct {
		uint16_t type;
		const char *path;
		unsigned error;
	} rows[] = {{GUEST_READ, "maps", EACCES}, {GUEST_READ, "/proc/self/stat", EACCES},
		{GUEST_READ, "/proc/thread-self/maps", EACCES}, {GUEST_READ, "exe", ELOOP},
		{GUEST_READ, "/proc/self/fd/1", ELOOP}, {GUEST_STAT, "exe", ELOOP},
		{GUEST_LIST, "own", EACCES}, {GUEST_LIST, "/proc/self/task", EACCES},
		{GUEST_LIST, "/proc/self/root", ELOOP}};

	(void)state;
	guest_child_run(&child, &call,
		"ln -s /proc/self/maps maps; ln -s /proc/self/exe exe; ln -s /proc/self own", NULL);
	assert_int_equal(call.reply.exit_status, 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ask(&(struct guest_file_options){.type = rows[i].type,
			.path = rows[i].path,
			.flags = rows[i].type == GUEST_STAT ? GUEST_FILE_FOLLOW : 0});
		assert_failed(rows[i].error);
		assert_int_equal(call.size, 0);
	}
	ask(&(struct guest_file_options){.type = GUEST_READ, .path = "/proc/version"});
	assert_int_equal(call.reply.end, GUEST_END_DONE);
}

static void an_offset_out_of_range_is_refused(void **state)
{
	(void)state;
	guest_child_put(&child, "f", "x");
	ask(&(struct guest_file_options){.type = GUEST_READ, .path = "f", .offset = UINT64_MAX});
	assert_failed(EINVAL);
}

static void stat_tells_what_stands_there(void **state)
{
	struct guest_stat data;

	(void)state;
	guest_child_run(&child, &call,
		"printf 12345 >f; chmod 640 f; ln f g; touch -d @1000000000 f; ln -s f link", NULL);
	ask(&(struct guest_file_options){.type = GUEST_STAT, .path = "f"});
	assert_done(1, 1);
	assert_int_equal(call.size, sizeof(data));
	memcpy(&data, call.output, sizeof(data));
	assert_int_equal(data.mode, S_IFREG | 0640);
	assert_int_equal(data.size, 5);
	assert_int_equal(data.nlink, 2);
	assert_int_equal(data.uid, getuid());
	assert_int_equal(data.mtime_ns, UINT64_C(1000000000000000000));
}

static void stat_follows_a_symlink_only_when_asked(void **state)
{
	struct guest_stat data;

	(void)state;
	guest_child_run(&child, &call, ": >f; ln -s f link; ln -s nowhere broken", NULL);
	ask(&(struct guest_file_options){.type = GUEST_STAT, .path = "link"});
	memcpy(&data, call.output, sizeof(data));
	assert_true(S_ISLNK(data.mode));
	ask(&(struct guest_file_options){
		.type = GUEST_STAT, .path = "link", .flags = GUEST_FILE_FOLLOW});
	memcpy(&data, call.output, sizeof(data));
	assert_true(S_ISREG(data.mode));
	ask(&(struct guest_file_options){.type = GUEST_STAT, .path = "broken"});
	assert_done(1, 1);
	ask(&(struct guest_file_options){
		.type = GUEST_STAT, .path = "broken", .flags = GUEST_FILE_FOLLOW});
	assert_failed(ENOENT);
}

/* The names of a LIST, with blanks between. */
static const char *listed(void)
{
	static char names[1024];
	const char *p = call.output, *end = p + call.size;

	names[0] = '\0';
	while (p < end) {
		p += sizeof(struct guest_stat);
		strcat(names, names[0] ? " " : "");
		strcat(names, p);
		p += strlen(p) + 1;
	}
	return names;
}

static void list_comes_sorted_by_name(void **state)
{
	(void)state;
	guest_child_run(&child, &call, "mkdir d; cd d; mkdir b; touch c a .h B; ln -s x l", NULL);
	ask(&(struct guest_file_options){.type = GUEST_LIST, .path = "d"});
	assert_done(6, 6);
	assert_string_equal(listed(), ".h B a b c l");
}

static void list_is_cut_at_length_and_at_max_bytes(void **state)
{
	(void)state;
	guest_child_run(&child, &call, "mkdir d; cd d; touch a b c", NULL);
	ask(&(struct guest_file_options){.type = GUEST_LIST, .path = "d", .length = 2});
	assert_done(2, 3);
	assert_string_equal(listed(), "a b");
	ask(&(struct guest_file_options){.type = GUEST_LIST,
		.path = "d",
		.max_bytes = 2 * (sizeof(struct guest_stat) + 2) - 1});
	assert_done(1, 3);
	assert_string_equal(listed(), "a");
}

static void list_of_what_is_no_directory_fails(void **state)
{
	(void)state;
	guest_child_run(&child, &call, ": >f; mkfifo fifo", NULL);
	ask(&(struct guest_file_options){.type = GUEST_LIST, .path = "f"});
	assert_failed(ENOTDIR);
	ask(&(struct guest_file_options){.type = GUEST_LIST, .path = "fifo"});
	assert_failed(ENOTDIR);
	ask(&(struct guest_file_options){.type = GUEST_LIST, .path = "missing"});
	assert_failed(ENOENT);
}

#define with_guest(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_guest(read_sends_the_bytes_that_were_asked),
		with_guest(read_sends_the_lines_that_were_asked),
		with_guest(
			lines_behind_a_hundred_megabytes_are_found_and_an_early_end_of_the_count_is_told),
		with_guest(an_empty_file_has_no_bytes_and_no_lines),
		with_guest(a_read_without_max_bytes_is_cut_at_the_default),
		with_guest(what_is_missing_or_no_regular_file_is_not_read),
		with_guest(a_fifo_is_not_opened_to_see_what_it_is),
		with_guest(no_link_leads_to_the_workers_own_proc),
		with_guest(an_offset_out_of_range_is_refused),
		with_guest(stat_tells_what_stands_there),
		with_guest(stat_follows_a_symlink_only_when_asked),
		with_guest(list_comes_sorted_by_name),
		with_guest(list_is_cut_at_length_and_at_max_bytes),
		with_guest(list_of_what_is_no_directory_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
