#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "base/fd.h"
#include "nsjail-lite/guest/file.h"
#include "nsjail-lite/guest/names.h"
#include "nsjail-lite/guest/open.h"

#define ENTRIES_DEFAULT 10000u

/* False: it does not fit any more. */
static bool send_entry(struct work *work, int directory, const char *name)
{
	struct guest_stat data;
	char record[sizeof(data) + NAME_MAX + 1];
	size_t size = strnlen(name, NAME_MAX);
	struct stat st;

	if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return true; /* gone since */
	file_fill_stat(&data, &st);
	memcpy(record, &data, sizeof(data));
	memcpy(record + sizeof(data), name, size);
	record[sizeof(data) + size] = '\0';
	if (!work_fits(work, sizeof(data) + size + 1))
		return false;
	work_send(work, record, sizeof(data) + size + 1);
	work->result.count++;
	return true;
}

int file_list(struct work *work)
{
	uint64_t limit = work->length ? work->length : ENTRIES_DEFAULT;
	auto_close int fd = open_guarded(AT_FDCWD, work->path, O_RDONLY | O_DIRECTORY | O_NONBLOCK);
	struct names names;
	int r = fd < 0 ? -errno : names_read(&names, fd);

	if (r < 0)
		return work_fail(work, -r, "%s: %s", work->path, strerror(-r));
	work->result.total = names.seen;
	for (size_t i = 0; i < names.count && work->result.count < limit; i++)
		if (!send_entry(work, fd, names.names[i].text))
			break;
	names_free(&names);
	return 0;
}
