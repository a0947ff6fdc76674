/* GLOB and GREP, asked of a whole guest. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
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

static void run(const char *command)
{
	guest_child_run(&child, &call, command, NULL);
	assert_int_equal(call.reply.exit_status, 0);
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

/* The paths found, with blanks between. */
static const char *glob(const char *path, const char *pattern, uint32_t flags)
{
	ask(&(struct guest_file_options){
		.type = GUEST_GLOB, .path = path, .pattern = pattern, .flags = flags});
	if (call.reply.end != GUEST_END_DONE)
		fail_msg("%s: end %u: %s", pattern, call.reply.end, call.reply.text);
	for (size_t i = 0; i + 1 < call.size; i++)
		if (call.output[i] == '\0')
			call.output[i] = ' ';
	return guest_child_output(&call);
}

/* The records found, each as path:line number:line, or path-number-line of context. */
static const char *grep(const struct guest_file_options *wanted)
{
	static char text[4096];
	struct guest_file_options options = *wanted;
	const char *p, *end;
	size_t size = 0;

	options.type = GUEST_GREP;
	options.path = options.path ? options.path : "d";
	options.include = options.include ? options.include : "";
	ask(&options);
	if (call.reply.end != GUEST_END_DONE)
		fail_msg("%s: end %u: %s", options.pattern, call.reply.end, call.reply.text);
	p = call.output;
	end = p + call.size;
	text[0] = '\0';
	while (p < end) {
		const char *path = p + sizeof(struct guest_match);
		const char *line = path + strlen(path) + 1;
		struct guest_match match;
		char mark;

		memcpy(&match, p, sizeof(match));
		mark = match.is_context ? '-' : ':';
		size += (size_t)snprintf(text + size, sizeof(text) - size, "%s%c%u%c%s\n", path,
			mark, match.line_number, mark, line);
		p = line + strlen(line) + 1;
	}
	return text;
}

static void glob_comes_newest_first(void **state)
{
	(void)state;
	run("mkdir -p d/e; touch -d @100 d/a.c; touch -d @300 d/e/b.c; touch -d @200 d/c.c d/b.c; "
	    "touch d/x.h");
	assert_string_equal(glob("d", "**/*.c", 0), "d/e/b.c d/b.c d/c.c d/a.c");
	assert_int_equal(call.reply.count, 4);
	assert_int_equal(call.reply.total, 4);
	assert_string_equal(glob("d", "*.c", 0), "d/b.c d/c.c d/a.c");
	assert_string_equal(glob("d/", "e/*", 0), "d/e/b.c");
	assert_string_equal(glob("d", "*.{c,h}", 0), "d/x.h d/b.c d/c.c d/a.c");
	assert_string_equal(glob("d", "none", 0), "");
	run("touch -d @-1000 d/old.h; touch -d @100.5 d/new.h; touch -d @100.25 d/mid.h; rm d/x.h");
	assert_string_equal(glob("d", "*.h", 0), "d/new.h d/mid.h d/old.h");
}

static void glob_keeps_the_newest_when_there_are_too_many(void **state)
{
	(void)state;
	run("mkdir d; i=0; while [ $i -lt 50 ]; do i=$((i+1)); touch -d @$((i*37%53)) d/$i; done");
	ask(&(struct guest_file_options){
		.type = GUEST_GLOB, .path = "d", .pattern = "*", .length = 2});
	assert_int_equal(call.reply.total, 50);
	assert_int_equal(call.reply.count, 2);
	/* 10 * 37 % 53 = 52; 20 * 37 % 53 = 51 */
	assert_memory_equal(call.output, "d/10\0d/20", 10);
	assert_int_equal(call.size, 10);
}

static void glob_finds_no_directories_and_no_hidden_names_unless_asked(void **state)
{
	(void)state;
	run("mkdir -p d/dir.c d/.hide; touch -d @2 d/.x.c; touch -d @1 d/.hide/y.c; "
	    "touch -d @3 d/z.c; mkdir d/.git; touch d/.git/g.c");
	assert_string_equal(glob("d", "**/*.c", 0), "d/z.c");
	assert_string_equal(glob("d", "**/*.c", GUEST_FILE_HIDDEN), "d/z.c d/.x.c d/.hide/y.c");
	assert_string_equal(glob("d", ".*", 0), "d/.x.c");
	assert_string_equal(glob("d", ".hide/*", 0), "d/.hide/y.c");
}

static void glob_respects_gitignore_unless_told_not_to(void **state)
{
	(void)state;
	run("mkdir -p d/out d/sub; cd d; printf '*.o\\nout/\\n' >.gitignore; echo '!k.o' "
	    ">sub/.gitignore; touch -d @1 a.o out/b.c sub/k.o sub/l.o; touch -d @2 a.c");
	assert_string_equal(glob("d", "**/*", 0), "d/a.c d/sub/k.o");
	assert_string_equal(glob("d", "**/*", GUEST_FILE_NO_IGNORE),
		"d/a.c d/a.o d/out/b.c d/sub/k.o d/sub/l.o");
}

static void a_gitignore_above_counts_inside_a_repository(void **state)
{
	(void)state;
	run("mkdir -p d/sub; echo /sub/a >d/.gitignore; echo c >d/sub/a; echo c >d/sub/b");
	assert_string_equal(glob("d/sub", "b", 0), "d/sub/b");
	assert_string_equal(glob("d/sub", "a", 0), "d/sub/a"); /* no repository */
	run("mkdir d/.git");
	assert_string_equal(glob("d/sub", "*", 0), "d/sub/b");
}

static void a_repository_below_has_rules_of_its_own_only(void **state)
{
	(void)state;
	run("mkdir -p d/in/.git d/in/sub; cd d; printf '*.o\n' >.gitignore; touch -d @1 in/a.o "
	    "in/a.c in/sub/b.o; echo '*.c' >in/.gitignore");
	assert_string_equal(glob("d", "**", 0), "d/in/a.o d/in/sub/b.o");
}

static void a_search_says_which_levels_it_did_not_enter(void **state)
{
	(void)state;
	run("mkdir d; cd d; i=0; while [ $i -lt 199 ]; do i=$((i+1)); mkdir d; cd -P d; done; "
	    "echo needle >f; mkdir e; cd -P e; echo >g");
	glob("d", "**/[fg]", 0);
	assert_int_equal(call.reply.total, 2);
	assert_string_equal(call.reply.text, "");
	run("p=d; i=0; while [ $i -lt 199 ]; do i=$((i+1)); p=$p/d; done; cd -P $p/e; mkdir x; "
	    "echo needle >x/h");
	assert_string_equal(glob("d", "**/h", 0), "");
	assert_string_equal(call.reply.text, "folders more than 200 levels down");
	glob("d", "d/d/*", 0); /* which asks for no more */
	assert_string_equal(call.reply.text, "");
	grep(&(struct guest_file_options){.pattern = "needle", .flags = GUEST_FILE_COUNT});
	assert_int_equal(call.reply.total, 1);
	assert_string_equal(call.reply.text, "folders more than 200 levels down");
}

/* /dev/shm is a tmpfs, where so many are made at once. */
static void a_search_says_how_many_names_it_did_not_look_at(void **state)
{
	char command[256], texts[3][GUEST_TEXT_MAX];

	(void)state;
	snprintf(command, sizeof(command),
		"t=/dev/shm/hearth-guest-%d; ln -s $t d; mkdir -p $t/a $t/big; cd $t/big; "
		"seq -f 000000%%.0f 100002 | xargs touch",
		getpid());
	run(command);
	glob("d", "**/none", 0);
	strcpy(texts[0], call.reply.text);
	glob("d/a", "*", 0);
	strcpy(texts[1], call.reply.text);
	grep(&(struct guest_file_options){.pattern = "x", .path = "d/big"});
	strcpy(texts[2], call.reply.text);
	run("rm -r \"$(readlink d)\"");
	assert_string_equal(texts[0], "2 of 100002 names in big/");
	assert_string_equal(texts[1], "");
	assert_string_equal(texts[2], "2 of 100002 names in d/big");
}

static void glob_refuses_patterns_that_lead_elsewhere(void **state)
{
	static const char *const patterns[] = {
		"/etc/*", "", "../*", "..", "a/..", "a/{b,..}/c", "**/", "!a"};

	(void)state;
	run("mkdir d; touch d/..a d/a.. d/...");
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		ask(&(struct guest_file_options){
			.type = GUEST_GLOB, .path = "d", .pattern = patterns[i]});
		assert_failed(EINVAL);
	}
	ask(&(struct guest_file_options){.type = GUEST_GLOB, .path = "none", .pattern = "*"});
	assert_failed(ENOENT);
	assert_string_equal(glob("d", "..a", 0), "d/..a");
	assert_string_equal(glob("d", "a..", 0), "d/a..");
	assert_string_equal(glob("d", "...", 0), "d/...");
}

static void make_texts(void)
{
	run("mkdir -p d/sub; cd d; printf 'one\\ntwo needle\\nthree\\nfour\\nNeedle five\\n' "
	    ">a.txt; "
	    "printf 'needle\\r\\nneedle' >sub/b.c; printf 'needle\\0' >binary; echo needle "
	    ">.hidden");
}

static void grep_sends_the_lines_with_their_numbers(void **state)
{
	(void)state;
	make_texts();
	assert_string_equal(grep(&(struct guest_file_options){.pattern = "needle"}),
		"d/a.txt:2:two needle\nd/sub/b.c:1:needle\nd/sub/b.c:2:needle\n");
	assert_int_equal(call.reply.count, 3);
	assert_int_equal(call.reply.total, 3);
	assert_string_equal(grep(&(struct guest_file_options){.pattern = "^\\w+$"}),
		"d/a.txt:1:one\nd/a.txt:3:three\nd/a.txt:4:four\nd/sub/b.c:1:needle\n"
		"d/sub/b.c:2:needle\n");
	assert_string_equal(grep(&(struct guest_file_options){.pattern = "absent"}), "");
}

static void grep_ignores_case_when_asked(void **state)
{
	(void)state;
	make_texts();
	assert_string_equal(
		grep(&(struct guest_file_options){
			.pattern = "NEEDLE", .path = "d/a.txt", .flags = GUEST_FILE_ICASE}),
		"d/a.txt:2:two needle\nd/a.txt:5:Needle five\n");
}

static void grep_lists_files_or_counts_lines(void **state)
{
	(void)state;
	make_texts();
	assert_string_equal(
		grep(&(struct guest_file_options){.pattern = "needle", .flags = GUEST_FILE_FILES}),
		"d/a.txt:0:\nd/sub/b.c:0:\n");
	assert_int_equal(call.reply.total, 2);
	assert_string_equal(
		grep(&(struct guest_file_options){.pattern = "needle", .flags = GUEST_FILE_COUNT}),
		"d/a.txt:0:1\nd/sub/b.c:0:2\n");
	assert_int_equal(call.reply.total, 2);
}

static void grep_sends_lines_of_context_once(void **state)
{
	(void)state;
	run("mkdir d; seq 1 12 >d/f");
	assert_string_equal(
		grep(&(struct guest_file_options){.pattern = "^(3|5|11)$", .offset = 1}),
		"d/f-2-2\nd/f:3:3\nd/f-4-4\nd/f:5:5\nd/f-6-6\nd/f-10-10\nd/f:11:11\nd/f-12-12\n");
	assert_int_equal(call.reply.total, 3);
	assert_string_equal(grep(&(struct guest_file_options){.pattern = "^1$", .offset = 2}),
		"d/f:1:1\nd/f-2-2\nd/f-3-3\n");
}

static void grep_looks_at_the_included_names_only(void **state)
{
	(void)state;
	make_texts();
	assert_string_equal(
		grep(&(struct guest_file_options){.pattern = "two|needle", .include = "*.txt"}),
		"d/a.txt:2:two needle\n");
	assert_string_equal(
		grep(&(struct guest_file_options){
			.pattern = "needle", .include = "*.{c,h}", .flags = GUEST_FILE_FILES}),
		"d/sub/b.c:0:\n");
	assert_string_equal(
		grep(&(struct guest_file_options){
			.pattern = "needle", .include = "sub/*", .flags = GUEST_FILE_FILES}),
		"d/sub/b.c:0:\n");
	assert_string_equal(
		grep(&(struct guest_file_options){.pattern = "needle", .include = "*.py"}), "");
}

static void an_include_is_a_path_or_refused(void **state)
{
	static const char *const refused[] = {
		"/sub/*", "../d/*", "sub/", "!*.c", "*.c,*.h", "*.{c}"};

	(void)state;
	make_texts();
	assert_string_equal(
		grep(&(struct guest_file_options){
			.pattern = "needle", .include = ".//sub/./*", .flags = GUEST_FILE_FILES}),
		"d/sub/b.c:0:\n");
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		ask(&(struct guest_file_options){
			.type = GUEST_GREP, .path = "d", .pattern = "a", .include = refused[i]});
		assert_failed(EINVAL);
		assert_memory_equal(call.reply.text, "include: ", 9);
	}
}

static void grep_stops_sending_at_length_and_counts_on(void **state)
{
	(void)state;
	run("mkdir d; seq 1 250 >d/f");
	grep(&(struct guest_file_options){.pattern = "^[0-9]"});
	assert_int_equal(call.reply.count, 100);
	assert_int_equal(call.reply.total, 250);
	assert_string_equal(grep(&(struct guest_file_options){.pattern = "9$", .length = 2}),
		"d/f:9:9\nd/f:19:19\n");
	assert_int_equal(call.reply.total, 25);
}

static void grep_finds_what_stands_behind_a_line_longer_than_its_buffer(void **state)
{
	(void)state;
	run("mkdir d; { head -c 3000000 /dev/zero | tr '\\0' x; echo; echo needle; } >d/f");
	assert_string_equal(
		grep(&(struct guest_file_options){.pattern = "needle"}), "d/f:2:needle\n");
}

static void grep_finds_a_carriage_return_that_its_pattern_names(void **state)
{
	(void)state;
	run("mkdir d; printf 'one\\r\\ntwo\\nthree\\r' >d/f");
	assert_string_equal(grep(&(struct guest_file_options){.pattern = "\\r$"}),
		"d/f:1:one\r\nd/f:3:three\r\n");
	assert_string_equal(
		grep(&(struct guest_file_options){.pattern = "one\r"}), "d/f:1:one\r\n");
	assert_string_equal(
		grep(&(struct guest_file_options){.pattern = "[^\\x0d]$"}), "d/f:2:two\n");
	assert_string_equal(grep(&(struct guest_file_options){.pattern = "(e|o)$"}),
		"d/f:1:one\nd/f:2:two\nd/f:3:three\n");
}

static void grep_takes_a_byte_that_is_no_utf8_for_one_character(void **state)
{
	(void)state;
	run("mkdir d; printf 'x\\303\\244y\\nx\\344y\\n\\377\\377 needle\\n\\303\\204\\n' >d/f");
	assert_string_equal(grep(&(struct guest_file_options){.pattern = "^x.y$"}),
		"d/f:1:x\xc3\xa4y\nd/f:2:x\xe4y\n");
	assert_string_equal(grep(&(struct guest_file_options){.pattern = "^.. needle$"}),
		"d/f:3:\xff\xff needle\n");
	assert_string_equal(grep(&(struct guest_file_options){.pattern = "^[^\\x00-\\x7f]+$"}),
		"d/f:4:\xc3\x84\n");
	assert_string_equal(grep(&(struct guest_file_options){
				    .pattern = "x\xc3\x84Y", .flags = GUEST_FILE_ICASE}),
		"d/f:1:x\xc3\xa4y\n");
}

/* A hole of terabytes is not read: the time of the request would be over. */
static void grep_ends_a_file_at_the_line_that_has_a_nul(void **state)
{
	(void)state;
	run("mkdir d; cd d; seq 1 2000 >a; echo 'x 7' >>a; printf 'x 7' >>a; truncate -s 4T a; "
	    "{ seq 1 2000; head -c 1500000 /dev/zero | tr '\\0' x; } >b; truncate -s 4T b; "
	    "echo 'x 7' >c");
	assert_string_equal(grep(&(struct guest_file_options){.pattern = "^x 7|^2000$"}),
		"d/a:2000:2000\nd/a:2001:x 7\nd/b:2000:2000\nd/c:1:x 7\n");
}

/* A writer who waits for a reader goes on at the first one: the bytes would be lost. */
static void a_search_opens_no_fifo(void **state)
{
	static const char *const fifos[] = {"d/fifo", "d/.gitignore"};
	auto_close int events = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	struct inotify_event event;

	(void)state;
	run("mkdir d; mkfifo d/fifo d/.gitignore; echo needle >d/z");
	for (size_t i = 0; i < ARRAY_SIZE(fifos); i++) {
		char path[128];

		snprintf(path, sizeof(path), "%s/%s", child.root, fifos[i]);
		assert_true(inotify_add_watch(events, path, IN_OPEN) >= 0);
	}
	assert_string_equal(
		grep(&(struct guest_file_options){.pattern = "needle"}), "d/z:1:needle\n");
	assert_string_equal(glob("d", "z", 0), "d/z");
	assert_int_equal(read(events, &event, sizeof(event)), -1);
	assert_int_equal(errno, EAGAIN);
}

static void grep_refuses_bad_patterns_and_missing_paths(void **state)
{
	static const char *const patterns[] = {"(", "[a", "(a)\\1", "a{2,1}", "*"};

	(void)state;
	run("mkdir d; mkfifo fifo");
	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
		ask(&(struct guest_file_options){
			.type = GUEST_GREP, .path = "d", .pattern = patterns[i], .include = ""});
		assert_failed(EINVAL);
		assert_memory_equal(call.reply.text, "pattern: ", 9);
	}
	ask(&(struct guest_file_options){
		.type = GUEST_GREP, .path = "none", .pattern = "a", .include = ""});
	assert_failed(ENOENT);
	ask(&(struct guest_file_options){
		.type = GUEST_GREP, .path = "fifo", .pattern = "a", .include = ""});
	assert_failed(EINVAL);
}

#define with_guest(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_guest(glob_comes_newest_first),
		with_guest(glob_keeps_the_newest_when_there_are_too_many),
		with_guest(glob_finds_no_directories_and_no_hidden_names_unless_asked),
		with_guest(glob_respects_gitignore_unless_told_not_to),
		with_guest(a_gitignore_above_counts_inside_a_repository),
		with_guest(a_repository_below_has_rules_of_its_own_only),
		with_guest(a_search_says_which_levels_it_did_not_enter),
		with_guest(a_search_says_how_many_names_it_did_not_look_at),
		with_guest(glob_refuses_patterns_that_lead_elsewhere),
		with_guest(grep_sends_the_lines_with_their_numbers),
		with_guest(grep_ignores_case_when_asked),
		with_guest(grep_lists_files_or_counts_lines),
		with_guest(grep_sends_lines_of_context_once),
		with_guest(grep_looks_at_the_included_names_only),
		with_guest(an_include_is_a_path_or_refused),
		with_guest(grep_stops_sending_at_length_and_counts_on),
		with_guest(grep_finds_what_stands_behind_a_line_longer_than_its_buffer),
		with_guest(grep_finds_a_carriage_return_that_its_pattern_names),
		with_guest(grep_takes_a_byte_that_is_no_utf8_for_one_character),
		with_guest(grep_ends_a_file_at_the_line_that_has_a_nul),
		with_guest(a_search_opens_no_fifo),
		with_guest(grep_refuses_bad_patterns_and_missing_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
