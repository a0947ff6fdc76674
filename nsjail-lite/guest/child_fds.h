/*
 * child_fds.h - the descriptors that a runner or worker has of PID 1.
 */
#ifndef NSJAIL_LITE_GUEST_CHILD_FDS_H
#define NSJAIL_LITE_GUEST_CHILD_FDS_H

#include <stdbool.h>
#include <stddef.h>

#define CHILD_REPORT_FD 3 /* close-on-exec */

struct child_fds {
	int in;	    /* -1: /dev/null */
	int out;    /* -1: it gets its stdio with an order */
	int err;    /* -1: as out */
	int report; /* a SEQPACKET socket */
};

#define CHILD_FDS_NONE ((struct child_fds){-1, -1, -1, -1})

/* In PID 1: a pipe whose end `ours` (0: for reading, 1: for writing) stays and does not block. 0 or -errno. */
int child_fds_pipe(int ours, int *ret_ours, int *ret_theirs);
void child_fds_close(const struct child_fds *fds);

/*
 * In an idle runner, which holds no 0, 1 and 2: what has just been received has got these numbers, and becomes a
 * command's. 0 or -errno.
 */
int child_fds_adopt(const int *fds, size_t count, bool has_stdin);

/* In the child: they become 0, 1, 2 and CHILD_REPORT_FD; all else is closed. 0 or -errno. */
int child_fds_arrange(const struct child_fds *fds);
#endif
