/* openapi.h, fault.h, origin.h: what is made of tables, and who may call from a browser. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agentd/api/api_fault.h"
#include "agentd/api/openapi.h"
#include "agentd/api/origin.h"
#include "agentd/api/route.h"
#include "base/cleanup.h"
#include "base/error.h"

#define ITEM                                                                                       \
	"{\"type\":\"object\",\"required\":[\"id\",\"title\"],\"properties\":{"                    \
	"\"id\":{\"type\":\"string\"},\"title\":{\"type\":\"string\"}}}"

static const struct route routes[] = {
	{.method = "GET",
		.path = "/health",
		.access = ROUTE_OPEN,
		.is_bare = true,
		.summary = "Is it there",
		.parameters = "{\"type\":\"object\"}"},
	{.method = "GET",
		.path = "/items/:id/:iden",
		.access = ROUTE_KEY,
		.parameters = ITEM,
		.response = "{\"type\":\"object\"}"},
	{.method = "PATCH",
		.path = "/items/:id",
		.rpc = "item.set",
		.access = ROUTE_KEY,
		.shape = API_SHAPE_REST,
		.parameters = ITEM,
		.response = "{\"type\":\"string\"}"},
	{.method = "POST",
		.path = "/items/:id/touch",
		.access = ROUTE_KEY,
		.parameters = "{\"type\":\"object\",\"properties\":{\"id\":{}}}"},
	{.method = "GET",
		.path = "/events",
		.access = ROUTE_KEY,
		.is_stream = true,
		.parameters =
			"{\"type\":\"object\",\"properties\":{\"cursor\":{\"type\":\"integer\"}}}"},
	{.method = NULL, .path = "/rpc", .rpc = "only.rpc", .parameters = "{}"},
	{.method = "POST", .path = "/admin", .access = ROUTE_ADMIN, .parameters = "{}"},
};

static json_t *make(void)
{
	struct route_set set = {0};
	struct error err = {.text = ""};
	json_t *document;

	assert_int_equal(route_set_init(&set, routes, ARRAY_SIZE(routes), &err), 0);
	document = openapi_make(&set, "1.2", &err);
	if (!document)
		fail_msg("%s", err.text);
	route_set_finish(&set);
	return document;
}

/* A value by its path: at(document, "info", "version", NULL). */
static json_t *at(json_t *value, ...)
{
	const char *name;
	va_list names;

	va_start(names, value);
	while ((name = va_arg(names, const char *)) && value)
		value = json_is_array(value) ? json_array_get(value, (size_t)(name[0] - '0'))
					     : json_object_get(value, name);
	va_end(names);
	return value;
}

static void is_text(json_t *value, const char *wanted)
{
	assert_non_null(value);
	assert_string_equal(json_string_value(value), wanted);
}

static void the_document_is_of_version_3_1_and_lists_what_http_has(void **state)
{
	json_auto_t *document = make();
	json_t *paths = json_object_get(document, "paths");

	(void)state;
	is_text(at(document, "openapi", NULL), "3.1.0");
	is_text(at(document, "info", "version", NULL), "1.2");
	is_text(at(document, "info", "title", NULL), "Hearth");
	is_text(at(document, "servers", "1", "url", NULL), "/api/v1");
	assert_int_equal(json_object_size(paths), 5);
	is_text(at(paths, "/health", "servers", "0", "url", NULL), "/");
	is_text(at(paths, "/health", "get", "summary", NULL), "Is it there");
	assert_null(at(paths, "/health", "get", "security", NULL));
	assert_null(at(paths, "/items/{id}", "servers", NULL));
	assert_non_null(at(paths, "/items/{id}", "patch", "security", "0", "bearer", NULL));
	is_text(at(document, "components", "securitySchemes", "bearer", "scheme", NULL), "bearer");
	is_text(at(document, "components", "schemas", "Error", "properties", "error", "properties",
			"param", "type", "1", NULL),
		"null");
}

static void path_and_query_are_parameters_and_the_rest_is_a_body(void **state)
{
	json_auto_t *document = make();
	json_t *paths = json_object_get(document, "paths");
	json_t *list = at(paths, "/items/{id}/{iden}", "get", "parameters", NULL);
	json_t *body = at(paths, "/items/{id}", "patch", "requestBody", NULL);
	json_t *schema = at(body, "content", "application/json", "schema", NULL);

	(void)state;
	assert_int_equal(json_array_size(list), 2);
	is_text(at(list, "0", "in", NULL), "path");
	is_text(at(list, "1", "name", NULL), "title");
	is_text(at(list, "1", "in", NULL), "query");
	assert_true(json_is_true(at(list, "1", "required", NULL)));
	assert_true(json_is_true(at(body, "required", NULL)));
	assert_int_equal(json_object_size(at(schema, "properties", NULL)), 1);
	assert_int_equal(json_array_size(at(schema, "required", NULL)), 1);
	is_text(at(schema, "required", "0", NULL), "title");
	assert_null(at(paths, "/items/{id}/touch", "post", "requestBody", NULL));
	assert_int_equal(
		json_array_size(at(paths, "/items/{id}/touch", "post", "parameters", NULL)), 1);
	assert_true(
		json_is_false(at(paths, "/events", "get", "parameters", "0", "required", NULL)));
}

static void answers_have_their_shape_and_streams_say_so(void **state)
{
	json_auto_t *document = make();
	json_t *paths = json_object_get(document, "paths");
	json_t *answer = at(paths, "/items/{id}", "patch", "responses", "200", "content",
		"application/json", "schema", "properties", NULL);

	(void)state;
	is_text(at(answer, "data", "type", NULL), "string");
	assert_true(json_is_true(at(answer, "ok", "const", NULL)));
	assert_non_null(at(
		paths, "/events", "get", "responses", "200", "content", "text/event-stream", NULL));
	is_text(at(paths, "/items/{id}", "patch", "responses", "default", "content",
			"application/json", "schema", "$ref", NULL),
		"#/components/schemas/RestError");
}

static void every_operation_has_a_name_of_its_own(void **state)
{
	json_auto_t *document = make();
	json_auto_t *seen = json_object();
	const char *path, *method;
	json_t *item, *operation;

	(void)state;
	json_object_foreach(json_object_get(document, "paths"), path, item)
	{
		json_object_foreach(item, method, operation)
		{
			const char *id =
				json_string_value(json_object_get(operation, "operationId"));

			if (strcmp(method, "servers") == 0)
				continue;
			assert_non_null(id);
			assert_null(json_object_get(seen, id));
			json_object_set_new(seen, id, json_true());
		}
	}
	assert_int_equal(json_object_size(seen), 5);
	assert_non_null(json_object_get(seen, "item_set"));
}

static void a_response_that_is_no_json_is_told(void **state)
{
	static const struct route broken[] = {
		{.method = "GET", .path = "/x", .parameters = "{}", .response = "{"}};
	struct route_set set = {0};
	struct error err = {.text = ""};

	(void)state;
	assert_int_equal(route_set_init(&set, broken, 1, &err), 0);
	assert_null(openapi_make(&set, "1", &err));
	assert_non_null(strstr(err.text, "/x"));
	route_set_finish(&set);
}

static void every_fault_has_its_row(void **state)
{
	(void)state;
	for (int i = API_INVALID_REQUEST; i <= API_BAD_VERSION; i++) {
		enum api_fault fault = (enum api_fault)i;

		assert_in_range(api_fault_status(fault), 400, 599);
		assert_true(strlen(api_fault_reason(fault)) > 0);
		assert_true(strlen(api_fault_code(fault)) > 0);
		assert_true(strlen(api_fault_type(fault)) > 0);
	}
	assert_int_equal(api_fault_status(API_RATE_LIMITED), 429);
	assert_string_equal(api_fault_code(API_RATE_LIMITED), "rate_limit_exceeded");
}

static void errors_have_both_shapes_and_are_text_even_when_cut(void **state)
{
	json_auto_t *openai = api_fault_body(API_SHAPE_OPENAI, API_CONFLICT, "p", "why");
	json_auto_t *rest = api_fault_body(API_SHAPE_REST, API_CONFLICT, NULL, "half \xc3");

	(void)state;
	is_text(at(openai, "error", "message", NULL), "why");
	is_text(at(openai, "error", "code", NULL), "conflict");
	is_text(at(openai, "error", "param", NULL), "p");
	assert_true(json_is_false(at(rest, "ok", NULL)));
	is_text(at(rest, "error", NULL), "half ");
	is_text(at(rest, "code", NULL), "conflict");
	assert_true(json_is_null(at(rest, "details", "param", NULL)));
}

static void only_our_own_names_are_hosts(void **state)
{
	static const char *const names[] = {"hearth.example", NULL};
	static const char *const own[] = {"localhost", "LOCALHOST:1", "127.0.0.1:65535", "[::1]",
		"[::1]:80", "hearth.example", "Hearth.Example:443"};
	static const char *const foreign[] = {"", ":80", "localhost.", "localhost.evil.example",
		"localhost:", "localhost:x", "localhost:1x", "localhost:123456",
		"127.0.0.1.evil.example", "127.0.0.2", "::1", "[::1]x", "evil.example",
		"localhost@evil.example", "hearth.example.evil", "user@localhost"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		assert_true(origin_is_own_host(own[i], names));
	for (size_t i = 0; i < ARRAY_SIZE(foreign); i++)
		assert_false(origin_is_own_host(foreign[i], names));
	assert_false(origin_is_own_host("hearth.example", NULL));
}

static void only_allowed_pages_are_origins(void **state)
{
	static const char *const patterns[] = {"http://localhost:*", "https://app.example", NULL};
	static const char *const all[] = {"*", NULL};
	static const char *const good[] = {"http://localhost", "http://localhost:5173",
		"https://app.example", "HTTP://LOCALHOST:1"};
	static const char *const bad[] = {"", "null", "https://localhost:1", "http://localhost:1/",
		"http://localhost:*", "http://localhost.evil", "http://localhost:1.evil",
		"https://app.example:8443", "https://app.example.evil", "http://app.example", "*"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(origin_is_allowed(good[i], patterns));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(origin_is_allowed(bad[i], patterns));
	assert_true(origin_is_allowed("https://any.example", all));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_document_is_of_version_3_1_and_lists_what_http_has),
		cmocka_unit_test(path_and_query_are_parameters_and_the_rest_is_a_body),
		cmocka_unit_test(answers_have_their_shape_and_streams_say_so),
		cmocka_unit_test(every_operation_has_a_name_of_its_own),
		cmocka_unit_test(a_response_that_is_no_json_is_told),
		cmocka_unit_test(every_fault_has_its_row),
		cmocka_unit_test(errors_have_both_shapes_and_are_text_even_when_cut),
		cmocka_unit_test(only_our_own_names_are_hosts),
		cmocka_unit_test(only_allowed_pages_are_origins),
	};

	return cmocka_run_group_tests_name("api_openapi", tests, NULL, NULL);
}
