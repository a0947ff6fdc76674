#include "agentd/api/params.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "agentd/api/percent.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/text.h"

#define NAME_MAX_LENGTH 64

static bool wants(const json_t *rule, const char *type)
{
	const json_t *types = json_object_get(rule, "type");
	size_t index;
	json_t *one;

	if (json_is_string(types))
		return strcmp(json_string_value(types), type) == 0;
	json_array_foreach(types, index, one)
	{
		if (strcmp(json_string_value(one), type) == 0)
			return true;
	}
	return false;
}

/* A number as JSON writes it, else NULL. */
static json_t *make_number(const char *text)
{
	json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);

	if (json_is_number(value) && strspn(text, "+-.0123456789eE") == strlen(text))
		return value;
	json_decref(value);
	return NULL;
}

/* What does not look like its type stays a text, and the schema's check says so. */
static json_t *make_value(const json_t *rule, const char *text)
{
	json_t *value = NULL;

	if (wants(rule, "boolean") && strcmp(text, "true") == 0)
		return json_true();
	if (wants(rule, "boolean") && strcmp(text, "false") == 0)
		return json_false();
	if (wants(rule, "integer") || wants(rule, "number"))
		value = make_number(text);
	return value ? value : json_string(text);
}

static int add_member(
	json_t *params, const char *name, const char *text, const json_t *schema, struct error *err)
{
	const json_t *rule = json_object_get(json_object_get(schema, "properties"), name);
	json_t *known = json_object_get(params, name);
	int r;

	if (known && !(wants(rule, "array") && json_is_array(known)))
		return error_set(err, EINVAL, "%s: stands twice", name);
	if (!wants(rule, "array")) {
		r = json_object_set_new(params, name, make_value(rule, text));
	} else {
		const json_t *items = json_object_get(rule, "items");

		if (!known && json_object_set_new(params, name, json_array()) < 0)
			return error_set(err, ENOMEM, "out of memory");
		r = json_array_append_new(json_object_get(params, name), make_value(items, text));
	}
	return r < 0 ? error_set(err, ENOMEM, "out of memory") : 0;
}

int params_type(json_t *params, const json_t *schema, struct error *err)
{
	const json_t *rules = json_object_get(schema, "properties");

	for (void *at = json_object_iter(params); at; at = json_object_iter_next(params, at)) {
		const json_t *rule = json_object_get(rules, json_object_iter_key(at));
		const char *text = json_string_value(json_object_iter_value(at));

		if (json_object_iter_set_new(params, at, make_value(rule, text)) < 0)
			return error_set(err, ENOMEM, "out of memory");
	}
	return 0;
}

int params_add_query(json_t *params, const char *query, const json_t *schema, struct error *err)
{
	auto_free char *value = malloc(PARAMS_VALUE_MAX + 1);
	char name[NAME_MAX_LENGTH + 1];
	unsigned count = 0;
	int r = 0;

	if (!value)
		return error_set(err, ENOMEM, "out of memory");
	while (r == 0 && query && *query) {
		size_t length = strcspn(query, "&");
		const char *equals = memchr(query, '=', length);
		size_t name_length = equals ? (size_t)(equals - query) : length;
		size_t value_length = equals ? length - name_length - 1 : 0;

		if (length > 0 && ++count > PARAMS_QUERY_MAX)
			return error_set(err, EINVAL, "the query has more than %d members",
				PARAMS_QUERY_MAX);
		if (length > 0 &&
			(percent_decode(query, name_length, PERCENT_QUERY, name, NAME_MAX_LENGTH) <=
					0 ||
				percent_decode(query + length - value_length, value_length,
					PERCENT_QUERY, value, PARAMS_VALUE_MAX) < 0))
			return error_set(err, EINVAL,
				"the query's member %u is no text: encode it as UTF-8 in %%XX",
				count);
		if (length > 0)
			r = add_member(params, name, value, schema, err);
		query += length + (query[length] == '&');
	}
	return r;
}

int params_add_header(
	json_t *params, const char *name, const char *text, const json_t *schema, struct error *err)
{
	const json_t *rule = json_object_get(json_object_get(schema, "properties"), name);
	const json_t *said = json_object_get(params, name);

	if (!text || !rule || (said && !json_is_null(said)))
		return 0;
	if (!text_is_utf8(text, strlen(text)))
		return error_set(err, EINVAL, "the header that stands for %s is no UTF-8", name);
	json_object_del(params, name);
	return add_member(params, name, text, schema, err);
}

/*
 * jansson's own depth limit is 2,048, its number of values has none, and a value of two bytes takes forty in memory.
 * Texts are skipped roughly: what is no JSON fails later.
 */
static int measure(const char *text, size_t size, struct error *err)
{
	size_t depth = 0, values = 1;
	bool is_string = false;

	for (size_t i = 0; i < size; i++) {
		char c = text[i];

		if (is_string) {
			i += c == '\\';
			is_string = c != '"';
			continue;
		}
		is_string = c == '"';
		values += c == ',' || c == '[' || c == '{';
		depth += c == '[' || c == '{';
		if (depth > PARAMS_DEPTH_MAX)
			return error_set(
				err, EINVAL, "the body is nested deeper than %d", PARAMS_DEPTH_MAX);
		if (values > PARAMS_VALUES_MAX)
			return error_set(
				err, E2BIG, "the body has more than %d values", PARAMS_VALUES_MAX);
		if ((c == ']' || c == '}') && depth > 0)
			depth--;
	}
	return 0;
}

int params_add_body(json_t *params, const char *text, size_t size, struct error *err)
{
	json_auto_t *body = NULL;
	json_error_t where;
	const char *name;
	json_t *value;
	int r = measure(text, size, err);

	if (r < 0)
		return r;
	body = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &where);
	if (!body && json_error_code(&where) == json_error_out_of_memory)
		return error_set(err, ENOMEM, "out of memory");
	if (!body)
		return error_set(err, EINVAL, "the body is no JSON: line %d, column %d: %.100s",
			where.line, where.column,
			json_error_code(&where) == json_error_null_character
				? "the character \\u0000 cannot be taken: leave it out"
				: where.text);
	if (!json_is_object(body))
		return error_set(err, EINVAL, "the body must be a JSON object");
	json_object_foreach(body, name, value)
	{
		json_t *known = json_object_get(params, name);

		if (known && !json_equal(known, value))
			return error_set(err, EINVAL,
				"%.40s: the body says something else than the path or query", name);
		if (!known && json_object_set(params, name, value) < 0)
			return error_set(err, ENOMEM, "out of memory");
	}
	return 0;
}
