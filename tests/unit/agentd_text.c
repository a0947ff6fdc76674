/* utf8.h and headtail.h: bytes of a sandbox on their way into a text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/buffer.h>

#include "agentd/tool/headtail.h"
#include "agentd/utf8.h"
#include "base/text.h"

static void a_whole_text_is_whole(void **state)
{
	static const char *const texts[] = {"", "a", "abc", "\xc3\xa4", "\xe2\x82\xac",
		"\xf0\x9f\x98\x80", "a\xf0\x9f\x98\x80", "\xe2\x82\xac\xe2\x82\xac"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(utf8_whole_length(texts[i], strlen(texts[i])), strlen(texts[i]));
}

static void the_beginning_of_a_character_waits_for_its_rest(void **state)
{
	static const char *const characters[] = {"\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
	char text[16];

	(void)state;
	for (size_t i = 0; i < 3; i++)
		for (size_t n = 1; n < strlen(characters[i]); n++) {
			snprintf(text, sizeof(text), "xy%.*s", (int)n, characters[i]);
			assert_int_equal(utf8_whole_length(text, 2 + n), 2);
			assert_int_equal(utf8_whole_length(characters[i], n), 0);
		}
}

static void bytes_that_no_rest_can_save_do_not_wait(void **state)
{
	static const char *const texts[] = {
		"\xff", "\x80\x80\x80\x80", "\xc0", "\xc1", "\xf5", "a\x80", "\xe2\x82\xac\x80"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(utf8_whole_length(texts[i], strlen(texts[i])), strlen(texts[i]));
}

static void becomes(const char *data, size_t length, const char *text)
{
	json_auto_t *value = utf8_to_json(data, length);

	assert_non_null(value);
	assert_string_equal(json_string_value(value), text);
}

static void what_is_no_text_becomes_replacement_characters(void **state)
{
	(void)state;
	becomes("", 0, "");
	becomes("ab\xc3\xa4", 4, "ab\xc3\xa4");
	becomes("a\xff\xfe"
		"b",
		4,
		"a\xef\xbf\xbd\xef\xbf\xbd"
		"b");
	becomes("\xe2\x82", 2, "\xef\xbf\xbd\xef\xbf\xbd");
	becomes("\xed\xa0\x80", 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"); /* a surrogate */
}

static void a_nul_becomes_a_replacement_character(void **state)
{
	(void)state;
	becomes("a\0b\0", 4,
		"a\xef\xbf\xbd"
		"b\xef\xbf\xbd");
	becomes("\0", 1, "\xef\xbf\xbd");
}

/* Any bytes make valid JSON: all pairs, and pseudo-random ones. */
static void any_bytes_make_valid_json(void **state)
{
	unsigned seed = 1;
	char bytes[64];

	(void)state;
	for (int round = 0; round < 20000; round++) {
		json_t *value;
		size_t length = 1 + (size_t)(seed % sizeof(bytes));

		for (size_t i = 0; i < length; i++) {
			seed = seed * 1103515245u + 12345u;
			bytes[i] = (char)(seed >> 16);
		}
		value = utf8_to_json(bytes, length);
		assert_non_null(value);
		assert_true(text_is_utf8(json_string_value(value), json_string_length(value)));
		json_decref(value);
	}
}

/* What is said of `count` bytes a, b, .. z, a, .. added in pieces, within a budget. */
static char *say(size_t count, size_t piece, size_t budget)
{
	struct headtail kept = {.total = 0};
	struct evbuffer *to = evbuffer_new();
	char *text;
	size_t length;

	for (size_t done = 0; done < count;) {
		char bytes[4096];
		size_t n = count - done < piece ? count - done : piece;

		for (size_t i = 0; i < n; i++)
			bytes[i] = (char)('a' + (done + i) % 26);
		assert_int_equal(headtail_add(&kept, bytes, n), 0);
		done += n;
	}
	assert_int_equal(kept.total, count);
	assert_int_equal(headtail_format(&kept, budget, to), 0);
	length = evbuffer_get_length(to);
	text = calloc(1, length + 1);
	assert_non_null(text);
	evbuffer_remove(to, text, length);
	evbuffer_free(to);
	headtail_finish(&kept);
	return text;
}

static void short_output_is_kept_whole(void **state)
{
	(void)state;
	for (size_t count = 0; count <= HEADTAIL_KEPT; count += count < 10 ? 1 : 4999) {
		char *text = say(count, 1000, HEADTAIL_KEPT);

		assert_int_equal(strlen(text), count);
		for (size_t i = 0; i < count; i++)
			assert_int_equal(text[i], 'a' + (int)(i % 26));
		free(text);
	}
}

static void long_output_keeps_head_and_tail_and_says_how_much_was_cut(void **state)
{
	static const size_t budgets[] = {HEADTAIL_KEPT, 10000, 100, 2};

	(void)state;
	for (size_t b = 0; b < sizeof(budgets) / sizeof(budgets[0]); b++)
		for (size_t count = HEADTAIL_KEPT + 1; count < 200000; count = count * 3 / 2) {
			char *text = say(count, 4096, budgets[b]);
			unsigned long long cut;
			const char *mark = strstr(text, "\n[... ");

			assert_non_null(mark);
			assert_int_equal(mark - text, budgets[b] / 2);
			assert_int_equal(sscanf(mark, "\n[... %llu bytes cut ...]\n", &cut), 1);
			assert_int_equal(cut, count - budgets[b]);
			assert_int_equal(text[strlen(text) - 1], 'a' + (int)((count - 1) % 26));
			free(text);
		}
}

static void a_cut_below_what_was_kept_has_a_tail_too(void **state)
{
	char *text = say(1000, 10, 100);

	(void)state;
	assert_int_equal(strncmp(text, "abcdefghijklmnopqrstuvwxyz", 26), 0);
	assert_non_null(strstr(text, "\n[... 900 bytes cut ...]\n"));
	assert_int_equal(text[strlen(text) - 1], 'a' + 999 % 26);
	free(text);
}

static void a_cut_does_not_split_characters(void **state)
{
	struct headtail kept = {.total = 0};
	struct evbuffer *to = evbuffer_new();

	(void)state;
	for (int i = 0; i < 20000; i++)
		assert_int_equal(headtail_add(&kept, "\xe2\x82\xac", 3), 0);
	for (size_t budget = 100; budget < 110; budget++) {
		size_t length;
		const char *text;

		assert_int_equal(headtail_format(&kept, budget, to), 0);
		length = evbuffer_get_length(to);
		text = (const char *)evbuffer_pullup(to, -1);
		assert_true(text_is_utf8(text, length));
		evbuffer_drain(to, length);
	}
	evbuffer_free(to);
	headtail_finish(&kept);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_text_is_whole),
		cmocka_unit_test(the_beginning_of_a_character_waits_for_its_rest),
		cmocka_unit_test(bytes_that_no_rest_can_save_do_not_wait),
		cmocka_unit_test(what_is_no_text_becomes_replacement_characters),
		cmocka_unit_test(a_nul_becomes_a_replacement_character),
		cmocka_unit_test(any_bytes_make_valid_json),
		cmocka_unit_test(short_output_is_kept_whole),
		cmocka_unit_test(long_output_keeps_head_and_tail_and_says_how_much_was_cut),
		cmocka_unit_test(a_cut_below_what_was_kept_has_a_tail_too),
		cmocka_unit_test(a_cut_does_not_split_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
