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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_fits_stays_as_it_is),
		cmocka_unit_test(old_outputs_go_first_and_the_last_ones_stay),
		cmocka_unit_test(then_the_oldest_turns_go_whole_and_it_is_said),
		cmocka_unit_test(what_cannot_be_made_to_fit_keeps_its_end),
	};

	return cmocka_run_group_tests_name("loop_compact", tests, NULL, NULL);
}
