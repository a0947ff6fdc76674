/*
 * workspace_tree.h - the removal of a directory tree that a sandbox has made. Blocks for as long as that takes.
 *
 * It may be hostile: any names, any depth, any breadth. Names are not looked at; each is reached by the descriptor of
 * its directory; no link is followed and no mount entered. The number of descriptors and the stack are bounded, for what
 * lies deeper than WORKSPACE_TREE_LEVELS is moved up into the tree's own top before it is gone into.
 */
#ifndef SUPERVISOR_WORKSPACE_TREE_H
#define SUPERVISOR_WORKSPACE_TREE_H
struct error;

#define WORKSPACE_TREE_LEVELS 32 /* directories that are open at a time */

/*
 * The directory `name` of the directory `at`: neither a link nor the root of a mount. flags: O_PATH, or what opens a
 * directory. -1 with errno (EXDEV: a mount; ELOOP: a link; ENOTDIR).
 */
int workspace_tree_open(int at, const char *name, int flags);

/*
 * The directory `name`, which is in the directory `at`, with all that is in it. Nobody else may change it meanwhile. What
 * cannot be removed (an immutable file, a mount) stays, and all else goes: then the -errno of one of those, in err.
 */
int workspace_tree_remove(int at, const char *name, struct error *err);
#endif
