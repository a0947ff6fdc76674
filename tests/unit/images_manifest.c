/* manifest.h: what a manifest may hold, and what a recipe may say. */
#include "tests/unit/images_world.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "images/manifest.h"

#define SUM    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST "sha256:" SUM

static const char good[] =
	"{\"format\": 1, \"name\": \"base\", \"version\": \"12\", \"created\": "
	"\"2026-01-31T12:00:00Z\", \"digest\": \"" DIGEST "\", \"bytes\": 5, \"entries\": 2, "
	"\"packages\": [\"jq 1.6\", \"git 2\"], \"env\": [\"A=1\", \"B=\"], \"cwd\": \"/srv\", "
	"\"extra_cas\": [{\"name\": \"x.crt\", \"sha256\": \"" SUM "\"}], \"recipe\": \"" DIGEST
	"\"}";

static int parse(const char *text, size_t size, struct error *err)
{
	struct image_manifest m;
	int r = manifest_parse(text, size, "base", &m, err);

	if (r == 0)
		manifest_finish(&m);
	return r;
}

static void a_good_manifest_is_read_whole(void **state)
{
	struct image_manifest m;

	(void)state;
	assert_int_equal(manifest_parse(good, strlen(good), "base", &m, NULL), 0);
	assert_string_equal(m.name, "base");
	assert_string_equal(m.version, "12");
	assert_string_equal(m.created, "2026-01-31T12:00:00Z");
	assert_string_equal(m.digest, DIGEST);
	assert_string_equal(m.cwd, "/srv");
	assert_int_equal(m.bytes, 5);
	assert_int_equal(m.entries, 2);
	assert_int_equal(m.package_count, 2);
	assert_string_equal(m.env[0], "A=1");
	assert_string_equal(m.env[1], "B=");
	assert_null(m.env[2]);
	manifest_finish(&m);
}

/* The good manifest with one key set to a JSON value, or without it. */
static void refuses(const char *key, const char *value)
{
	json_t *json = json_loads(good, 0, NULL);
	json_t *set = value ? json_loads(value, JSON_DECODE_ANY, NULL) : NULL;
	char *text;
	struct error err;

	assert_true(!value || set);
	if (set)
		json_object_set_new(json, key, set);
	else
		json_object_del(json, key);
	text = json_dumps(json, 0);
	if (parse(text, strlen(text), &err) != -EPROTO)
		fail_msg("%s: %s was taken", key, value ? value : "nothing");
	if (!strstr(err.text, key))
		fail_msg("\"%s\" does not name %s", err.text, key);
	free(text);
	json_decref(json);
}

static const char *const keys[] = {"format", "name", "version", "created", "digest", "bytes",
	"entries", "packages", "env", "cwd", "extra_cas", "recipe"};

static void each_field_must_be_there(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		refuses(keys[i], NULL);
}

static void each_field_of_a_wrong_type_is_refused(void **state)
{
	static const char *const values[] = {"null", "true", "1.5", "-1", "{}", "{\"a\": []}",
		"[[]]", "[null]", "[1]", "[\"\"]", "\"\""};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		for (size_t k = 0; k < ARRAY_SIZE(values); k++)
			refuses(keys[i], values[k]);
}

static const struct {
	const char *key, *value;
} broken[] = {
	{"format", "2"},
	{"format", "0"},
	{"name", "\"tiny\""},
	{"name", "\"base2\""},
	{"version", "\"a\\u0007\""},
	{"version", "\"a\\u009b31m\""},
	{"version", "\"a\\u202eb\""},
	{"version", "\"0123456789012345678901234567890123456789012345678901234567890123\""},
	{"created", "\"yesterday\""},
	{"created", "\"2026-13-31T12:00:00Z\""},
	{"created", "\"2026-01-31 12:00:00\""},
	{"created", "\"2026-01-31T12:00:00Z \""},
	{"digest", "\"" SUM "\""},
	{"digest", "\"sha256:" SUM "0\""},
	{"digest", "\"md5:" SUM "\""},
	{"digest", "\"sha256:"
		   "X123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\""},
	{"recipe", "\"sha256:\""},
	{"bytes", "9223372036854775807.0"},
	{"entries", "\"2\""},
	{"cwd", "\"work\""},
	{"cwd", "\"/srv/../..\""},
	{"cwd", "\"/../etc\""},
	{"cwd", "\"/..\""},
	{"cwd", "\"/a\\nb\""},
	{"cwd", "\"/a\\u009bb\""},
	{"packages", "[\"jq\"]"},
	{"packages", "[\"jq 1\", \"jq\\u001b 1\"]"},
	{"env", "[\"A\"]"},
	{"env", "[\"=1\"]"},
	{"env", "[\"1A=1\"]"},
	{"env", "[\"A B=1\"]"},
	{"env", "[\"A=1\", 5]"},
	{"extra_cas", "[{\"name\": \"a\"}]"},
	{"extra_cas", "[{\"sha256\": \"" SUM "\"}]"},
	{"extra_cas", "[{\"name\": \"\", \"sha256\": \"" SUM "\"}]"},
	{"extra_cas", "[{\"name\": \"a\", \"sha256\": \"" SUM "0\"}]"},
	{"extra_cas", "[\"a\"]"},
	{"unknown", "1"},
};

static void broken_values_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(broken); i++)
		refuses(broken[i].key, broken[i].value);
}

static void refuses_a_list_of(const char *key, const char *item, size_t count)
{
	json_t *list = json_array();
	char *text;

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_loads(item, JSON_DECODE_ANY, NULL));
	text = json_dumps(list, 0);
	refuses(key, text);
	free(text);
	json_decref(list);
}

static void too_long_lists_are_refused(void **state)
{
	char item[4100];

	(void)state;
	refuses_a_list_of("packages", "\"a 1\"", MANIFEST_PACKAGES_MAX + 1);
	refuses_a_list_of("env", "\"A=1\"", MANIFEST_ENV_MAX + 1);
	refuses_a_list_of(
		"extra_cas", "{\"name\": \"a\", \"sha256\": \"" SUM "\"}", MANIFEST_CAS_MAX + 1);
	memset(item, 'A', sizeof(item));
	memcpy(item, "\"A=", 3);
	strcpy(item + sizeof(item) - 2, "\"");
	refuses_a_list_of("env", item, 3);
}

static void every_cut_of_a_manifest_is_refused(void **state)
{
	(void)state;
	for (size_t size = 0; size < strlen(good); size++)
		assert_int_equal(parse(good, size, NULL), -EPROTO);
}

static void hostile_json_is_refused(void **state)
{
	static const char *const texts[] = {"", "[]", "1", "null", "\"base\"", "{\"format\": 1}x",
		"{\"format\": 1, \"format\": 1}", "{\"na\\u0000me\": 1}", "{\"format\": \"\xff\"}",
		"{'format': 1}", "{\"format\": 1e999}", "{\"format\": 99999999999999999999}"};
	size_t huge = MANIFEST_SIZE_MAX + 1;
	char *text = malloc(huge);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_int_equal(parse(texts[i], strlen(texts[i]), NULL), -EPROTO);
	assert_non_null(text);
	memset(text, '[', huge);
	assert_int_equal(parse(text, huge - 1, NULL), -EPROTO);
	memset(text, ' ', huge);
	memcpy(text, good, strlen(good));
	assert_int_equal(parse(text, huge - 1, NULL), 0);
	assert_int_equal(parse(text, huge, NULL), -EPROTO);
	free(text);
}

static void a_key_given_twice_is_refused(void **state)
{
	char text[sizeof(good) + 32];

	(void)state;
	snprintf(text, sizeof(text), "{\"cwd\": \"/\", %s", good + 1);
	assert_int_equal(parse(text, strlen(text), NULL), -EPROTO);
}

static void what_a_recipe_says_is_written_and_read_again(void **state)
{
	struct world *w = *state;
	struct image_manifest m = {.name = "base",
		.digest = DIGEST,
		.created = "2026-01-31T12:00:00Z",
		.bytes = 1,
		.entries = 2};
	static const char *const lines[] = {"version 3", "cwd /", "env A=b c", "package jq 1.6",
		("ca my own.crt " SUM), "version 4"};
	struct manifest_draft *draft;

	assert_int_equal(manifest_draft_create(&draft, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		assert_int_equal(manifest_draft_add(draft, lines[i], NULL), 0);
	assert_int_equal(manifest_draft_write(draft, w->store_fd, &m, DIGEST, &w->err), 0);
	manifest_draft_destroy(draft);
	assert_int_equal(manifest_read(w->store_fd, "base", &m, &w->err), 0);
	assert_string_equal(m.version, "4"); /* the last word counts */
	assert_string_equal(m.env[0], "A=b c");
	assert_int_equal(m.package_count, 1);
	manifest_finish(&m);
}

static void a_recipe_that_says_something_else_is_refused(void **state)
{
	static const char *const lines[] = {"", " ", "hello", "ca", "ca x", "versions 3", "cwd2 /",
		"VERSION 3", "env \xff", "version \xc3"};
	struct manifest_draft *draft;

	(void)state;
	assert_int_equal(manifest_draft_create(&draft, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		assert_int_equal(manifest_draft_add(draft, lines[i], NULL), -EPROTO);
	manifest_draft_destroy(draft);
	manifest_draft_destroy(NULL);
}

static void a_draft_that_is_no_manifest_is_not_written(void **state)
{
	struct world *w = *state;
	struct image_manifest m = {.name = "base", .created = "2026-01-31T12:00:00Z"};
	struct manifest_draft *draft;

	assert_int_equal(manifest_draft_create(&draft, NULL), 0);
	assert_int_equal(manifest_draft_add(draft, "version 1", NULL), 0);
	assert_int_equal(manifest_draft_write(draft, w->store_fd, &m, DIGEST, &w->err), -EPROTO);
	world_says(w, "what the recipe said");
	manifest_draft_destroy(draft);
	assert_false(world_has(w, MANIFEST_FILE));
}

#define T(f) cmocka_unit_test_setup_teardown(f, world_set_up, world_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_manifest_is_read_whole),
		cmocka_unit_test(each_field_must_be_there),
		cmocka_unit_test(each_field_of_a_wrong_type_is_refused),
		cmocka_unit_test(broken_values_are_refused),
		cmocka_unit_test(too_long_lists_are_refused),
		cmocka_unit_test(every_cut_of_a_manifest_is_refused),
		cmocka_unit_test(hostile_json_is_refused),
		cmocka_unit_test(a_key_given_twice_is_refused),
		T(what_a_recipe_says_is_written_and_read_again),
		cmocka_unit_test(a_recipe_that_says_something_else_is_refused),
		T(a_draft_that_is_no_manifest_is_not_written),
	};

	return cmocka_run_group_tests_name("images_manifest", tests, NULL, NULL);
}
