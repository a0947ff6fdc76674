/*
 * walk.h - the files below a directory, in sorted order, as GLOB and GREP look at them.
 *
 * By directory fds, never by a long path; symlinks are not followed; .git is skipped, and so are
 * hidden and ignored entries unless asked for. Bounded in depth and entries; result.text says what was
 * left out for that.
 */
#ifndef NSJAIL_LITE_GUEST_WALK_H
#define NSJAIL_LITE_GUEST_WALK_H
#include "nsjail-lite/guest/worker.h"

#define WALK_DEPTH_MAX	 200u	  /* an open directory for each level */
#define WALK_ENTRIES_MAX 1000000u /* looked at in all */

struct walk_file {
	int directory;
	const char *name;
	const char *path; /* below the walk's root */
};

/* 0: go on; 1: enough; negative: what work_fail() returned. */
typedef int walk_visitor(void *arg, const struct walk_file *file);

struct walk {
	bool is_hidden_wanted, is_ignored_wanted;
	unsigned depth_max;  /* levels of directories to enter; 0: the root's own files */
	walk_visitor *visit; /* everything that is no directory */
	void *arg;
};

/* root is a directory; path is how it was named, to find the .gitignore files above it. */
int walk_run(struct work *work, const struct walk *walk, int root);
#endif
