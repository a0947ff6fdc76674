/* names.h - the names in a directory, sorted by their bytes; a bounded number of them. In a worker. */
#ifndef NSJAIL_LITE_GUEST_NAMES_H
#define NSJAIL_LITE_GUEST_NAMES_H
#include <stddef.h>
#include <stdint.h>

#define NAMES_MAX 100000u

struct name {
	char *text;
	unsigned char type; /* DT_..., of readdir(3); DT_UNKNOWN: the file system does not say */
};

struct names {
	struct name *names;
	size_t count;
	uint64_t seen; /* those beyond NAMES_MAX too */
};

/* Without "." and "..". The fd stays the caller's. 0 or -errno. */
int names_read(struct names *names, int directory);
void names_free(struct names *names);
#endif
