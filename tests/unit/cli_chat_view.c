/* chat_view.c: frames and messages, as they look. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "cli/chat_view.h"
#include "cli/start_model.h"

static char shown[4096];

/* Members of choices[0], a frame each; NULL ends them. */
static const char *view(bool has_colour, const char *const *choices)
{
	struct chat_view view;
	FILE *to = fmemopen(shown, sizeof(shown), "w");

	shown[0] = '\0';
	assert_non_null(to);
	chat_view_init(&view, to);
	view.has_colour = has_colour;
	for (; *choices; choices++) {
		json_t *choice = json_loads(*choices, JSON_DECODE_ANY, NULL);
		json_t *frame = json_pack("{s:[o]}", "choices", choice);

		assert_non_null(frame);
		chat_view_frame(&view, frame);
		json_decref(frame);
	}
	chat_view_end_line(&view);
	assert_int_equal(fclose(to), 0);
	return shown;
}

#define VIEW(...)	 view(false, (const char *const[]){__VA_ARGS__, NULL})
#define VIEW_COLOUR(...) view(true, (const char *const[]){__VA_ARGS__, NULL})
#define CALL(text)	 "{\"tool_call\": " text "}"

static void text_is_put_together(void **state)
{
	(void)state;
	assert_string_equal(VIEW("{\"delta\": {\"content\": \"Hel\"}}",
				    "{\"delta\": {\"content\": \"lo\"}}", "{\"delta\": {}}"),
		"Hello\n");
	assert_string_equal(VIEW("{\"delta\": {\"content\": \"line\\n\"}}"), "line\n");
}

static void thinking_stands_in_lines_of_its_own(void **state)
{
	(void)state;
	assert_string_equal(VIEW_COLOUR("{\"thinking\": \"hm\"}", "{\"thinking\": \"m\"}",
				    "{\"delta\": {\"content\": \"yes\"}}"),
		"\033[2mhmm\033[0m\nyes\n");
	assert_string_equal(
		VIEW("{\"thinking\": \"hm\"}", "{\"delta\": {\"content\": \"yes\"}}"), "hm\nyes\n");
}

static void a_call_begins_a_line(void **state)
{
	(void)state;
	assert_string_equal(VIEW("{\"delta\": {\"content\": \"I look\"}}",
				    CALL("{\"id\": \"1\", \"name\": \"ls\", \"state\": "
					 "\"preparing\"}"),
				    CALL("{\"id\": \"1\", \"name\": \"ls\", \"state\": \"calling\","
					 "\"arguments\": {\"path\": \"src\"}}")),
		"I look\n> ls src\n");
}

static void the_telling_argument_is_shown(void **state)
{
	static const char *const calls[][2] = {
		{"{\"path\": \"a\", \"pattern\": \"x.*\"}", "> t x.*\n"},
		{"{\"method\": \"GET\", \"url\": \"https://x.org\"}", "> t https://x.org\n"},
		{"{\"timeout\": 1, \"command\": \"make\\n  all\"}", "> t make all\n"},
		{"{\"other\": [1, 2]}", "> t {\"other\":[1,2]}\n"},
		{"{}", "> t \n"},
		{"\"not JSON\"", "> t not JSON\n"},
		{"7", "> t \n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		char text[256];

		snprintf(text, sizeof(text),
			CALL("{\"name\": \"t\", \"state\": \"calling\", \"arguments\": %s}"),
			calls[i][0]);
		assert_string_equal(VIEW(text), calls[i][1]);
	}
}

static void an_end_tells_how_long_it_took(void **state)
{
	(void)state;
	assert_string_equal(
		VIEW(CALL("{\"state\": \"completed\", \"receipt\": {\"wall_ms\": 61250}}")),
		"  ok 61.2 s\n");
	assert_string_equal(VIEW(CALL("{\"state\": \"completed\", \"receipt\": {\"wall_ms\": 2}}")),
		"  ok 0.002 s\n");
	assert_string_equal(VIEW(CALL("{\"id\": \"1\", \"state\": \"completed\"}")), "  ok\n");
	assert_non_null(
		strstr(VIEW(CALL("{\"id\": \"1\", \"name\": \"t\", \"state\": \"calling\"}"),
			       CALL("{\"id\": \"1\", \"state\": \"completed\"}")),
			"\n  ok 0.0"));
}

static void an_error_is_its_first_line(void **state)
{
	(void)state;
	assert_string_equal(
		VIEW(CALL("{\"state\": \"error\", \"result\": \"Error: no such file\\nmore\"}")),
		"  error: no such file\n");
	assert_string_equal(
		VIEW(CALL("{\"state\": \"error\", \"result\": \"odd\"}")), "  error: odd\n");
	assert_string_equal(VIEW(CALL("{\"state\": \"error\"}")), "  error: \n");
}

static void many_calls_are_no_harm(void **state)
{
	struct chat_view view;
	FILE *to = fopen("/dev/null", "w");

	(void)state;
	assert_non_null(to);
	chat_view_init(&view, to);
	for (int i = 0; i < 3 * CHAT_VIEW_CALLS_MAX; i++) {
		json_t *frame = json_pack("{s:[{s:{s:s, s:s, s:s}}]}", "choices", "tool_call", "id",
			i % 2 ? "short"
			      : "an id that is longer than sixty-four bytes, which nobody needs",
			"name", "t", "state", "calling");

		chat_view_frame(&view, frame);
		json_decref(frame);
	}
	assert_int_equal(view.calls, 3 * CHAT_VIEW_CALLS_MAX);
	fclose(to);
}

/* What is of another type than it should be is left out. */
static void odd_frames_show_nothing(void **state)
{
	(void)state;
	assert_string_equal(VIEW("{\"delta\": 1}", "{\"delta\": {\"content\": 7}}", "[]", "3",
				    "{\"thinking\": {}}", CALL("[]"), CALL("{\"state\": 1}"),
				    CALL("{\"state\": \"other\"}")),
		"");
}

static void variables_are_those_of_the_provider(void **state)
{
	static const char *const names[][2] = {
		{"xai/grok-4-fast", "XAI_API_KEY"},
		{"my-models/a/b", "MY_MODELS_API_KEY"},
		{"", "_API_KEY"},
		{"a-name-that-is-longer-than-any-provider-may-be/x",
			"A_NAME_THAT_IS_LONGER_THAN_ANY_P_API_KEY"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char variable[START_MODEL_VARIABLE_MAX];

		start_model_variable(names[i][0], variable);
		assert_string_equal(variable, names[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_put_together),
		cmocka_unit_test(thinking_stands_in_lines_of_its_own),
		cmocka_unit_test(a_call_begins_a_line),
		cmocka_unit_test(the_telling_argument_is_shown),
		cmocka_unit_test(an_end_tells_how_long_it_took),
		cmocka_unit_test(an_error_is_its_first_line),
		cmocka_unit_test(many_calls_are_no_harm),
		cmocka_unit_test(odd_frames_show_nothing),
		cmocka_unit_test(variables_are_those_of_the_provider),
	};

	return cmocka_run_group_tests_name("cli_chat_view", tests, NULL, NULL);
}
