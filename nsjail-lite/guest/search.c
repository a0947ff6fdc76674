#include "nsjail-lite/guest/search.h"

#include <string.h>

/* Without slashes at its end: one is put between it and what is below. */
static size_t root_length(const struct work *work)
{
	size_t length = strlen(work->path);

	while (length > 0 && work->path[length - 1] == '/')
		length--;
	return length;
}

size_t search_path_size(const struct work *work, const char *path)
{
	return path[0] ? root_length(work) + 1 + strlen(path) + 1 : strlen(work->path) + 1;
}

void search_send_path(struct work *work, const char *path)
{
	if (path[0] == '\0') {
		work_send(work, work->path, strlen(work->path) + 1);
		return;
	}
	work_send(work, work->path, root_length(work));
	work_send(work, "/", 1);
	work_send(work, path, strlen(path) + 1);
}
