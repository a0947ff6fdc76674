#include "agentd/scripted/place.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

#define PATH_SIZE 96
#define BLANKS	  " \t\r\n"

/* What follows may assume JSON that is right, and must only not run over its end. */

static const char *skip_blanks(const char *at)
{
	return at + strspn(at, BLANKS);
}

/* From a quote to behind its partner. */
static const char *skip_string(const char *at)
{
	for (at++; *at && *at != '"'; at++) {
		if (*at == '\\' && at[1])
			at++;
	}
	return *at ? at + 1 : at;
}

static const char *skip_value(const char *at)
{
	unsigned depth = 0;

	do {
		if (*at == '"') {
			at = skip_string(at);
			continue;
		}
		if (*at == '{' || *at == '[')
			depth++;
		else if ((*at == '}' || *at == ']') && depth > 0)
			depth--;
		else if (depth == 0)
			return at + strcspn(at, BLANKS ",]}");
		if (*at)
			at++;
	} while (*at && depth > 0);
	return at;
}

static bool is_key(const char *at, const char *key)
{
	size_t length = strlen(key);

	return strncmp(at + 1, key, length) == 0 && at[1 + length] == '"';
}

/* The value of a member or an item of what begins at `at`; NULL: not there. */
static const char *find_child(const char *at, const struct place *place)
{
	bool is_object = *at == '{';
	bool is_it;

	at = skip_blanks(at + 1);
	for (size_t i = 0; *at && *at != '}' && *at != ']'; i++) {
		is_it = place->key ? is_object && is_key(at, place->key) : i == place->index;
		if (is_object) {
			at = skip_blanks(skip_string(at));
			at = skip_blanks(at + (*at == ':'));
		}
		if (is_it)
			return at;
		at = skip_blanks(skip_value(at));
		at = skip_blanks(at + (*at == ','));
	}
	return NULL;
}

static const char *find(const struct place *place)
{
	const char *at, *child;

	if (!place->parent)
		return skip_blanks(place->text);
	at = find(place->parent);
	child = *at == '{' || *at == '[' ? find_child(at, place) : NULL;
	return child ? child : at;
}

unsigned place_line(const struct place *place)
{
	const struct place *root = place;
	unsigned line = 1;

	while (root->parent)
		root = root->parent;
	for (const char *at = root->text, *end = find(place); at < end; at++)
		line += *at == '\n';
	return line;
}

/* "steps[3].chunk: "; what does not fit is left out. */
static void write_path(const struct place *place, FILE *to)
{
	if (!place->parent)
		return;
	write_path(place->parent, to);
	if (place->key)
		fprintf(to, "%s%.32s", place->parent->parent ? "." : "", place->key);
	else
		fprintf(to, "[%zu]", place->index);
}

int place_refuse(const struct place *place, struct error *err, const char *format, ...)
{
	char path[PATH_SIZE] = "", what[ERROR_TEXT_MAX] = "";
	FILE *to = fmemopen(path, sizeof(path), "w");
	va_list list;

	if (to) {
		write_path(place, to);
		fclose(to);
	}
	path[sizeof(path) - 1] = '\0';
	va_start(list, format);
	vsnprintf(what, sizeof(what), format, list);
	va_end(list);
	return error_set(
		err, EINVAL, "line %u: %s%s%s", place_line(place), path, path[0] ? ": " : "", what);
}
