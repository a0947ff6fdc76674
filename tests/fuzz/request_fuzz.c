/* Any bytes as a target ("/v1/items/7?n=1") and a body behind a NUL: what is accepted is text and fits its schema. */
#include "agentd/api/params.h"
#include "agentd/api/route.h"
#include "agentd/schema.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/text.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/text.h"

#define SCHEMA                                                                                     \
	"{\"type\":\"object\",\"properties\":{\"id\":{\"type\":\"string\"},"                       \
	"\"n\":{\"type\":\"integer\"},\"x\":{\"type\":\"number\"},\"b\":{\"type\":\"boolean\"},"   \
	"\"a\":{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}}}"

static const struct route routes[] = {
	{.method = "GET", .path = "/health", .is_bare = true, .parameters = SCHEMA},
	{.method = "GET", .path = "/items/:id", .parameters = SCHEMA},
	{.method = "GET", .path = "/items/:id/:name", .parameters = SCHEMA},
};

/* A name that a path gave: text, and no way up or out of a line. */
static void check_name(const json_t *name)
{
	const char *text = json_string_value(name);

	if (!name)
		return;
	if (!text || !*text || strcmp(text, ".") == 0 || strcmp(text, "..") == 0 ||
		strpbrk(text, "\r\n") || !text_is_utf8(text, strlen(text)))
		abort();
}

static void collect(struct route_match *match, const char *query, const char *body)
{
	struct error err = {0};
	int r;

	check_name(json_object_get(match->params, "id"));
	check_name(json_object_get(match->params, "name"));
	r = params_add_query(match->params, query, match->schema, &err);
	if (r == 0)
		r = params_add_body(match->params, body, strlen(body), &err);
	if (r == 0)
		r = schema_check(match->schema, match->params, "request", &err);
	if (r < 0 && (err.code != -r || err.text[0] == '\0'))
		abort();
	json_decref(match->params);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *target = fuzz_next_text(&data, &size);
	auto_free char *body = fuzz_next_text(&data, &size);
	char *query = strchr(target, '?');
	struct route_match match = {0};
	struct route_set set = {0};
	struct error err = {0};
	int r;

	if (route_set_init(&set, routes, ARRAY_SIZE(routes), NULL) < 0)
		abort();
	if (query)
		*query++ = '\0';
	r = route_find(&set, "GET", target, &match, &err);
	if (r == 0)
		collect(&match, query, body);
	else if (err.code != -r || err.text[0] == '\0')
		abort();
	route_set_finish(&set);
	return 0;
}
