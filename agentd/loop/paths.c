#include "agentd/loop/paths.h"

#include <stdio.h>
#include <string.h>

#include "agentd/tool/tool.h"

/* An absolute path without ".", ".." and doubled slashes; "" is the root. False: too long. */
static bool resolve(const char *base, const char *path, char to[static TOOL_PATH_MAX])
{
	char joined[2 * TOOL_PATH_MAX], *save = NULL;
	size_t used = 0;
	int n = snprintf(joined, sizeof(joined), "%s/%s", path[0] == '/' ? "" : base, path);

	if (n < 0 || (size_t)n >= sizeof(joined))
		return false;
	to[0] = '\0';
	for (char *name = strtok_r(joined, "/", &save); name; name = strtok_r(NULL, "/", &save)) {
		size_t length = strlen(name);

		if (strcmp(name, ".") == 0)
			continue;
		if (strcmp(name, "..") == 0) {
			while (used > 0 && to[--used] != '/')
				;
			to[used] = '\0';
			continue;
		}
		if (used + 1 + length >= TOOL_PATH_MAX)
			return false;
		to[used++] = '/';
		memcpy(to + used, name, length + 1);
		used += length;
	}
	return true;
}

static void cut_stars(char *path)
{
	size_t length = strlen(path);

	while (length > 0 && path[length - 1] == '*')
		length--;
	while (length > 0 && path[length - 1] == '/')
		length--;
	path[length] = '\0';
}

bool paths_allow(const char *const *allowed, const char *cwd, const char *path)
{
	char target[TOOL_PATH_MAX], place[TOOL_PATH_MAX];

	if (!allowed[0])
		return true;
	if (!resolve(cwd[0] ? cwd : TOOL_WORKSPACE, path, target))
		return false;
	for (; *allowed; allowed++) {
		size_t length;

		if (!resolve(TOOL_WORKSPACE, *allowed, place))
			continue;
		cut_stars(place);
		length = strlen(place);
		if (strncmp(target, place, length) == 0 &&
			(target[length] == '\0' || target[length] == '/'))
			return true;
	}
	return false;
}
