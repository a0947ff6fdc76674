/* schema.h: what fits, and what is said of what does not. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agentd/schema.h"
#include "agentd/tool/tool.h"
#include "base/error.h"

static json_t *parse(const char *text)
{
	json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);

	assert_non_null(value);
	return value;
}

static void fits(const char *schema_text, const char *value_text)
{
	json_auto_t *schema = parse(schema_text);
	json_auto_t *value = parse(value_text);
	struct error err = {.text = ""};

	if (schema_check(schema, value, "x", &err) != 0)
		fail_msg("%s does not fit %s: %s", value_text, schema_text, err.text);
}

static void fails(const char *schema_text, const char *value_text, const char *why)
{
	json_auto_t *schema = parse(schema_text);
	json_auto_t *value = parse(value_text);
	struct error err = {.text = ""};

	assert_int_equal(schema_check(schema, value, "x", &err), -EINVAL);
	assert_int_equal(err.code, EINVAL);
	assert_string_equal(err.text, why);
}

static void every_type_is_told_from_every_other(void **state)
{
	static const char *const types[][2] = {
		{"object", "{}"},
		{"array", "[]"},
		{"string", "\"\""},
		{"integer", "1"},
		{"boolean", "true"},
		{"null", "null"},
	};
	char schema[64];

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		snprintf(schema, sizeof(schema), "{\"type\":\"%s\"}", types[i][0]);
		for (size_t k = 0; k < sizeof(types) / sizeof(types[0]); k++) {
			char why[128];

			snprintf(why, sizeof(why), "x: must be of type %s, is %s", types[i][0],
				types[k][0]);
			if (i == k)
				fits(schema, types[k][1]);
			else
				fails(schema, types[k][1], why);
		}
	}
}

static void a_whole_number_is_a_number_but_not_the_reverse(void **state)
{
	(void)state;
	fits("{\"type\":\"number\"}", "1");
	fits("{\"type\":\"number\"}", "1.5");
	fails("{\"type\":\"integer\"}", "1.5", "x: must be of type integer, is number");
	fits("{\"type\":\"boolean\"}", "false");
}

static void one_of_several_types_is_enough(void **state)
{
	(void)state;
	fits("{\"type\":[\"string\",\"integer\"]}", "1");
	fits("{\"type\":[\"string\",\"integer\"]}", "\"a\"");
	fails("{\"type\":[\"string\",\"integer\"]}", "[]",
		"x: must be one of the types string, integer, is array");
}

static void bounds_are_inclusive(void **state)
{
	static const char numbers[] = "{\"type\":\"integer\",\"minimum\":2,\"maximum\":4}";
	static const char reals[] = "{\"type\":\"number\",\"minimum\":1,\"maximum\":2}";
	static const char strings[] = "{\"type\":\"string\",\"minLength\":2,\"maxLength\":4}";
	static const char arrays[] = "{\"type\":\"array\",\"minItems\":1,\"maxItems\":2}";

	(void)state;
	fits(numbers, "2");
	fits(numbers, "4");
	fails(numbers, "1", "x: must be at least 2, is 1");
	fails(numbers, "5", "x: must be at most 4, is 5");
	fits(reals, "1.0");
	fits(reals, "1.5");
	fits(reals, "2");
	fails(reals, "0.75", "x: must be at least 1, is 0.75");
	fails(reals, "2.25", "x: must be at most 2, is 2.25");
	fits(strings, "\"ab\"");
	fits(strings, "\"abcd\"");
	fails(strings, "\"a\"", "x: must be at least 2 bytes, is 1");
	fails(strings, "\"abcde\"", "x: must be at most 4 bytes, is 5");
	fits(arrays, "[1]");
	fails(arrays, "[]", "x: must be at least 1 items, is 0");
	fails(arrays, "[1,2,3]", "x: must be at most 2 items, is 3");
}

static void an_enum_lists_what_it_takes(void **state)
{
	(void)state;
	fits("{\"enum\":[\"a\",\"b\"]}", "\"b\"");
	fails("{\"enum\":[\"a\",\"b\"]}", "\"c\"", "x: must be one of a, b");
}

static void members_are_required_known_and_checked(void **state)
{
	static const char schema[] =
		"{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"a\"],"
		"\"properties\":{\"a\":{\"type\":\"string\"},\"b\":{\"type\":\"object\","
		"\"properties\":{\"c\":{\"type\":\"integer\"}}}}}";

	(void)state;
	fits(schema, "{\"a\":\"\"}");
	fits(schema, "{\"a\":\"\",\"b\":{\"c\":1,\"free\":true}}");
	fails(schema, "{}", "x: a is required");
	fails(schema, "{\"a\":1}", "x.a: must be of type string, is integer");
	fails(schema, "{\"a\":\"\",\"z\":1}", "x: unknown member z (known: a, b)");
	fails(schema, "{\"a\":\"\",\"b\":{\"c\":\"\"}}",
		"x.b.c: must be of type integer, is string");
}

static void items_are_named_by_their_place(void **state)
{
	(void)state;
	fits("{\"items\":{\"type\":\"string\"}}", "[\"a\",\"b\"]");
	fails("{\"items\":{\"type\":\"string\"}}", "[\"a\",1]",
		"x[1]: must be of type string, is integer");
}

static void a_very_long_member_does_not_overflow_the_reason(void **state)
{
	char value[2048];
	json_auto_t *schema = parse("{\"type\":\"object\",\"additionalProperties\":false}");
	json_auto_t *object = json_object();
	struct error err;

	(void)state;
	memset(value, 'k', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	json_object_set_new(object, value, json_null());
	assert_int_equal(schema_check(schema, object, "x", &err), -EINVAL);
	assert_true(strlen(err.text) < sizeof(err.text));
}

static void the_member_that_is_wrong_is_named(void **state)
{
	static const char *const objects[][2] = {
		{"{}", "a"},
		{"{\"a\":1,\"b\":[1,{\"c\":2}]}", "b"},
		{"{\"a\":\"x\"}", "a"},
		{"{\"a\":1,\"z\":1}", "z"},
	};
	json_auto_t *schema = parse("{\"type\":\"object\",\"additionalProperties\":false,"
				    "\"required\":[\"a\"],\"properties\":{"
				    "\"a\":{\"type\":\"integer\"},\"b\":{\"type\":\"array\","
				    "\"items\":{\"type\":\"integer\"}}}}");

	(void)state;
	for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
		json_auto_t *object = parse(objects[i][0]);
		const char *bad_member = NULL;

		assert_int_equal(
			schema_check_members(schema, object, "x", &bad_member, NULL), -EINVAL);
		assert_string_equal(bad_member, objects[i][1]);
	}
}

static void the_schemas_of_all_tools_are_json(void **state)
{
	(void)state;
	for (size_t i = 0; i < tool_count; i++) {
		json_auto_t *schema = parse(tool_table[i]->parameters);

		assert_string_equal(json_string_value(json_object_get(schema, "type")), "object");
		assert_ptr_equal(tool_find(tool_table[i]->name), tool_table[i]);
	}
	assert_null(tool_find("nothing"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_is_told_from_every_other),
		cmocka_unit_test(a_whole_number_is_a_number_but_not_the_reverse),
		cmocka_unit_test(one_of_several_types_is_enough),
		cmocka_unit_test(bounds_are_inclusive),
		cmocka_unit_test(an_enum_lists_what_it_takes),
		cmocka_unit_test(members_are_required_known_and_checked),
		cmocka_unit_test(items_are_named_by_their_place),
		cmocka_unit_test(a_very_long_member_does_not_overflow_the_reason),
		cmocka_unit_test(the_member_that_is_wrong_is_named),
		cmocka_unit_test(the_schemas_of_all_tools_are_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
