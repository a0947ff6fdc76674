/* sse.h: which events come of which bytes, however these are cut. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agentd/upstream/sse.h"

#define SEEN_MAX 256

/* Events as a text, each in brackets. */
struct seen {
	char text[SEEN_MAX];
	int stop_with; /* what the reader answers */
};

static int on_event(void *arg, const char *data, size_t size)
{
	struct seen *seen = arg;
	size_t used = strlen(seen->text);

	assert_int_equal(data[size], '\0');
	assert_int_equal(strlen(data), size);
	snprintf(seen->text + used, sizeof(seen->text) - used, "[%s]", data);
	return seen->stop_with;
}

/* What comes of bytes cut at `first` and after each `step` bytes from there. */
static void read_cut(const char *bytes, size_t first, size_t step, struct seen *seen)
{
	size_t size = strlen(bytes);
	struct sse sse;

	*seen = (struct seen){0};
	assert_int_equal(sse_init(&sse, on_event, seen), 0);
	assert_int_equal(sse_feed(&sse, bytes, first), 0);
	for (size_t at = first; at < size; at += step)
		assert_int_equal(
			sse_feed(&sse, bytes + at, size - at < step ? size - at : step), 0);
	assert_int_equal(sse_end(&sse), 0);
	sse_finish(&sse);
}

static void gives(const char *bytes, const char *events)
{
	size_t size = strlen(bytes);
	struct seen seen;

	for (size_t first = 0; first <= size; first++) {
		read_cut(bytes, first, size, &seen);
		assert_string_equal(seen.text, events);
	}
	read_cut(bytes, 0, 1, &seen);
	assert_string_equal(seen.text, events);
}

static void lines_end_in_lf_cr_lf_or_cr(void **state)
{
	(void)state;
	gives("data: a\n\ndata: b\n\n", "[a][b]");
	gives("data: a\r\n\r\ndata: b\r\n\r\n", "[a][b]");
	gives("data: a\r\rdata: b\r\r", "[a][b]");
	gives("data: a\r\n\rdata: b\n\r\n", "[a][b]");
	gives("\n\r\n\r\r\ndata: a\n\n\n\n", "[a]");
}

static void data_lines_are_joined(void **state)
{
	(void)state;
	gives("data: a\ndata: b\ndata:\ndata\ndata: c\n\n", "[a\nb\n\n\nc]");
	gives("data\n\ndata:\n\n", "[][]");
	gives("data:a\ndata:  b\ndata: :c\n\n", "[a\n b\n:c]");
}

static void other_fields_and_comments_are_skipped(void **state)
{
	(void)state;
	gives(": data: x\nevent: x\nid: 1\nretry: 5\nfoo\ndata: a\nevent: y\n\n", "[a]");
	gives("datax: b\ndat: c\nDATA: d\n data: e\n\n", "");
	gives("event: x\n\ndata: a\n\n", "[a]");
}

static void a_byte_order_mark_is_skipped_at_the_beginning_only(void **state)
{
	(void)state;
	gives("\xef\xbb\xbf"
	      "data: a\n\n",
		"[a]");
	gives("\xef\xbb\xbf\xef\xbb\xbf"
	      "data: a\n\ndata: b\n\n",
		"[b]");
	gives("\xef\xbb"
	      "data: a\n\ndata: b\n\n",
		"[b]");
	gives("data: a\n\n\xef\xbb\xbf"
	      "data: b\n\n",
		"[a]");
}

static void at_the_end_a_whole_line_counts_and_a_cut_one_does_not(void **state)
{
	(void)state;
	gives("data: a\n", "[a]");
	gives("data: a\r", "[a]");
	gives("data: a\ndata: b", "[a]");
	gives("data: a", "");
	gives("data: a\n\ndata: b", "[a]");
	gives("", "");
}

static void a_reader_that_has_enough_ends_it(void **state)
{
	struct seen seen = {.stop_with = -EPROTO};
	struct sse sse;

	(void)state;
	assert_int_equal(sse_init(&sse, on_event, &seen), 0);
	assert_int_equal(sse_feed(&sse, "data: a\n\ndata: b\n\n", 18), -EPROTO);
	assert_string_equal(seen.text, "[a]");
	sse_finish(&sse);
}

/* Feed this again and again: how many bytes are taken before it is too much? */
static size_t taken_of(const char *line, size_t size)
{
	struct seen seen = {0};
	struct sse sse;
	size_t taken = 0;
	int r;

	assert_int_equal(sse_init(&sse, on_event, &seen), 0);
	while ((r = sse_feed(&sse, line, size)) == 0)
		taken += size;
	assert_int_equal(r, -EFBIG);
	sse_finish(&sse);
	return taken;
}

static void a_line_and_an_event_without_end_are_refused(void **state)
{
	const size_t size = 1 << 20;
	char *line = malloc(size);

	(void)state;
	assert_non_null(line);
	memset(line, 'x', size);
	assert_int_equal(taken_of(line, size), SSE_EVENT_MAX);
	memcpy(line, "data:", 5);
	line[size - 1] = '\n';
	assert_in_range(taken_of(line, size), SSE_EVENT_MAX, SSE_EVENT_MAX + size);
	free(line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_end_in_lf_cr_lf_or_cr),
		cmocka_unit_test(data_lines_are_joined),
		cmocka_unit_test(other_fields_and_comments_are_skipped),
		cmocka_unit_test(a_byte_order_mark_is_skipped_at_the_beginning_only),
		cmocka_unit_test(at_the_end_a_whole_line_counts_and_a_cut_one_does_not),
		cmocka_unit_test(a_reader_that_has_enough_ends_it),
		cmocka_unit_test(a_line_and_an_event_without_end_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
