#include "nsjail-lite/io_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"

#define SYS_DEV_BLOCK "/sys/dev/block"

/* Of file systems that are on no device, or on several. */
#define ANONYMOUS_MAJOR 0

int io_disk_of(
	int sys_fd, dev_t device, uint32_t *ret_major, uint32_t *ret_minor, struct error *err)
{
	char path[64], text[32];
	ssize_t n;

	if (major(device) == ANONYMOUS_MAJOR)
		return error_set(err, ENODEV, "its file system is on no disk of its own");
	*ret_major = major(device);
	*ret_minor = minor(device);
	/* The link leads into the directory of the device, a partition's into its disk's. */
	snprintf(path, sizeof(path), "%u:%u/partition", *ret_major, *ret_minor);
	if (faccessat(sys_fd, path, F_OK, 0) < 0)
		return 0;
	snprintf(path, sizeof(path), "%u:%u/../dev", *ret_major, *ret_minor);
	n = file_read_at(sys_fd, path, text, sizeof(text), err);
	if (n < 0)
		return (int)n;
	if (sscanf(text, "%u:%u", ret_major, ret_minor) != 2)
		return error_set(err, EIO, SYS_DEV_BLOCK "/%s: no device number", path);
	return 0;
}

int io_disk_find(int fd, uint32_t *ret_major, uint32_t *ret_minor, struct error *err)
{
	auto_close int sys_fd = -1;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_errno(err, "fstat");
	sys_fd = open(SYS_DEV_BLOCK, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (sys_fd < 0)
		return error_errno(err, SYS_DEV_BLOCK);
	return io_disk_of(sys_fd, st.st_dev, ret_major, ret_minor, err);
}
