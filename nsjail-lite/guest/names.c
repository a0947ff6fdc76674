#include "nsjail-lite/guest/names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"

#define NAMES_STEP 64u

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct name *)a)->text, ((const struct name *)b)->text);
}

static int add(struct names *names, const struct dirent *entry)
{
	struct name *grown;
	char *text;

	names->seen++;
	if (names->count == NAMES_MAX)
		return 0;
	if (names->count % NAMES_STEP == 0) {
		size_t capacity = names->count + NAMES_STEP;

		grown = realloc(names->names, capacity * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		names->names = grown;
	}
	text = strdup(entry->d_name);
	if (!text)
		return -ENOMEM;
	names->names[names->count++] = (struct name){text, entry->d_type};
	return 0;
}

int names_read(struct names *names, int directory)
{
	int fd = fcntl(directory, F_DUPFD_CLOEXEC, 0);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int r = 0;

	*names = (struct names){0};
	if (!dir) {
		r = -errno;
		fd_close(fd);
		return r;
	}
	while (r == 0 && (errno = 0, entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			r = add(names, entry);
	if (r == 0 && errno)
		r = -errno;
	closedir(dir);
	if (r < 0)
		names_free(names);
	else if (names->count > 1)
		qsort(names->names, names->count, sizeof(*names->names), compare);
	return r;
}

void names_free(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->names[i].text);
	free(names->names);
	*names = (struct names){0};
}
