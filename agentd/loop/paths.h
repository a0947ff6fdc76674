/*
 * paths.h - allowedPaths of an agent: where its tools of files may go.
 *
 * By the path's text: links are not looked at, and commands of bash go where they like. It keeps an agent to its place; what bounds
 * it is its sandbox.
 */
#ifndef AGENTD_LOOP_PATHS_H
#define AGENTD_LOOP_PATHS_H
#include <stdbool.h>

/*
 * allowed: NULL-terminated, none: every path. Relative ones, and those of allowed, begin at the workspace and at cwd
 * ("": the workspace) respectively; "." and ".." are resolved; a trailing slash, * or ** of allowed is none of its name.
 */
bool paths_allow(const char *const *allowed, const char *cwd, const char *path);
#endif
