#include "agentd/schema.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"

#define NAME_MAX_LENGTH 128
#define LIST_MAX_LENGTH 160
#define NUMBER		"%.16g" /* whole ones up to 2^53 as they are */

static const char *type_name(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "object";
	case JSON_ARRAY:
		return "array";
	case JSON_STRING:
		return "string";
	case JSON_INTEGER:
		return "integer";
	case JSON_REAL:
		return "number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "boolean";
	case JSON_NULL:
		return "null";
	}
	return "?";
}

static bool is_type(const json_t *value, const char *type)
{
	const char *own = type_name(value);

	return strcmp(own, type) == 0 ||
	       (strcmp(type, "number") == 0 && strcmp(own, "integer") == 0);
}

/* The strings of an array, or the keys of an object, as "a, b, c"; cut when too long. */
static const char *list_words(const json_t *words, char text[static LIST_MAX_LENGTH])
{
	size_t used = 0;
	size_t index;
	const char *key;
	json_t *word;

	text[0] = '\0';
	if (json_is_object(words)) {
		json_object_foreach((json_t *)words, key, word)
		{
			if (used < LIST_MAX_LENGTH)
				used += (size_t)snprintf(text + used, LIST_MAX_LENGTH - used,
					"%s%s", used ? ", " : "", key);
		}
		return text;
	}
	json_array_foreach(words, index, word)
	{
		if (used < LIST_MAX_LENGTH)
			used += (size_t)snprintf(text + used, LIST_MAX_LENGTH - used, "%s%s",
				used ? ", " : "", json_string_value(word));
	}
	return text;
}

static int check_type(
	const json_t *schema, const json_t *value, const char *name, struct error *err)
{
	const json_t *type = json_object_get(schema, "type");
	char list[LIST_MAX_LENGTH];
	size_t index;
	json_t *one;

	if (!type)
		return 0;
	if (json_is_string(type)) {
		if (is_type(value, json_string_value(type)))
			return 0;
		return error_set(err, EINVAL, "%s: must be of type %s, is %s", name,
			json_string_value(type), type_name(value));
	}
	json_array_foreach(type, index, one)
	{
		if (is_type(value, json_string_value(one)))
			return 0;
	}
	return error_set(err, EINVAL, "%s: must be one of the types %s, is %s", name,
		list_words(type, list), type_name(value));
}

static int check_enum(
	const json_t *schema, const json_t *value, const char *name, struct error *err)
{
	const json_t *words = json_object_get(schema, "enum");
	char list[LIST_MAX_LENGTH];
	size_t index;
	json_t *word;

	if (!words)
		return 0;
	json_array_foreach(words, index, word)
	{
		if (json_equal(word, value))
			return 0;
	}
	return error_set(err, EINVAL, "%s: must be one of %s", name, list_words(words, list));
}

/* count (of what unit says) must lie between the two keywords, either of which may be absent. */
static int check_bounds(const json_t *schema, const char *min_word, const char *max_word,
	double count, const char *unit, const char *name, struct error *err)
{
	const json_t *min = json_object_get(schema, min_word);
	const json_t *max = json_object_get(schema, max_word);

	if (min && count < json_number_value(min))
		return error_set(err, EINVAL, "%s: must be at least " NUMBER "%s, is " NUMBER, name,
			json_number_value(min), unit, count);
	if (max && count > json_number_value(max))
		return error_set(err, EINVAL, "%s: must be at most " NUMBER "%s, is " NUMBER, name,
			json_number_value(max), unit, count);
	return 0;
}

static int check_array(
	const json_t *schema, const json_t *value, const char *name, struct error *err)
{
	const json_t *items = json_object_get(schema, "items");
	char item_name[NAME_MAX_LENGTH];
	size_t index;
	json_t *item;
	int r;

	r = check_bounds(schema, "minItems", "maxItems", (double)json_array_size(value), " items",
		name, err);
	if (r < 0 || !items)
		return r;
	json_array_foreach(value, index, item)
	{
		snprintf(item_name, sizeof(item_name), "%s[%zu]", name, index);
		r = schema_check(items, item, item_name, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int schema_check_members(const json_t *schema, const json_t *object, const char *name,
	const char **bad_member, struct error *err)
{
	const json_t *properties = json_object_get(schema, "properties");
	char list[LIST_MAX_LENGTH];
	char member_name[NAME_MAX_LENGTH];
	size_t index;
	const char *key;
	json_t *word, *member;
	int r;

	json_array_foreach(json_object_get(schema, "required"), index, word)
	{
		*bad_member = json_string_value(word);
		if (!json_object_get(object, *bad_member))
			return error_set(err, EINVAL, "%s: %s is required", name, *bad_member);
	}
	json_object_foreach((json_t *)object, key, member)
	{
		const json_t *rule = json_object_get(properties, key);

		*bad_member = key;
		if (!rule && json_is_false(json_object_get(schema, "additionalProperties")))
			return error_set(err, EINVAL, "%s: unknown member %.40s (known: %s)", name,
				key, list_words(properties, list));
		if (!rule)
			continue;
		snprintf(member_name, sizeof(member_name), "%s.%s", name, key);
		r = schema_check(rule, member, member_name, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int schema_check(const json_t *schema, const json_t *value, const char *name, struct error *err)
{
	const char *bad_member;
	int r;

	r = check_type(schema, value, name, err);
	if (r < 0)
		return r;
	r = check_enum(schema, value, name, err);
	if (r < 0)
		return r;
	if (json_is_number(value))
		return check_bounds(
			schema, "minimum", "maximum", json_number_value(value), "", name, err);
	if (json_is_string(value))
		return check_bounds(schema, "minLength", "maxLength",
			(double)json_string_length(value), " bytes", name, err);
	if (json_is_array(value))
		return check_array(schema, value, name, err);
	if (json_is_object(value))
		return schema_check_members(schema, value, name, &bad_member, err);
	return 0;
}
