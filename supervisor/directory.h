/*
 * directory.h - the instance's directory: one supervisor at a time holds its lock.
 */
#ifndef SUPERVISOR_DIRECTORY_H
#define SUPERVISOR_DIRECTORY_H
#include "proto/instance.h"

struct error;

struct directory {
	const char *path; /* borrowed */
	char id[INSTANCE_ID_SIZE];
	int fd, lock_fd;
};

/* Make it where it is missing, take its lock. -EBUSY: another supervisor holds it. */
int directory_open(const char *path, struct directory *ret_directory, struct error *err);
void directory_close(struct directory *directory);
#endif
