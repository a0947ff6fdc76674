/*
 * world.h - the small things of a sandbox that several checks try: a user namespace, a tmpfs.
 */
#ifndef NSJAIL_LITE_DOCTOR_WORLD_H
#define NSJAIL_LITE_DOCTOR_WORLD_H
#include <sys/types.h>

#define WORLD_PATH_MAX 4096

struct error;

/* A process that holds a user namespace with the ids of a slot. */
struct world_userns {
	pid_t pid;
};

/* Each: 0 or -errno. stop() accepts one that did not start. */
int world_userns_start(struct world_userns *userns, struct error *err);
int world_userns_open(const struct world_userns *userns, struct error *err); /* an fd */
void world_userns_stop(struct world_userns *userns);

/* A detached tmpfs of this size with few inodes: an fd, or -errno. */
int world_tmpfs(const char *size, struct error *err);

/* The directory, or the nearest above it that is there, by which name goes to found: an fd, or -errno. */
int world_open_nearest(const char *path, char found[WORLD_PATH_MAX], struct error *err);

/* 0 when the file system of this directory can be mounted with mapped ids. */
int world_try_idmap(int dir_fd, struct error *err);
#endif
