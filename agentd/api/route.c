#include "agentd/api/route.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agentd/api/percent.h"
#include "base/cleanup.h"
#include "base/error.h"

/* A path cut at its slashes, each part decoded. */
struct segments {
	size_t count;
	char text[ROUTE_SEGMENTS_MAX][ROUTE_SEGMENT_MAX + 1];
};

int route_set_init(
	struct route_set *set, const struct route *routes, size_t count, struct error *err)
{
	set->routes = routes;
	set->count = count;
	set->schemas = calloc(count ? count : 1, sizeof(*set->schemas));
	if (!set->schemas)
		return error_set(err, ENOMEM, "routes: out of memory");
	for (size_t i = 0; i < count; i++) {
		json_error_t where;

		set->schemas[i] = json_loads(routes[i].parameters, JSON_REJECT_DUPLICATES, &where);
		if (!json_is_object(set->schemas[i]))
			return error_set(err, EINVAL, "route %s: its schema: %.80s",
				routes[i].path ? routes[i].path : routes[i].rpc, where.text);
	}
	return 0;
}

void route_set_finish(struct route_set *set)
{
	for (size_t i = 0; set->schemas && i < set->count; i++)
		json_decref(set->schemas[i]);
	free(set->schemas);
	memset(set, 0, sizeof(*set));
}

/* -ENOENT: longer than any route's path. */
static int cut(const char *path, struct segments *ret_segments, struct error *err)
{
	size_t count = 0;

	while (*path == '/') {
		size_t length = strcspn(path + 1, "/?");
		char *text = ret_segments->text[count];

		if (count == ROUTE_SEGMENTS_MAX || length > 3 * ROUTE_SEGMENT_MAX)
			return error_set(err, ENOENT, "no such path");
		if (percent_decode(path + 1, length, PERCENT_PATH, text, ROUTE_SEGMENT_MAX) < 0)
			return error_set(
				err, EINVAL, "the path is no text: encode it as UTF-8 in %%XX");
		if (strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
			return error_set(err, EINVAL, "the path climbs: leave out . and ..");
		count++;
		path += 1 + length;
	}
	ret_segments->count = count;
	return 0;
}

/* The part of a pattern behind at ("/:id/title"): its length without the slash. */
static size_t part_length(const char *at)
{
	return strcspn(at + 1, "/");
}

static bool fits(const char *pattern, const struct segments *segments, size_t first)
{
	size_t i = first;

	for (; *pattern == '/'; i++) {
		size_t length = part_length(pattern);
		const char *part = pattern + 1;

		if (i == segments->count)
			return false;
		if (*part == ':' ? segments->text[i][0] == '\0'
				 : strlen(segments->text[i]) != length ||
					   memcmp(segments->text[i], part, length) != 0)
			return false;
		pattern = part + length;
	}
	return i == segments->count;
}

/* Literal parts win over named ones: how many a pattern has. */
static unsigned literals(const char *pattern)
{
	unsigned count = 0;

	for (const char *at = pattern; *at == '/'; at += 1 + part_length(at))
		count += at[1] != ':';
	return count;
}

/* The route is at this path, bare or behind one of the prefixes. */
static bool is_at(const struct route *route, const struct segments *segments, size_t *ret_first)
{
	bool is_v1 = segments->count > 0 && strcmp(segments->text[0], "v1") == 0;
	bool is_api_v1 = segments->count > 1 && strcmp(segments->text[0], "api") == 0 &&
			 strcmp(segments->text[1], "v1") == 0;

	if (!route->method || !route->path)
		return false;
	if (route->is_bare && fits(route->path, segments, 0))
		*ret_first = 0;
	else if (is_v1 && fits(route->path, segments, 1))
		*ret_first = 1;
	else if (is_api_v1 && fits(route->path, segments, 2))
		*ret_first = 2;
	else
		return false;
	return true;
}

static bool has_word(const char *list, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = list; (at = strstr(at, word)); at += length) {
		if ((at == list || at[-1] == ' ') && (at[length] == ',' || at[length] == '\0'))
			return true;
	}
	return false;
}

static void add_word(char *list, const char *word)
{
	size_t used = strlen(list);

	if (!has_word(list, word))
		snprintf(list + used, ROUTE_ALLOW_MAX - used, "%s%s", used ? ", " : "", word);
}

static json_t *name_params(const struct route *route, const struct segments *segments, size_t first)
{
	json_t *params = json_object();

	for (const char *at = route->path; params && *at == '/'; first++) {
		size_t length = part_length(at);

		if (at[1] == ':' && json_object_setn_new(params, at + 2, length - 1,
					    json_string(segments->text[first])) < 0) {
			json_decref(params);
			return NULL;
		}
		at += 1 + length;
	}
	return params;
}

int route_find(const struct route_set *set, const char *method, const char *path,
	struct route_match *ret_match, struct error *err)
{
	const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;
	struct route_match found = {.allow = ""};
	struct segments segments;
	size_t first = 0, found_first = 0;
	int r = cut(path, &segments, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < set->count; i++) {
		const struct route *route = &set->routes[i];

		if (!is_at(route, &segments, &first))
			continue;
		add_word(found.allow, route->method);
		if (strcmp(route->method, "GET") == 0)
			add_word(found.allow, "HEAD");
		if (strcmp(route->method, wanted) != 0 ||
			(found.route && literals(found.route->path) >= literals(route->path)))
			continue;
		found.route = route;
		found.schema = set->schemas[i];
		found_first = first;
	}
	if (!found.allow[0])
		return error_set(err, ENOENT, "no such path");
	if (!found.route) {
		*ret_match = found;
		return error_set(err, ENOTSUP, "this path takes %s", found.allow);
	}
	found.params = name_params(found.route, &segments, found_first);
	if (!found.params)
		return error_set(err, ENOMEM, "out of memory");
	*ret_match = found;
	return 0;
}

enum api_shape route_shape(const struct route_set *set, const char *path)
{
	struct segments segments;
	size_t first;

	if (cut(path, &segments, NULL) < 0)
		return API_SHAPE_REST;
	for (size_t i = 0; i < set->count; i++) {
		if (is_at(&set->routes[i], &segments, &first))
			return set->routes[i].shape;
	}
	return API_SHAPE_REST;
}

const struct route *route_find_rpc(
	const struct route_set *set, const char *name, const json_t **ret_schema)
{
	for (size_t i = 0; i < set->count; i++) {
		if (!set->routes[i].rpc || strcmp(set->routes[i].rpc, name) != 0)
			continue;
		*ret_schema = set->schemas[i];
		return &set->routes[i];
	}
	return NULL;
}
