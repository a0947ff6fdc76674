/*
 * tree.h - walk and remove directory trees by directory fds, as root, without following a symlink
 * and without crossing into another mount.
 */
#ifndef IMAGES_TREE_H
#define IMAGES_TREE_H
#include <stddef.h>

/* Deeper trees are refused: one directory fd is open per level. */
#define TREE_DEPTH_MAX 256

struct error;

struct tree_names {
	char **names; /* sorted by bytes */
	size_t count;
};

/* A directory fd of dirfd/name (one component). -EXDEV: a mount point; -ELOOP: a symlink. */
int tree_open(int dirfd, const char *name, struct error *err);

/* What is in a directory, without "." and "..". Finish with tree_names_finish(). */
int tree_names_read(int dirfd, struct tree_names *ret_names, struct error *err);
void tree_names_finish(struct tree_names *names);

/* Remove dirfd/name, whatever it is, with all below it. 0 also when it is not there. */
int tree_remove_at(int dirfd, const char *name, struct error *err);
#endif
