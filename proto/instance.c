/* instance.c - the id of an instance's directory. */
#include "proto/instance.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"

/* isthe.com/chongo/tech/comp/fnv */
#define FNV_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

int instance_id(const char *directory, char ret_id[INSTANCE_ID_SIZE], struct error *err)
{
	char path[PATH_MAX];
	uint64_t hash = FNV_BASIS;

	if (!realpath(directory, path))
		return error_errno(err, "%s", directory);
	for (const char *p = path; *p; p++)
		hash = (hash ^ (unsigned char)*p) * FNV_PRIME;
	snprintf(ret_id, INSTANCE_ID_SIZE, "%010llx", (unsigned long long)(hash >> 24));
	return 0;
}
