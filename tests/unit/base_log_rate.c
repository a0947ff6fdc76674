/* What one sandbox may cause in the log: so many lines a second, and none is lost without a count. */
#define _GNU_SOURCE 1 /* pipe2 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/log_rate.h"

/* How many of n lines at that time may pass; what was suppressed before is in *ret_suppressed. */
static unsigned admitted(struct log_rate *rate, uint64_t source, uint64_t now_ms, unsigned n,
	uint32_t *ret_suppressed)
{
	unsigned passed = 0;
	uint32_t suppressed = 0;

	*ret_suppressed = 0;
	for (unsigned i = 0; i < n; i++)
		if (log_rate_admits(rate, source, now_ms, &suppressed)) {
			*ret_suppressed += suppressed;
			passed++;
		}
	return passed;
}

static void a_source_has_its_lines_in_each_second(void **state)
{
	struct log_rate *rate = test_calloc(1, sizeof(*rate));
	uint32_t suppressed;

	(void)state;
	assert_int_equal(admitted(rate, 7, 5000, LOG_RATE_LINES, &suppressed), LOG_RATE_LINES);
	assert_int_equal(admitted(rate, 7, 5999, 100, &suppressed), 0);
	assert_int_equal(admitted(rate, 7, 6000, 100, &suppressed), LOG_RATE_LINES);
	assert_int_equal(suppressed, 100);
	test_free(rate);
}

static void what_was_suppressed_is_told_once(void **state)
{
	struct log_rate *rate = test_calloc(1, sizeof(*rate));
	uint32_t suppressed;

	(void)state;
	admitted(rate, 7, 1000, LOG_RATE_LINES + 3, &suppressed);
	assert_int_equal(suppressed, 0);
	assert_true(log_rate_admits(rate, 7, 99000, &suppressed));
	assert_int_equal(suppressed, 3);
	assert_true(log_rate_admits(rate, 7, 99000, &suppressed));
	assert_int_equal(suppressed, 0);
	test_free(rate);
}

static void a_loud_source_takes_nothing_from_another(void **state)
{
	struct log_rate *rate = test_calloc(1, sizeof(*rate));
	uint32_t suppressed;

	(void)state;
	admitted(rate, 7, 1000, 100000, &suppressed);
	for (uint64_t other = 8; other < 7 + LOG_RATE_SOURCES; other++) {
		assert_true(log_rate_admits(rate, other, 1000, &suppressed));
		assert_int_equal(suppressed, 0);
	}
	test_free(rate);
}

static void all_sources_together_are_bounded(void **state)
{
	struct log_rate *rate = test_calloc(1, sizeof(*rate));
	unsigned passed = 0;
	uint32_t suppressed;

	(void)state;
	for (uint64_t source = 1; source <= 100u * LOG_RATE_SOURCES; source++)
		passed += log_rate_admits(rate, source, 1000, &suppressed);
	assert_int_equal(passed, LOG_RATE_LINES * LOG_RATE_SOURCES);
	test_free(rate);
}

static void log_event_from_drops_and_tells(void **state)
{
	int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
	static char text[65536];
	ssize_t n = 0;
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	dup2(fds[1], STDERR_FILENO);
	log_open("test");
	errno = 4711;
	for (int i = 0; i < 100000; i++)
		log_event_from(LOG_LEVEL_INFO, 7, "loud", NULL);
	assert_int_equal(errno, 4711);
	/* Read away what was written; the first line of a later second tells how many were not. */
	while (!strstr(text, "\"suppressed\":\"")) {
		n = read(fds[0], text, sizeof(text) - 1);
		text[n > 0 ? n : 0] = '\0';
		log_event_from(LOG_LEVEL_INFO, 7, "loud", NULL);
		poll(NULL, 0, 10);
	}
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(fds[0]);
	close(fds[1]);
	assert_non_null(strstr(text, "\"event\":\"loud\",\"suppressed\":\""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_source_has_its_lines_in_each_second),
		cmocka_unit_test(what_was_suppressed_is_told_once),
		cmocka_unit_test(a_loud_source_takes_nothing_from_another),
		cmocka_unit_test(all_sources_together_are_bounded),
		cmocka_unit_test(log_event_from_drops_and_tells),
	};

	return cmocka_run_group_tests_name("base_log_rate", tests, NULL, NULL);
}
