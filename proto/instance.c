/* instance.c - the id of an instance's directory. */
#include "proto/instance.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"

int instance_id(const char *directory, char ret_id[INSTANCE_ID_SIZE], struct error *err)
{
	char path[PATH_MAX];
	uint64_t hash;

	if (!realpath(directory, path))
		return error_errno(err, "%s", directory);
	hash = hash_more(HASH_START, path, strlen(path));
	snprintf(ret_id, INSTANCE_ID_SIZE, "%010llx", (unsigned long long)(hash >> 24));
	return 0;
}
