#include "agentd/api/openapi.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "agentd/api/route.h"
#include "base/error.h"

#define PATH_TEXT_MAX	256
#define NAME_TEXT_MAX	128
#define METHOD_TEXT_MAX 16

/* "/runs/:id/events" as "/runs/{id}/events". */
static void write_path(const char *path, char text[static PATH_TEXT_MAX])
{
	size_t used = 0;
	bool is_name = false;

	for (;; path++) {
		if (is_name && (*path == '/' || *path == '\0')) {
			text[used++] = '}';
			is_name = false;
		}
		if (*path == '\0' || used > PATH_TEXT_MAX - 4)
			break;
		is_name |= *path == ':';
		text[used++] = *path == ':' ? '{' : *path;
	}
	text[used] = '\0';
}

static bool is_in_path(const char *path, const char *name)
{
	size_t length = strlen(name);

	for (const char *at = path; (at = strstr(at, "/:")); at++) {
		if (strncmp(at + 2, name, length) == 0 &&
			(at[2 + length] == '/' || at[2 + length] == '\0'))
			return true;
	}
	return false;
}

static bool is_required(const json_t *schema, const char *name)
{
	size_t index;
	json_t *one;

	json_array_foreach(json_object_get(schema, "required"), index, one)
	{
		if (strcmp(json_string_value(one), name) == 0)
			return true;
	}
	return false;
}

static bool takes_body(const struct route *route)
{
	return route->method[0] == 'P'; /* POST, PUT, PATCH */
}

/* A name that no other route has: "session.get", or the method and the path. */
static void write_id(const struct route *route, char text[static NAME_TEXT_MAX])
{
	if (route->rpc)
		snprintf(text, NAME_TEXT_MAX, "%s", route->rpc);
	else
		snprintf(text, NAME_TEXT_MAX, "%s%s", route->method, route->path);
	for (char *c = text; *c; c++) {
		*c = (char)tolower((unsigned char)*c);
		if (!isalnum((unsigned char)*c))
			*c = '_';
	}
}

/* What stands in the path, and for requests without a body in the query. */
static json_t *make_parameters(const struct route *route, const json_t *schema)
{
	json_t *list = json_array();
	const char *name;
	json_t *rule;

	json_object_foreach(json_object_get(schema, "properties"), name, rule)
	{
		bool in_path = is_in_path(route->path, name);

		if (!in_path && takes_body(route))
			continue;
		json_array_append_new(
			list, json_pack("{s:s, s:s, s:b, s:O}", "name", name, "in",
				      in_path ? "path" : "query", "required",
				      in_path || is_required(schema, name), "schema", rule));
	}
	return list;
}

/* The schema without what stands in the path; NULL: nothing is left. */
static json_t *make_body(const struct route *route, const json_t *schema)
{
	json_t *properties = json_object(), *required = json_array(), *body;
	const char *name;
	json_t *rule;

	json_object_foreach(json_object_get(schema, "properties"), name, rule)
	{
		if (is_in_path(route->path, name))
			continue;
		json_object_set(properties, name, rule);
		if (is_required(schema, name))
			json_array_append_new(required, json_string(name));
	}
	if (json_object_size(properties) == 0) {
		json_decref(properties);
		json_decref(required);
		return NULL;
	}
	body = json_copy((json_t *)(uintptr_t)schema);
	json_object_set_new(body, "properties", properties);
	if (json_array_size(required) > 0)
		json_object_set(body, "required", required);
	else
		json_object_del(body, "required");
	json_decref(required);
	return json_pack("{s:b, s:{s:{s:o}}}", "required",
		json_array_size(json_object_get(body, "required")) > 0, "content",
		"application/json", "schema", body);
}

static json_t *make_error(enum api_shape shape)
{
	const char *name = shape == API_SHAPE_REST ? "#/components/schemas/RestError"
						   : "#/components/schemas/Error";

	return json_pack("{s:s, s:{s:{s:{s:s}}}}", "description", "Why it failed", "content",
		"application/json", "schema", "$ref", name);
}

/* NULL: the table's schema is no JSON. */
static json_t *make_answer(const struct route *route)
{
	json_t *schema = route->response ? json_loads(route->response, 0, NULL) : json_object();
	json_t *content;

	if (!schema)
		return NULL;
	if (route->shape == API_SHAPE_REST)
		schema = json_pack("{s:s, s:[s,s], s:{s:{s:b}, s:o}}", "type", "object", "required",
			"ok", "data", "properties", "ok", "const", 1, "data", schema);
	content = json_pack("{s:{s:o}}", "application/json", "schema", schema);
	if (route->is_stream)
		json_object_set_new(content, "text/event-stream",
			json_pack("{s:{s:s}}", "schema", "type", "string"));
	return json_pack("{s:s, s:o}", "description", "The result", "content", content);
}

static json_t *make_operation(const struct route *route, const json_t *schema)
{
	json_t *answer = make_answer(route);
	char id[NAME_TEXT_MAX];
	json_t *operation, *body;

	if (!answer)
		return NULL;
	write_id(route, id);
	operation = json_pack("{s:s, s:s, s:o, s:{s:o, s:o}}", "operationId", id, "summary",
		route->summary ? route->summary : "", "parameters", make_parameters(route, schema),
		"responses", "200", answer, "default", make_error(route->shape));
	body = takes_body(route) ? make_body(route, schema) : NULL;
	if (body)
		json_object_set_new(operation, "requestBody", body);
	if (route->access == ROUTE_KEY)
		json_object_set_new(operation, "security", json_pack("[{s:[]}]", "bearer"));
	return operation;
}

static json_t *make_components(void)
{
	return json_pack("{s:{s:{s:s, s:s}},"
			 " s:{s:{s:s, s:{s:{s:s, s:{s:{s:s}, s:{s:s}, s:{s:s}, s:{s:[s,s]}}}}},"
			 "    s:{s:s, s:{s:{s:b}, s:{s:s}, s:{s:s}, s:{s:s}}}}}",
		"securitySchemes", "bearer", "type", "http", "scheme", "bearer", "schemas", "Error",
		"type", "object", "properties", "error", "type", "object", "properties", "message",
		"type", "string", "type", "type", "string", "code", "type", "string", "param",
		"type", "string", "null", "RestError", "type", "object", "properties", "ok",
		"const", 0, "error", "type", "string", "code", "type", "string", "details", "type",
		"object");
}

static int add_route(
	json_t *paths, const struct route *route, const json_t *schema, struct error *err)
{
	json_t *operation = make_operation(route, schema);
	char path[PATH_TEXT_MAX], method[METHOD_TEXT_MAX];
	json_t *item;

	if (!operation)
		return error_set(err, EINVAL, "%s %s: its response's schema is no JSON",
			route->method, route->path);
	write_path(route->path, path);
	item = json_object_get(paths, path);
	if (!item) {
		item = route->is_bare ? json_pack("{s:[{s:s}, {s:s}]}", "servers", "url", "/",
						"url", "/v1")
				      : json_object();
		json_object_set_new(paths, path, item);
	}
	snprintf(method, sizeof(method), "%s", route->method);
	for (char *c = method; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	json_object_set_new(item, method, operation);
	return 0;
}

json_t *openapi_make(const struct route_set *set, const char *version, struct error *err)
{
	json_t *paths = json_object();
	json_t *document;

	for (size_t i = 0; i < set->count; i++) {
		const struct route *route = &set->routes[i];

		if (!route->method || !route->path || route->access == ROUTE_ADMIN)
			continue;
		if (add_route(paths, route, set->schemas[i], err) < 0) {
			json_decref(paths);
			return NULL;
		}
	}
	document = json_pack("{s:s, s:{s:s, s:s}, s:[{s:s}, {s:s}], s:o, s:o}", "openapi", "3.1.0",
		"info", "title", "Hearth", "version", version, "servers", "url", "/v1", "url",
		"/api/v1", "paths", paths, "components", make_components());
	if (!document)
		error_set(err, ENOMEM, "openapi: out of memory");
	return document;
}
