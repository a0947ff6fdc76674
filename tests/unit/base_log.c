/* log.h: what a line looks like, what cannot be smuggled into it, what happens when nobody reads. */
#define _GNU_SOURCE 1 /* posix_openpt, pipe2, F_SETPIPE_SZ */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

struct fixture {
	int read_fd, write_fd; /* what stands in for stderr while a line is written */
	int saved_stderr;
	char text[2 * LOG_LINE_MAX];
};

static void redirect(struct fixture *f)
{
	f->saved_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
	assert_true(f->saved_stderr >= 0);
	dup2(f->write_fd, STDERR_FILENO);
}

static void restore(struct fixture *f)
{
	dup2(f->saved_stderr, STDERR_FILENO);
	close(f->saved_stderr);
}

static void open_log(struct fixture *f)
{
	redirect(f);
	log_open("test");
	restore(f);
	log_set_level(LOG_LEVEL_INFO);
}

static int set_up_pipe(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int fds[2];

	if (!f || pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	f->read_fd = fds[0];
	f->write_fd = fds[1];
	open_log(f);
	*state = f;
	return 0;
}

static int set_up_terminal(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	f->read_fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (f->read_fd < 0 || grantpt(f->read_fd) < 0 || unlockpt(f->read_fd) < 0)
		return -1;
	f->write_fd = open(ptsname(f->read_fd), O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (f->write_fd < 0)
		return -1;
	open_log(f);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	close(f->read_fd);
	close(f->write_fd);
	free(f);
	return 0;
}

/* What has been written since the last time. A terminal may hand a long line out in pieces. */
static const char *written(struct fixture *f)
{
	struct pollfd more = {.fd = f->read_fd, .events = POLLIN};
	size_t used = 0;
	ssize_t n;

	do {
		n = read(f->read_fd, f->text + used, sizeof(f->text) - 1 - used);
		used += n > 0 ? (size_t)n : 0;
	} while (used > 0 && f->text[used - 1] != '\n' && poll(&more, 1, 5000) == 1);
	f->text[used] = '\0';
	return f->text;
}

static const char *logged(struct fixture *f, const char *value)
{
	redirect(f);
	log_event(LOG_LEVEL_INFO, "seen", "value", value, NULL);
	restore(f);
	return written(f);
}

/* The line as JSON; it is exactly one line. */
static json_t *parse(const char *line)
{
	json_t *object;

	assert_true(strlen(line) > 0);
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(object);
	return object;
}

static void value_reads_back(struct fixture *f, const char *value, const char *expected)
{
	json_t *object = parse(logged(f, value));

	assert_string_equal(json_string_value(json_object_get(object, "value")), expected);
	assert_int_equal(json_object_size(object), 5);
	json_decref(object);
}

static void piped_event_is_one_line_of_json(void **state)
{
	json_t *object = parse(logged(*state, "7"));

	assert_string_equal(json_string_value(json_object_get(object, "level")), "info");
	assert_string_equal(json_string_value(json_object_get(object, "program")), "test");
	assert_string_equal(json_string_value(json_object_get(object, "event")), "seen");
	assert_string_equal(json_string_value(json_object_get(object, "value")), "7");
	json_decref(object);
}

static void time_is_utc_with_milliseconds(void **state)
{
	json_t *object = parse(logged(*state, "7"));
	const char *time = json_string_value(json_object_get(object, "time"));

	assert_non_null(time);
	assert_int_equal(strlen(time), strlen("2026-01-31T12:00:00.123Z"));
	assert_int_equal(time[10], 'T');
	assert_int_equal(time[19], '.');
	assert_int_equal(time[23], 'Z');
	json_decref(object);
}

static void message_is_formatted(void **state)
{
	struct fixture *f = *state;
	json_t *object;

	redirect(f);
	log_warning("%d of %s", 3, "four");
	restore(f);
	object = parse(written(f));
	assert_string_equal(json_string_value(json_object_get(object, "message")), "3 of four");
	assert_string_equal(json_string_value(json_object_get(object, "level")), "warning");
	json_decref(object);
}

static void less_important_than_the_level_is_not_written(void **state)
{
	struct fixture *f = *state;

	redirect(f);
	log_debug("quiet");
	log_event(LOG_LEVEL_DEBUG, "quiet", NULL);
	restore(f);
	assert_string_equal(written(f), "");
	log_set_level(LOG_LEVEL_DEBUG);
	redirect(f);
	log_debug("loud");
	restore(f);
	assert_non_null(strstr(written(f), "loud"));
	log_set_level(LOG_LEVEL_ERROR);
	redirect(f);
	log_warning("quiet");
	restore(f);
	assert_string_equal(written(f), "");
}

static void errno_survives_and_can_be_written(void **state)
{
	struct fixture *f = *state;

	redirect(f);
	errno = ENOSPC;
	log_error("write: %m");
	assert_int_equal(errno, ENOSPC);
	log_event(LOG_LEVEL_INFO, "seen", NULL);
	assert_int_equal(errno, ENOSPC);
	restore(f);
	assert_non_null(strstr(written(f), "write: No space left on device"));
}

static void null_value_is_written_as_empty(void **state)
{
	value_reads_back(*state, NULL, "");
}

static void newline_in_a_value_makes_no_second_line(void **state)
{
	const char *forged = "x\n{\"time\":\"\",\"level\":\"error\"}";

	value_reads_back(*state, forged, forged);
}

static void quotes_and_backslashes_read_back(void **state)
{
	value_reads_back(*state, "a\"b\\c\\\"", "a\"b\\c\\\"");
}

static void control_characters_are_escaped_and_read_back(void **state)
{
	struct fixture *f = *state;

	value_reads_back(f, "\x1b[2J\r\t\x7f", "\x1b[2J\r\t\x7f");
	for (const char *p = f->text; p[1] != '\0'; p++)
		assert_true(*p >= ' ' && *p != 0x7f);
}

static void c1_controls_and_unicode_line_ends_are_escaped(void **state)
{
	struct fixture *f = *state;

	value_reads_back(f,
		"\xc2\x9b"
		"2J\xe2\x80\xa8\xe2\x80\xa9",
		"\xc2\x9b"
		"2J\xe2\x80\xa8\xe2\x80\xa9");
	assert_non_null(strstr(f->text, "\\u009b2J\\u2028\\u2029"));
}

static void ordinary_unicode_stays_as_it_is(void **state)
{
	struct fixture *f = *state;

	value_reads_back(f, "Grüße 🔥", "Grüße 🔥");
	assert_non_null(strstr(f->text, "Grüße 🔥"));
}

static void invalid_utf8_becomes_the_replacement_character(void **state)
{
	value_reads_back(*state, "a\xff\xc3z\xed\xa0\x80",
		"a\xef\xbf\xbd\xef\xbf\xbdz\xef\xbf\xbd"
		"\xef\xbf\xbd\xef\xbf\xbd");
}

static void long_value_is_cut_and_the_line_says_so(void **state)
{
	struct fixture *f = *state;
	char value[2 * LOG_LINE_MAX];
	json_t *object;

	memset(value, '\n', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	object = parse(logged(f, value));
	assert_in_range(strlen(f->text), LOG_LINE_MAX - 64, LOG_LINE_MAX);
	assert_string_equal(json_string_value(json_object_get(object, "cut")), "true");
	assert_non_null(json_object_get(object, "value"));
	json_decref(object);
}

static void line_stays_whole_wherever_it_is_cut(void **state)
{
	struct fixture *f = *state;
	char value[LOG_LINE_MAX];

	for (size_t length = LOG_LINE_MAX - 250; length < LOG_LINE_MAX - 50; length++) {
		memset(value, 'x', length);
		value[length] = '\0';
		redirect(f);
		log_event(LOG_LEVEL_INFO, "seen", "value", value, "second", "\n\n\n", NULL);
		restore(f);
		json_decref(parse(written(f)));
		assert_true(strlen(f->text) <= LOG_LINE_MAX);
	}
}

static void full_pipe_drops_lines_and_the_next_one_counts_them(void **state)
{
	struct fixture *f = *state;
	char fill[4096] = {0}, *drain = malloc(1 << 20);
	json_t *object;

	assert_non_null(drain);
	while (write(f->write_fd, fill, sizeof(fill)) > 0)
		;
	/* A blocking stderr, as it usually is: this must return all the same. */
	assert_int_equal(fcntl(f->write_fd, F_SETFL, 0), 0);
	redirect(f);
	log_info("one");
	log_info("two");
	restore(f);
	assert_true(read(f->read_fd, drain, 1 << 20) > 0);
	free(drain);
	object = parse(logged(f, "three"));
	assert_string_equal(json_string_value(json_object_get(object, "dropped")), "2");
	json_decref(object);
	value_reads_back(f, "four", "four");
}

static void pipe_without_a_reader_raises_no_signal(void **state)
{
	struct fixture *f = *state;

	assert_ptr_equal(signal(SIGPIPE, SIG_DFL), SIG_DFL);
	close(f->read_fd);
	logged(f, "x");
	f->read_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	close(f->write_fd);
	f->write_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	logged(f, "x"); /* sets the count of dropped lines back for the tests that follow */
}

static void terminal_gets_logfmt(void **state)
{
	const char *line = logged(*state, "7");

	assert_memory_equal(line, "time=20", 7);
	assert_non_null(strstr(line, "Z level=info program=test event=seen value=7\r\n"));
}

static void logfmt_quotes_what_is_not_one_word(void **state)
{
	struct fixture *f = *state;

	assert_non_null(strstr(logged(f, "two words"), " value=\"two words\"\r\n"));
	assert_non_null(strstr(logged(f, ""), " value=\"\"\r\n"));
	assert_non_null(strstr(logged(f, "a=b"), " value=\"a=b\"\r\n"));
	assert_non_null(strstr(logged(f, "a\"b\\"), " value=\"a\\\"b\\\\\"\r\n"));
}

static void logfmt_escapes_controls_and_invalid_bytes(void **state)
{
	struct fixture *f = *state;

	assert_non_null(strstr(logged(f, "a\nlevel=error"), " value=\"a\\u000alevel=error\"\r\n"));
	assert_non_null(strstr(logged(f, "\x1b[2J"), " value=\"\\u001b[2J\"\r\n"));
	assert_non_null(strstr(logged(f, "\xff"), " value=\"\\xff\"\r\n"));
}

static void logfmt_cuts_a_long_word(void **state)
{
	struct fixture *f = *state;
	char value[LOG_LINE_MAX];

	memset(value, 'x', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	assert_non_null(strstr(logged(f, value), "xxx\" cut=true\r\n"));
}

#define PIPED(name)    cmocka_unit_test_setup_teardown(name, set_up_pipe, tear_down)
#define TERMINAL(name) cmocka_unit_test_setup_teardown(name, set_up_terminal, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PIPED(piped_event_is_one_line_of_json),
		PIPED(time_is_utc_with_milliseconds),
		PIPED(message_is_formatted),
		PIPED(less_important_than_the_level_is_not_written),
		PIPED(errno_survives_and_can_be_written),
		PIPED(null_value_is_written_as_empty),
		PIPED(newline_in_a_value_makes_no_second_line),
		PIPED(quotes_and_backslashes_read_back),
		PIPED(control_characters_are_escaped_and_read_back),
		PIPED(c1_controls_and_unicode_line_ends_are_escaped),
		PIPED(ordinary_unicode_stays_as_it_is),
		PIPED(invalid_utf8_becomes_the_replacement_character),
		PIPED(long_value_is_cut_and_the_line_says_so),
		PIPED(line_stays_whole_wherever_it_is_cut),
		PIPED(full_pipe_drops_lines_and_the_next_one_counts_them),
		PIPED(pipe_without_a_reader_raises_no_signal),
		TERMINAL(terminal_gets_logfmt),
		TERMINAL(logfmt_quotes_what_is_not_one_word),
		TERMINAL(logfmt_escapes_controls_and_invalid_bytes),
		TERMINAL(logfmt_cuts_a_long_word),
	};

	return cmocka_run_group_tests_name("base/log", tests, NULL, NULL);
}
