/* A conversation that has grown too long: what is left of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agentd/loop/compact.h"
#include "base/cleanup.h"

#define RESULT_BYTES 10000

static json_t *say(const char *role, const char *text)
{
	return json_pack("{s:s,s:s}", "role", role, "content", text);
}

/* The user's wish, then turns of one call and its result each. */
static json_t *make_conversation(unsigned turns)
{
	json_t *messages = json_array();
	char id[16], *result = malloc(RESULT_BYTES + 1);

	assert_non_null(result);
	memset(result, 'x', RESULT_BYTES);
	result[RESULT_BYTES] = '\0';
	json_array_append_new(messages, say("user", "build it"));
	for (unsigned i = 0; i < turns; i++) {
		snprintf(id, sizeof(id), "call-%u", i);
		json_array_append_new(
			messages, json_pack("{s:s,s:n,s:[{s:s,s:{s:s,s:s}}]}", "role", "assistant",
					  "content", "tool_calls", "id", id, "function", "name",
					  "bash", "arguments", "{}"));
		json_array_append_new(messages, json_pack("{s:s,s:s,s:s}", "role", "tool",
							"tool_call_id", id, "content", result));
	}
	free(result);
	return messages;
}

static const char *content_of(const json_t *messages, size_t at)
{
	return json_string_value(json_object_get(json_array_get(messages, at), "content"));
}

static bool has_role(const json_t *message, const char *role)
{
	return strcmp(json_string_value(json_object_get(message, "role")), role) == 0;
}

/* Each result follows the reply that asked for it. */
static void assert_no_call_is_split(const json_t *messages)
{
	const char *asked = "";

	for (size_t i = 0; i < json_array_size(messages); i++) {
		const json_t *message = json_array_get(messages, i);
		const json_t *calls = json_object_get(message, "tool_calls");

		if (calls)
			asked = json_string_value(json_object_get(json_array_get(calls, 0), "id"));
		if (has_role(message, "tool"))
			assert_string_equal(
				json_string_value(json_object_get(message, "tool_call_id")), asked);
	}
}

static void what_fits_stays_as_it_is(void **state)
{
	json_auto_t *messages = make_conversation(3);
	json_auto_t *kept = compact_messages(messages, 3 * RESULT_BYTES + 100);

	(void)state;
	assert_true(json_equal(kept, messages));
}

static void old_outputs_go_first_and_the_last_ones_stay(void **state)
{
	json_auto_t *messages = make_conversation(10);
	json_auto_t *kept = compact_messages(messages, 5 * RESULT_BYTES);

	(void)state;
	assert_int_equal(json_array_size(kept), json_array_size(messages));
	assert_string_equal(content_of(kept, 2), "[10000 bytes of this old output were left out]");
	assert_int_equal(strlen(content_of(kept, 20)), RESULT_BYTES);
	assert_int_equal(strlen(content_of(messages, 2)), RESULT_BYTES); /* the original is whole */
	assert_no_call_is_split(kept);
}

static void then_the_oldest_turns_go_whole_and_it_is_said(void **state)
{
	json_auto_t *messages = make_conversation(2000);
	json_auto_t *kept = compact_messages(messages, 5 * RESULT_BYTES);

	(void)state;
	assert_true(json_array_size(kept) < json_array_size(messages));
	assert_string_equal(content_of(kept, 0), "build it");
	assert_non_null(strstr(content_of(kept, 1), "earlier messages"));
	assert_no_call_is_split(kept);
}

static void what_cannot_be_made_to_fit_keeps_its_end(void **state)
{
	json_auto_t *messages = make_conversation(20);
	json_auto_t *kept = compact_messages(messages, 1);

	(void)state;
	assert_true(json_array_size(kept) >= COMPACT_KEPT);
	assert_no_call_is_split(kept);
}

static json_t *make_text(const char *piece, size_t times)
{
	size_t length = strlen(piece);
	char *text = malloc(length * times + 1);
	json_t *value;

	assert_non_null(text);
	for (size_t i = 0; i < times; i++)
		memcpy(text + i * length, piece, length);
	value = json_stringn(text, length * times);
	free(text);
	return value;
}

/* A wish, a call with long arguments and its long result. */
static json_t *make_long(size_t wish, size_t argument, size_t result)
{
	json_auto_t *arguments = json_pack(
		"{s:s,s:o}", "path", "a.txt", "content", make_text("\xc3\xa4", argument / 2));
	char *text = json_dumps(arguments, JSON_COMPACT);
	json_t *messages = json_pack("[{s:s,s:[{s:s,s:s},{s:s,s:o}]},"
				     "{s:s,s:n,s:[{s:s,s:{s:s,s:s}}]},{s:s,s:s,s:o}]",
		"role", "user", "content", "type", "image_url", "image_url", "data:", "type",
		"text", "text", make_text("\xf0\x9f\x98\x80", wish / 4), "role", "assistant",
		"content", "tool_calls", "id", "call-0", "function", "name", "write", "arguments",
		text, "role", "tool", "tool_call_id", "call-0", "content",
		make_text("\xe2\x82\xac", result / 3));

	free(text);
	assert_non_null(messages);
	return messages;
}

static void the_longest_results_lose_their_middle_though_they_are_new(void **state)
{
	json_auto_t *messages = make_long(6000, 6000, 300000);
	const char *text;
	size_t last = 300000;

	(void)state;
	for (size_t max = COMPACT_BYTES / 2; max >= COMPACT_BYTES_MIN; max /= 2) {
		json_auto_t *kept = compact_messages(messages, max);

		assert_int_equal(json_array_size(kept), 3);
		assert_true(compact_measure(kept) <= max);
		text = content_of(kept, 2);
		assert_non_null(strstr(text, "bytes were left out here, to make room]"));
		assert_memory_equal(text, "\xe2\x82\xac", 3);
		assert_string_equal(text + strlen(text) - 3, "\xe2\x82\xac");
		assert_true(strlen(text) < last);
		last = strlen(text);
		assert_true(json_equal(json_array_get(kept, 0), json_array_get(messages, 0)) ||
			    max < 2 * COMPACT_BYTES_MIN);
		assert_no_call_is_split(kept);
	}
	assert_int_equal(strlen(content_of(messages, 2)), 300000); /* the original is whole */
}

static void what_was_said_loses_its_middle_when_a_model_wants_it_shorter(void **state)
{
	json_auto_t *messages = make_long(900000, 900000, 3000);
	json_auto_t *guess = compact_messages(messages, COMPACT_BYTES);
	json_auto_t *kept = compact_messages(messages, COMPACT_BYTES / 2);
	json_auto_t *arguments = NULL;
	json_t *parts, *call;

	(void)state;
	assert_true(json_equal(json_array_get(guess, 0), json_array_get(messages, 0)));
	assert_true(json_equal(json_array_get(guess, 1), json_array_get(messages, 1)));
	assert_true(compact_measure(kept) <= COMPACT_BYTES / 2);
	parts = json_object_get(json_array_get(kept, 0), "content");
	assert_int_equal(json_array_size(parts), 2);
	assert_non_null(strstr(json_string_value(json_object_get(json_array_get(parts, 1), "text")),
		"were left out here"));
	call = json_array_get(json_object_get(json_array_get(kept, 1), "tool_calls"), 0);
	arguments = json_loads(
		json_string_value(json_object_get(json_object_get(call, "function"), "arguments")),
		0, NULL);
	assert_string_equal(json_string_value(json_object_get(arguments, "path")), "a.txt");
	assert_non_null(strstr(
		json_string_value(json_object_get(arguments, "content")), "were left out here"));
	assert_int_equal(
		json_string_length(json_object_get(json_array_get(kept, 2), "content")), 3000);
}

/* Of talk alone, so that there is no output to be shortened. */
static json_t *make_talk(unsigned turns, size_t bytes)
{
	json_t *messages = json_array();
	char *text = malloc(bytes + 1);

	assert_non_null(text);
	memset(text, 'x', bytes);
	text[bytes] = '\0';
	for (unsigned i = 0; i < turns; i++) {
		json_array_append_new(messages, say("user", text));
		json_array_append_new(messages, say("assistant", text));
	}
	free(text);
	return messages;
}

static void a_summary_is_wanted_only_where_shorter_outputs_do_not_do(void **state)
{
	json_auto_t *outputs = make_conversation(10);
	json_auto_t *talk = make_talk(10, 1000);
	json_auto_t *end = make_talk(COMPACT_KEPT / 2, 1000);

	(void)state;
	assert_int_equal(compact_count(outputs, 5 * RESULT_BYTES), 0);
	assert_int_equal(compact_count(talk, 20 * 1000), 0);
	assert_int_equal(compact_count(talk, 20 * 1000 - 1), 11); /* half of it, in whole turns */
	assert_int_equal(compact_count(talk, 100), 20 - COMPACT_KEPT);
	assert_int_equal(compact_count(end, 100), 0); /* the last ones stay */
}

static void a_summary_does_not_split_a_call_from_its_results(void **state)
{
	json_auto_t *messages = make_conversation(100);

	(void)state;
	for (size_t max = 1000; max < 20000; max += 100) {
		size_t count = compact_count(messages, max);

		/* A wish, then pairs of a call and its result. */
		assert_true(count == 0 || count % 2 == 1);
		assert_true(count + COMPACT_KEPT <= json_array_size(messages));
	}
}

static void the_question_holds_what_was_said_and_done(void **state)
{
	json_auto_t *messages = make_conversation(2);
	json_auto_t *parts = json_pack("{s:s,s:[{s:s,s:s}]}", "role", "user", "content", "type",
		"text", "text", "in parts");
	json_auto_t *question = NULL;
	const char *text;

	(void)state;
	json_array_set(messages, 0, parts);
	question = compact_question(messages, 3, 100000);
	assert_int_equal(json_array_size(question), 1);
	assert_true(has_role(json_array_get(question, 0), "user"));
	text = content_of(question, 0);
	assert_ptr_equal(strstr(text, "Sum up the conversation"), text);
	assert_non_null(
		strstr(text, "<user>\nin parts\n\n<assistant>\ncalls bash with {}\n\n<tool>\nxxx"));
	assert_true(strlen(text) > RESULT_BYTES && strlen(text) < 2 * RESULT_BYTES);
}

static void a_question_that_is_too_long_is_shortened_itself(void **state)
{
	json_auto_t *messages = make_talk(100, 1000);
	json_auto_t *question = compact_question(messages, 150, 20000);

	(void)state;
	assert_non_null(strstr(
		content_of(question, 0), "earlier messages of this conversation were left out"));
	assert_true(strlen(content_of(question, 0)) < 25000);
}

static void a_summary_is_the_users_message_and_says_what_it_is(void **state)
{
	json_auto_t *message = compact_summary("all of it");

	(void)state;
	assert_true(has_role(message, "user"));
	assert_string_equal(json_string_value(json_object_get(message, "content")),
		"[The earlier part of this conversation was summed up, to make room:]\n\nall of "
		"it");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_fits_stays_as_it_is),
		cmocka_unit_test(old_outputs_go_first_and_the_last_ones_stay),
		cmocka_unit_test(then_the_oldest_turns_go_whole_and_it_is_said),
		cmocka_unit_test(what_cannot_be_made_to_fit_keeps_its_end),
		cmocka_unit_test(the_longest_results_lose_their_middle_though_they_are_new),
		cmocka_unit_test(what_was_said_loses_its_middle_when_a_model_wants_it_shorter),
		cmocka_unit_test(a_summary_is_wanted_only_where_shorter_outputs_do_not_do),
		cmocka_unit_test(a_summary_does_not_split_a_call_from_its_results),
		cmocka_unit_test(the_question_holds_what_was_said_and_done),
		cmocka_unit_test(a_question_that_is_too_long_is_shortened_itself),
		cmocka_unit_test(a_summary_is_the_users_message_and_says_what_it_is),
	};

	return cmocka_run_group_tests_name("loop_compact", tests, NULL, NULL);
}
