/*
 * stamp.h - has a file changed since it was read? Inode, size and times of each file, by name.
 *
 * Side: agentd. Only looks (lstat), never opens.
 */
#ifndef AGENTD_PROJECT_STAMP_H
#define AGENTD_PROJECT_STAMP_H
#include <stdbool.h>
#include <stddef.h>

#define STAMP_PATH_MAX 112

struct stamp;
struct stamps {
	struct stamp *rows;
	size_t count;
	bool is_fresh; /* a file was changed so shortly before that its next change may bear the same time */
};

/* Before the file is read. A file that is absent has a stamp too. 0 or -ENOMEM. */
int stamps_take(struct stamps *stamps, int dirfd, const char *path);

/* In the order in which they were taken, ending with the first that differs. */
bool stamps_differ(const struct stamps *stamps, int dirfd);

/* Accepts one of zeros. */
void stamps_finish(struct stamps *stamps);
#endif
