/* store.h: whatever text and JSON is given comes back byte by byte, or is refused with its name and leaves nothing. */
#include "tests/unit/store_world.h"

#include <stdio.h>
#include <stdlib.h>

#include "agentd/store/operation.h"

static const char *const naughty[] = {
	"",
	" ",
	"null",
	"NULL",
	"undefined",
	"0",
	"-1",
	"1e308",
	"NaN",
	"'",
	"''",
	"\"",
	"`",
	"\\",
	"\\0",
	"\\u0000",
	"%00%n%s%d",
	"'; DROP TABLE session; --",
	"\" OR \"\"=\"",
	"x' UNION SELECT hash FROM key --",
	"1; ATTACH 'x' AS y",
	":id ?1 @now $now",
	"{}",
	"[]",
	"{}\"a\":{}",
	"../../etc/passwd",
	"/proc/self/fd/3",
	"\t\r\n\v\f\a\b\x1b[31m\x7f",
	"a\nb\rc\r\nd",
	"<script>alert(1)</script>",
	"\xef\xbb\xbf"
	"BOM",
	"\xd8\xb9\xd8\xb1\xd8\xa8\xd9\x8a", /* right to left */
	"\xe2\x80\xae"
	"override"
	"\xe2\x80\xac",							/* and made so */
	"\xe2\x80\x8b\xe2\x80\x8d\xef\xbb\xbf",				/* nothing to see */
	"\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb\xf0\x9f\x8f\xbd", /* emoji of several */
	"\xf0\x9f\x87\xa9\xf0\x9f\x87\xaa",
	"Z\xcc\xb6\xcd\xa7\xcc\xbe\xcd\x8a\xcc\x95",
	"\xc3\xa9",  /* composed */
	"e\xcc\x81", /* and not: another text */
	"\xc4\xb0\xc4\xb1\xc3\x9f\xef\xac\x81",
	"\xef\xbf\xbf\xef\xbf\xbe\xef\xbf\xbd",
	"\xf4\x8f\xbf\xbf",
	"\xe7\xa4\xbe\xe6\x9c\x83\xe7\xa7\x91\xe5\xad\xb8\xe9\x99\xa2",
};

static void naughty_texts_come_back_as_titles_names_and_contents(void **state)
{
	struct world *w = *state;

	world_create_session(w, "s");
	world_begin_run(w, "r", "s");
	for (size_t i = 0; i < sizeof(naughty) / sizeof(naughty[0]); i++) {
		json_t *text = json_string(naughty[i]);
		json_t *changes = world_json(w, "{}"), *call = world_json(w, "{}");
		json_t *message = world_json(w, "{'role':'assistant'}");

		assert_non_null(text);
		json_object_set(changes, "title", text);
		json_object_set(changes, "agent", text);
		json_object_set(changes, "cwd", text);
		ASK(w, store_session_update, "s", changes);
		assert_int_equal(w->r, 0);
		for (const char **word = (const char *[]){"title", "agent", "cwd", NULL}; *word;
			word++)
			assert_true(json_equal(json_object_get(w->result, *word), text));

		json_object_set(message, "content", text);
		json_object_set(message, *naughty[i] ? naughty[i] : "key", text);
		json_object_set(message, "role", json_object_get(world_json(w, "{'a':'x'}"), "a"));
		json_object_set(call, "id", text);
		json_object_set(call, "name", text);
		json_object_set(call, "arguments", text);
		ASK(w, store_turn_commit, "r", (uint32_t)i + 1, message,
			world_keep(w, json_pack("[O]", call)), NULL);
		assert_int_equal(w->r, 0);
		ASK(w, store_message_list, "s", i + 2, 1);
		assert_true(json_equal(
			json_object_get(json_array_get(json_object_get(w->result, "messages"), 0),
				"message"),
			message));
		ASK(w, store_call_start, "r", (uint32_t)i + 1, 0);
		assert_true(json_equal(json_object_get(w->result, "arguments"), text));
		assert_true(json_equal(json_object_get(w->result, "name"), text));
		json_decref(text);
	}
	ASK(w, store_session_list, NULL, 9, 0);
	world_expect(w, "{'total':1}");
}

static void naughty_texts_are_ids_like_any_other(void **state)
{
	struct world *w = *state;

	for (size_t i = 1; i < sizeof(naughty) / sizeof(naughty[0]); i++) {
		json_t *session = world_json(w, "{'agent':'a'}");

		json_object_set_new(session, "id", json_string(naughty[i]));
		ASK(w, store_session_create, session);
		assert_int_equal(w->r, 0);
	}
	for (size_t i = 1; i < sizeof(naughty) / sizeof(naughty[0]); i++) {
		ASK(w, store_session_get, naughty[i]);
		assert_int_equal(w->r, 0);
		assert_string_equal(
			json_string_value(json_object_get(w->result, "id")), naughty[i]);
	}
	ASK(w, store_session_list, NULL, 500, 0);
	world_expect(w, "{'total':%zu}", sizeof(naughty) / sizeof(naughty[0]) - 1);
}

static void an_id_that_none_can_be_is_not_found(void **state)
{
	static const char *const ids[] = {"", "\xff", "\xc0\x80", "\xed\xa0\x80", "s\xe2\x80"};
	struct world *w = *state;
	char *huge = malloc((1 << 20) + 1);

	world_create_session(w, "s");
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		ASK(w, store_session_get, ids[i]);
		world_expect_error(w, -ENOENT, "no session");
		ASK(w, store_run_get, ids[i]);
		world_expect_error(w, -ENOENT, "no run");
		ASK(w, store_key_revoke, ids[i]);
		world_expect_error(w, -ENOENT, "no key");
	}
	memset(huge, 's', 1 << 20);
	huge[1 << 20] = '\0';
	ASK(w, store_session_get, huge);
	world_expect_error(w, -ENOENT, "no session (too long)");
	free(huge);
}

static void an_id_of_the_longest_length_fits_and_one_more_does_not(void **state)
{
	struct world *w = *state;

	ASK(w, store_session_create, world_json(w, "{'id':'%064d','agent':'a'}", 7));
	world_expect(w, "{'id':'%064d'}", 7);
	ASK(w, store_session_create, world_json(w, "{'id':'%065d','agent':'a'}", 7));
	world_expect_error(w, -EMSGSIZE, "store: create session: id: of 65 bytes, 64 at most");
	ASK(w, store_session_create, world_json(w, "{'id':'','agent':'a'}"));
	world_expect_error(w, -EINVAL, "id: must not be empty");
}

static json_t *long_text(size_t length)
{
	char *text = malloc(length + 1);
	json_t *value;

	memset(text, 'x', length);
	text[length] = '\0';
	value = json_string(text);
	free(text);
	return value;
}

static void a_title_of_a_mebibyte_fits_and_one_byte_more_does_not(void **state)
{
	struct world *w = *state;
	json_t *changes = world_json(w, "{}");

	world_create_session(w, "s");
	json_object_set_new(changes, "title", long_text(OPERATION_TEXT_MAX));
	ASK(w, store_session_update, "s", changes);
	assert_int_equal(
		json_string_length(json_object_get(w->result, "title")), OPERATION_TEXT_MAX);
	json_object_set_new(changes, "title", long_text(OPERATION_TEXT_MAX + 1));
	ASK(w, store_session_update, "s", changes);
	world_expect_error(w, -EMSGSIZE, "title: of 1048577 bytes, 1048576 at most");
}

static void a_message_of_sixteen_mebibytes_comes_back(void **state)
{
	struct world *w = *state;
	json_t *message = world_json(w, "{'role':'user'}");

	json_object_set_new(message, "content", long_text(16 << 20));
	world_create_session(w, "s");
	ASK(w, store_run_begin, world_json(w, "{'id':'r','session':'s','agent':'a'}"),
		world_keep(w, json_pack("[O]", message)));
	world_expect(w, "{'id':'r'}");
	ASK(w, store_message_list, "s", 1, 0);
	assert_true(json_equal(
		json_object_get(
			json_array_get(json_object_get(w->result, "messages"), 0), "message"),
		message));
}

static void nul_is_refused_in_names_and_kept_in_contents(void **state)
{
	struct world *w = *state;
	json_t *message =
		world_json(w, "{'role':'assistant','content':'a\\u0000b','x':['\\u0000']}");

	ASK(w, store_session_create, world_json(w, "{'id':'s\\u0000x','agent':'a'}"));
	world_expect_error(w, -EINVAL, "id: holds a NUL character");
	world_create_session(w, "s");
	ASK(w, store_session_update, "s", world_json(w, "{'title':'\\u0000'}"));
	world_expect_error(w, -EINVAL, "title: holds a NUL character");
	world_begin_run(w, "r", "s");
	ASK(w, store_turn_commit, "r", 1, message,
		world_json(w, "[{'id':'c','name':'n','arguments':'\\u0000'}]"), NULL);
	world_expect_error(w, -EINVAL, "calls[0]: arguments: holds a NUL character");
	ASK(w, store_turn_commit, "r", 1, message, NULL, NULL);
	assert_int_equal(w->r, 0);
	ASK(w, store_message_list, "s", 2, 0);
	assert_true(json_equal(
		json_object_get(
			json_array_get(json_object_get(w->result, "messages"), 0), "message"),
		message));
}

static void numbers_and_the_order_of_members_are_kept(void **state)
{
	static const char text[] =
		"{\"z\":9223372036854775807,\"a\":-9223372036854775808,\"m\":0.1,\"b\":1e308,"
		"\"c\":-0.0,\"d\":5e-324,\"e\":[null,true,false,{}],\"f\":{\"\":\"\"}}";
	struct world *w = *state;
	char *kept;

	world_create_session(w, "s");
	world_begin_run(w, "r", "s");
	ASK(w, store_run_end, "r", "completed", world_json(w, "{'error':%s}", text));
	kept = json_dumps(json_object_get(w->result, "error"), JSON_COMPACT);
	assert_true(json_equal(json_object_get(w->result, "error"), world_json(w, "%s", text)));
	assert_non_null(strstr(kept, "{\"z\":9223372036854775807,\"a\":-9223372036854775808,"));
	free(kept);
}

static void the_error_of_a_run_is_any_json(void **state)
{
	static const char *const errors[] = {
		"'text'", "'{'", "''", "1", "-1.5", "true", "[]", "{}"};
	struct world *w = *state;
	char id[16];

	world_create_session(w, "s");
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		snprintf(id, sizeof(id), "r%zu", i);
		world_begin_run(w, id, "s");
		ASK(w, store_run_end, id, "failed", world_json(w, "{'error':%s}", errors[i]));
		ASK(w, store_run_get, id);
		world_expect(w, "{'error':%s}", errors[i]);
	}
}

/* [[[...]]] in an object. */
static json_t *nested(unsigned depth)
{
	json_t *value = json_object();

	for (unsigned i = 2; i < depth; i++)
		value = json_pack("[o]", value);
	return json_pack("{s:o}", "x", value);
}

static void json_of_the_greatest_depth_is_kept_and_one_more_is_refused(void **state)
{
	struct world *w = *state;
	json_t *message = nested(OPERATION_DEPTH_MAX);

	json_object_set_new(message, "role", json_string("assistant"));
	world_create_session(w, "s");
	world_begin_run(w, "r", "s");
	ASK(w, store_turn_commit, "r", 1, message, NULL, NULL);
	world_expect(w, "{'turn':1}");
	ASK(w, store_message_list, "s", 2, 0);
	assert_true(json_equal(
		json_object_get(
			json_array_get(json_object_get(w->result, "messages"), 0), "message"),
		message));
	json_decref(message);
	message = nested(OPERATION_DEPTH_MAX + 1);
	json_object_set_new(message, "role", json_string("assistant"));
	ASK(w, store_turn_commit, "r", 2, message, NULL, NULL);
	world_expect_error(w, -EINVAL, "message: nested deeper than 256");
	json_decref(message);
}

static void a_member_of_a_wrong_type_is_refused_by_name(void **state)
{
	static const char *const values[] = {"1", "-1.5", "true", "[]", "{}", "'x'"};
	struct world *w = *state;

	world_create_session(w, "s");
	world_begin_run(w, "r", "s");
	for (size_t i = 0; i < 5; i++) {
		ASK(w, store_session_create, world_json(w, "{'id':%s,'agent':'a'}", values[i]));
		world_expect_error(w, -EINVAL, "id: must be a string");
		ASK(w, store_session_create, world_json(w, "{'id':'x','agent':%s}", values[i]));
		world_expect_error(w, -EINVAL, "agent: must be a string");
		ASK(w, store_session_update, "s", world_json(w, "{'title':%s}", values[i]));
		world_expect_error(w, -EINVAL, "title: must be a string");
		ASK(w, store_key_create,
			world_json(w, "{'id':'k','name':'n','prefix':'p','hash':%s}", values[i]));
		world_expect_error(w, -EINVAL, "hash: must be a string");
		ASK(w, store_run_end, "r", "failed", world_json(w, "{'finish':%s}", values[i]));
		world_expect_error(w, -EINVAL, "finish: must be a string");
		ASK(w, store_turn_commit, "r", 1, world_json(w, "{'role':%s}", values[i]), NULL,
			NULL);
		world_expect_error(w, -EINVAL, "message: role: must be a string");
	}
	for (size_t i = 0; i < 6; i++) {
		if (i != 3) {
			ASK(w, store_run_begin,
				world_json(w, "{'id':'q','session':'s','agent':'a'}"),
				world_json(w, "%s", values[i]));
			world_expect_error(w, -EINVAL, "messages: is of a wrong type");
			ASK(w, store_event_append, "r", world_json(w, "%s", values[i]));
			world_expect_error(w, -EINVAL, "events: is of a wrong type");
		}
		if (i == 4)
			continue;
		ASK(w, store_run_begin,
			world_json(
				w, "{'id':'q','session':'s','agent':'a','options':%s}", values[i]),
			world_json(w, "[]"));
		world_expect_error(w, -EINVAL, "options: is of a wrong type");
		ASK(w, store_turn_commit, "r", 1, world_json(w, "%s", values[i]), NULL, NULL);
		world_expect_error(w, -EINVAL, "message: is of a wrong type");
		ASK(w, store_run_begin, world_json(w, "{'id':'q','session':'s','agent':'a'}"),
			world_json(w, "[%s]", values[i]));
		world_expect_error(w, -EINVAL, "message: role: is required");
		ASK(w, store_event_append, "r",
			world_json(w, "[{'seq':1,'type':'x','data':%s}]", values[i]));
		world_expect_error(w, -EINVAL, "data: is of a wrong type");
		if (i > 0) {
			ASK(w, store_event_append, "r",
				world_json(w, "[{'seq':%s,'type':'x','data':{}}]", values[i]));
			world_expect_error(w, -EINVAL, "seq: must be a number of 0 or more");
		}
	}
	ASK(w, store_session_create, NULL);
	world_expect_error(w, -EINVAL, "id: is required");
	ASK(w, store_session_update, "s", NULL);
	world_expect(w, "{'title':null,'messages':1}");
	ASK(w, store_turn_commit, "r", 1, world_json(w, "{'role':'x'}"), NULL,
		world_json(w, "{'prompt_tokens':-1}"));
	world_expect_error(w, -EINVAL, "prompt_tokens: must be a number of 0 or more");
	ASK(w, store_run_get, "r");
	world_expect(w, "{'turn':0,'status':'running'}");
}

static void usage_that_overflows_its_sum_is_refused(void **state)
{
	struct world *w = *state;
	const json_t *usage = world_json(w, "{'prompt_tokens':9223372036854775807}");
	const json_t *message = world_json(w, "{'role':'assistant'}");

	world_create_session(w, "s");
	world_begin_run(w, "r", "s");
	ASK(w, store_turn_commit, "r", 1, message, NULL, usage);
	world_expect(w, "{'turn':1}");
	ASK(w, store_turn_commit, "r", 2, message, NULL, usage);
	assert_true(w->r < 0);
	ASK(w, store_run_get, "r");
	world_expect(w, "{'turn':1}");
}

#define T(f) cmocka_unit_test_setup_teardown(f, world_set_up, world_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(naughty_texts_come_back_as_titles_names_and_contents),
		T(naughty_texts_are_ids_like_any_other),
		T(an_id_that_none_can_be_is_not_found),
		T(an_id_of_the_longest_length_fits_and_one_more_does_not),
		T(a_title_of_a_mebibyte_fits_and_one_byte_more_does_not),
		T(a_message_of_sixteen_mebibytes_comes_back),
		T(nul_is_refused_in_names_and_kept_in_contents),
		T(numbers_and_the_order_of_members_are_kept),
		T(the_error_of_a_run_is_any_json),
		T(json_of_the_greatest_depth_is_kept_and_one_more_is_refused),
		T(a_member_of_a_wrong_type_is_refused_by_name),
		T(usage_that_overflows_its_sum_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
