/*
 * program.h - the programs that Hearth's others start (hearth-builder, hearth-network, hearth-dns): where they are, and
 * starting one with a SEQPACKET link as its fd 3.
 */
#ifndef NSJAIL_LITE_PROGRAM_H
#define NSJAIL_LITE_PROGRAM_H
#include <stddef.h>
#include <sys/types.h>

struct error;

#define PROGRAM_LINK_FD 3

struct program {
	pid_t pid;
	int pidfd;
	int link_fd; /* blocking, close-on-exec */
};

/* Path of one: beside this program or in its tree (../libexec/hearth), else where it was installed. */
int program_find(const char *name, char *ret_path, size_t size, struct error *err);

/*
 * Start argv[0], found as above, or the program at path when that is not NULL. It has an empty environment, a
 * session of its own, 0..2 of ours and the link. On success the caller owns the fds and reaps the pid; an exec that
 * fails shows as the link's end.
 */
int program_start(
	const char *path, char *const argv[], struct program *ret_program, struct error *err);
#endif
