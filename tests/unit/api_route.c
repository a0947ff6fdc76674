/* route.h and params.h: which route a path is, and what of path, query and body its handler gets. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agentd/api/params.h"
#include "agentd/api/route.h"
#include "base/cleanup.h"
#include "base/error.h"

#define ANY "{\"type\":\"object\"}"
#define TYPED                                                                                      \
	"{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\"},"                       \
	"\"x\":{\"type\":\"number\"},\"b\":{\"type\":\"boolean\"},\"s\":{\"type\":\"string\"},"    \
	"\"a\":{\"type\":\"array\",\"items\":{\"type\":\"integer\"}},"                             \
	"\"either\":{\"type\":[\"integer\",\"string\"]}}}"

static const struct route routes[] = {
	{.method = "GET", .path = "/health", .is_bare = true, .parameters = ANY},
	{.method = "GET", .path = "/runs/:id", .parameters = ANY, .rpc = "run.get"},
	{.method = "GET", .path = "/runs/all", .parameters = ANY},
	{.method = "DELETE", .path = "/runs/:id", .parameters = ANY},
	{.method = "POST", .path = "/runs/:id/cancel", .parameters = ANY},
	{.method = "GET", .path = "/a/:first/b/:second", .parameters = ANY},
	{.method = NULL,
		.path = "/admin",
		.rpc = "admin",
		.access = ROUTE_ADMIN,
		.parameters = ANY},
	{.method = NULL, .path = NULL, .rpc = "nowhere", .parameters = TYPED},
};

static int set_up(void **state)
{
	static struct route_set set;

	assert_int_equal(route_set_init(&set, routes, ARRAY_SIZE(routes), NULL), 0);
	*state = &set;
	return 0;
}

static int tear_down(void **state)
{
	route_set_finish(*state);
	return 0;
}

static void finds(struct route_set *set, const char *method, const char *path, size_t row,
	const char *params_text)
{
	json_auto_t *wanted = json_loads(params_text, 0, NULL);
	struct route_match match = {0};
	struct error err = {.text = ""};

	if (route_find(set, method, path, &match, &err) < 0)
		fail_msg("%s %s: %s", method, path, err.text);
	assert_ptr_equal(match.route, &routes[row]);
	assert_ptr_equal(match.schema, set->schemas[row]);
	assert_true(json_equal(match.params, wanted));
	json_decref(match.params);
}

static void fails(struct route_set *set, const char *method, const char *path, int code)
{
	struct route_match match = {0};
	struct error err = {.text = ""};
	int r = route_find(set, method, path, &match, &err);

	if (r != code)
		fail_msg("%s %s gives %d, not %d", method, path, r, code);
	assert_true(err.text[0]);
	assert_null(match.params);
}

static void a_path_is_found_behind_both_prefixes_and_bare_where_it_may_be(void **state)
{
	finds(*state, "GET", "/health", 0, "{}");
	finds(*state, "GET", "/v1/health", 0, "{}");
	finds(*state, "GET", "/api/v1/health", 0, "{}");
	finds(*state, "GET", "/v1/runs/7", 1, "{\"id\":\"7\"}");
	finds(*state, "GET", "/api/v1/runs/7", 1, "{\"id\":\"7\"}");
	fails(*state, "GET", "/runs/7", -ENOENT);
	fails(*state, "GET", "/v2/health", -ENOENT);
	fails(*state, "GET", "/api/health", -ENOENT);
	fails(*state, "GET", "/v1/v1/health", -ENOENT);
}

static void every_part_has_to_be_there_and_none_more(void **state)
{
	static const char *const paths[] = {"", "/", "/v1", "/v1/", "/health/", "//health",
		"/v1//health", "/v1/runs", "/v1/runs/", "/v1/runs/7/", "/v1/runs/7/cancel/x",
		"/v1/runs//cancel", "/HEALTH", "/v1/a/1/b", "/health%00x/..", "/a/b/c/d/e/f/g/h/i"};

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct route_match match;

		assert_true(route_find(*state, "GET", paths[i], &match, NULL) < 0);
	}
}

static void names_are_decoded_once(void **state)
{
	finds(*state, "GET", "/v1/runs/a%2Fb", 1, "{\"id\":\"a/b\"}");
	finds(*state, "GET", "/v1/runs/%2561", 1, "{\"id\":\"%61\"}");
	finds(*state, "GET", "/v1/runs/%C3%A4+b", 1, "{\"id\":\"\u00e4+b\"}");
	finds(*state, "GET", "/v1/r%75ns/...", 1, "{\"id\":\"...\"}");
	finds(*state, "GET", "/v1/a/1/b/2", 5, "{\"first\":\"1\",\"second\":\"2\"}");
}

static void a_part_that_is_no_text_or_climbs_is_refused(void **state)
{
	static const char *const paths[] = {"/v1/runs/%", "/v1/runs/%4", "/v1/runs/%4g",
		"/v1/runs/%00", "/v1/runs/%0d%0ax", "/v1/runs/%c0%80", "/v1/runs/%ff", "/v1/runs/.",
		"/v1/runs/..", "/v1/runs/%2e%2E", "/v1/../health"};

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		fails(*state, "GET", paths[i], -EINVAL);
}

static void a_name_longer_than_the_limit_is_refused(void **state)
{
	char path[64 + ROUTE_SEGMENT_MAX] = "/v1/runs/";
	size_t length = strlen(path);
	struct route_match match;

	memset(path + length, 'a', ROUTE_SEGMENT_MAX);
	assert_int_equal(route_find(*state, "GET", path, &match, NULL), 0);
	json_decref(match.params);
	path[length + ROUTE_SEGMENT_MAX] = 'a';
	assert_true(route_find(*state, "GET", path, &match, NULL) < 0);
}

static void a_literal_part_wins_over_a_named_one(void **state)
{
	finds(*state, "GET", "/v1/runs/all", 2, "{}");
	finds(*state, "DELETE", "/v1/runs/all", 3, "{\"id\":\"all\"}");
}

static void head_finds_get_and_other_methods_are_told_apart(void **state)
{
	struct route_match match = {0};

	finds(*state, "HEAD", "/health", 0, "{}");
	fails(*state, "POST", "/health", -ENOTSUP);
	fails(*state, "get", "/health", -ENOTSUP);
	fails(*state, "TRACE", "/v1/runs/1/cancel", -ENOTSUP);
	assert_int_equal(route_find(*state, "POST", "/v1/runs/7", &match, NULL), -ENOTSUP);
	assert_string_equal(match.allow, "GET, HEAD, DELETE");
}

static void what_http_has_not_is_never_found(void **state)
{
	const json_t *schema;

	fails(*state, "GET", "/admin", -ENOENT);
	fails(*state, "GET", "/v1/admin", -ENOENT);
	assert_ptr_equal(route_find_rpc(*state, "admin", &schema), &routes[6]);
	assert_ptr_equal(route_find_rpc(*state, "nowhere", &schema), &routes[7]);
	assert_non_null(json_object_get(json_object_get(schema, "properties"), "either"));
	assert_null(route_find_rpc(*state, "run", &schema));
}

static void a_table_with_a_broken_schema_is_told(void **state)
{
	static const struct route broken[] = {{.method = "GET", .path = "/x", .parameters = "{"}};
	struct route_set set = {0};
	struct error err = {.text = ""};

	(void)state;
	assert_int_equal(route_set_init(&set, broken, 1, &err), -EINVAL);
	assert_non_null(strstr(err.text, "/x"));
	route_set_finish(&set);
}

/* Query and body members as one object, or "!" and why not. */
static char *collect(const char *path_params, const char *query, const char *body)
{
	json_auto_t *params = json_loads(path_params, 0, NULL);
	json_auto_t *schema = json_loads(TYPED, 0, NULL);
	struct error err = {.text = ""};
	char *text = NULL;
	int r = params_add_query(params, query, schema, &err);

	if (r == 0 && body)
		r = params_add_body(params, body, strlen(body), &err);
	if (r == 0)
		return json_dumps(params, JSON_COMPACT | JSON_SORT_KEYS);
	assert_int_equal(r, -err.code);
	if (asprintf(&text, "!%s", err.text) < 0)
		abort();
	return text;
}

static void gives(const char *path_params, const char *query, const char *body, const char *wanted)
{
	auto_free char *text = collect(path_params, query, body);

	assert_string_equal(text, wanted);
}

static void is_refused(
	const char *path_params, const char *query, const char *body, const char *why)
{
	auto_free char *text = collect(path_params, query, body);

	if (text[0] != '!' || !strstr(text, why))
		fail_msg("'%s' '%s' gives '%s'", query ? query : "", body ? body : "", text);
}

static void a_query_gets_the_types_that_the_schema_wants(void **state)
{
	(void)state;
	gives("{}", "n=5&x=1.5&b=true&s=5&u=5", NULL,
		"{\"b\":true,\"n\":5,\"s\":\"5\",\"u\":\"5\",\"x\":1.5}");
	gives("{}", "a=1&a=2&a=z", NULL, "{\"a\":[1,2,\"z\"]}");
	gives("{}", "either=1&b=false", NULL, "{\"b\":false,\"either\":1}");
	gives("{}", "either=one", NULL, "{\"either\":\"one\"}");
	/* What is no such value stays a text, which the schema then refuses. */
	gives("{}", "n=0x5&b=yes", NULL, "{\"b\":\"yes\",\"n\":\"0x5\"}");
	gives("{}", "n=99999999999999999999", NULL, "{\"n\":\"99999999999999999999\"}");
	gives("{}", "n=%205", NULL, "{\"n\":\" 5\"}");
	gives("{}", "n=null", NULL, "{\"n\":\"null\"}");
	gives("{}", "s=a+b%2Bc%26d%3D&u", NULL, "{\"s\":\"a b+c&d=\",\"u\":\"\"}");
	gives("{}", "&&s=x&", NULL, "{\"s\":\"x\"}");
	gives("{}", "", NULL, "{}");
}

static void a_query_that_is_no_text_or_says_things_twice_is_refused(void **state)
{
	char many[4 * (PARAMS_QUERY_MAX + 2)] = "";

	(void)state;
	is_refused("{}", "s=1&s=2", NULL, "s: stands twice");
	is_refused("{\"id\":\"1\"}", "id=2", NULL, "id: stands twice");
	is_refused("{}", "s=%", NULL, "member 1");
	is_refused("{}", "n=1&s=%zz", NULL, "member 2");
	is_refused("{}", "s=%00", NULL, "member 1");
	is_refused("{}", "s=%ff", NULL, "member 1");
	is_refused("{}", "=1", NULL, "member 1");
	for (int i = 0; i <= PARAMS_QUERY_MAX; i++)
		strcat(many, "a=1&");
	is_refused("{}", many, NULL, "64 members");
}

static void a_body_is_a_json_object_and_errors_say_where(void **state)
{
	static const char *const bodies[] = {"{", "{\"a\":}", "{\"a\":1,}", "{'a':1}", "{a:1}",
		"[1", "{\"a\":01}", "{\"a\":+1}", "{\"a\":.5}", "{\"a\":1.}", "{\"a\":NaN}",
		"{\"a\":Infinity}", "{\"a\":1e999}", "{\"a\":99999999999999999999}", "{} x", "{}{}",
		"{\"a\":\"\\u0000\"}", "{\"a\":\"\\ud800\"}", "{\"a\":\"\\x\"}", "{\"a\":\"\xff\"}",
		"{\"a\":\"\xc0\x80\"}", "{\"a\":\"\t\"}", "{\"a\":tru}", "\xef\xbb\xbf{}",
		"{/* */}", "{\"a\" 1}", "{\"a\":\"", "   ", "{\"a\":1,\"a\":1}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++)
		is_refused("{}", NULL, bodies[i], "the body is no JSON: line 1, column ");
	is_refused("{}", NULL, "[]", "must be a JSON object");
	is_refused("{}", NULL, "null", "must be a JSON object");
	is_refused("{}", NULL, "\"x\"", "must be a JSON object");
	is_refused("{}", NULL, "{\n\n  x}", "line 3, column 3");
	gives("{}", NULL, " {\"s\" : [1, {\"t\":null}]}\r\n", "{\"s\":[1,{\"t\":null}]}");
	gives("{}", NULL, "{\"a\":-0,\"b\":1e2,\"\":\"\"}", "{\"\":\"\",\"a\":0,\"b\":100.0}");
}

static void a_body_is_bounded_in_depth_and_in_values(void **state)
{
	static char text[2 * PARAMS_VALUES_MAX + 64];
	char *at = stpcpy(text, "{\"a\":");

	(void)state;
	memset(at, '[', PARAMS_DEPTH_MAX);
	is_refused("{}", NULL, text, "deeper than 64");
	memset(at, '[', PARAMS_DEPTH_MAX - 1);
	memset(at + PARAMS_DEPTH_MAX - 1, ']', PARAMS_DEPTH_MAX - 1);
	strcpy(at + 2 * (PARAMS_DEPTH_MAX - 1), ",\"b\":\"[[[\\\"[[[\"}");
	free(collect("{}", NULL, text));
	assert_null(strstr(text, "!"));
	at = stpcpy(text, "{\"a\":[0");
	for (int i = 0; i < PARAMS_VALUES_MAX; i++)
		at = stpcpy(at, ",0");
	strcpy(at, "]}");
	is_refused("{}", NULL, text, "1000000 values");
}

static void a_body_may_repeat_its_path_but_not_contradict_it(void **state)
{
	(void)state;
	gives("{\"id\":\"1\"}", NULL, "{\"id\":\"1\",\"t\":2}", "{\"id\":\"1\",\"t\":2}");
	is_refused("{\"id\":\"1\"}", NULL, "{\"id\":\"2\"}", "id: the body says something else");
	is_refused("{}", "n=1", "{\"n\":2}", "n: the body says something else");
}

#define ROUTE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROUTE_TEST(a_path_is_found_behind_both_prefixes_and_bare_where_it_may_be),
		ROUTE_TEST(every_part_has_to_be_there_and_none_more),
		ROUTE_TEST(names_are_decoded_once),
		ROUTE_TEST(a_part_that_is_no_text_or_climbs_is_refused),
		ROUTE_TEST(a_name_longer_than_the_limit_is_refused),
		ROUTE_TEST(a_literal_part_wins_over_a_named_one),
		ROUTE_TEST(head_finds_get_and_other_methods_are_told_apart),
		ROUTE_TEST(what_http_has_not_is_never_found),
		cmocka_unit_test(a_table_with_a_broken_schema_is_told),
		cmocka_unit_test(a_query_gets_the_types_that_the_schema_wants),
		cmocka_unit_test(a_query_that_is_no_text_or_says_things_twice_is_refused),
		cmocka_unit_test(a_body_is_a_json_object_and_errors_say_where),
		cmocka_unit_test(a_body_is_bounded_in_depth_and_in_values),
		cmocka_unit_test(a_body_may_repeat_its_path_but_not_contradict_it),
	};

	return cmocka_run_group_tests_name("api_route", tests, NULL, NULL);
}
