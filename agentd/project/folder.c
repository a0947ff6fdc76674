#include "agentd/project/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agentd/project/project.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/text.h"

bool folder_is_name(const char *name)
{
	size_t length = strnlen(name, PROJECT_NAME_MAX + 1);

	if (length == 0 || length > PROJECT_NAME_MAX || !text_is_utf8(name, length))
		return false;
	if (strchr(".- ", name[0]) || name[length - 1] == ' ')
		return false;
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)name[i];

		if (c < 0x20 || c == 0x7f || c == '/' || c == '\\')
			return false;
		if (c == 0xc2 && (unsigned char)name[i + 1] < 0xa0) /* U+0080..U+009F */
			return false;
	}
	return true;
}

bool folder_is_own_error(int r)
{
	return r == -ENOMEM || r == -EMFILE || r == -ENFILE || r == -ENOSYS;
}

static int open_beneath(int dirfd, const char *path, int flags, struct error *err)
{
	const struct open_how how = {
		.flags = (unsigned)(flags | O_RDONLY | O_CLOEXEC),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	int fd = (int)syscall(SYS_openat2, dirfd, path, &how, sizeof(how));

	if (fd >= 0)
		return fd;
	if (errno == ELOOP)
		return error_set(err, ELOOP, "is, or lies behind, a symbolic link");
	/* A socket; a device without a driver. */
	if (errno == ENXIO || errno == ENODEV)
		return error_set(err, EINVAL, "is no regular file");
	return error_errno(err, "cannot be opened");
}

int folder_open(int dirfd, const char *path, struct error *err)
{
	return open_beneath(dirfd, path, O_DIRECTORY, err);
}

int folder_open_base(int dirfd, const char **ret_name, struct error *err)
{
	static const char *const names[] = {".hearth", ".polpo"};
	struct error why;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		int fd = folder_open(dirfd, names[i], &why);

		if (fd == -ENOENT)
			continue;
		*ret_name = names[i];
		return fd < 0 ? error_set(err, -fd, "%s", why.text) : fd;
	}
	return error_set(err, ENOENT, "there is no folder .hearth or .polpo");
}

static ssize_t look(int fd, size_t max, struct stat *ret_st, struct error *err)
{
	if (fstat(fd, ret_st) < 0)
		return error_errno(err, "cannot be looked at");
	if (!S_ISREG(ret_st->st_mode))
		return error_set(err, EINVAL, "is no regular file");
	if (ret_st->st_size > (off_t)max)
		return error_set(err, EFBIG, "is longer than %zu bytes", max);
	return (ssize_t)ret_st->st_size;
}

static int open_file(int dirfd, const char *path, struct error *err)
{
	return open_beneath(dirfd, path, O_NONBLOCK | O_NOCTTY, err);
}

ssize_t folder_look(int dirfd, const char *path, size_t max, struct stat *ret_st, struct error *err)
{
	auto_close int fd = open_file(dirfd, path, err);

	return fd < 0 ? fd : look(fd, max, ret_st, err);
}

ssize_t folder_read(int dirfd, const char *path, size_t max, char **ret_data, struct stat *ret_st,
	struct error *err)
{
	auto_close int fd = open_file(dirfd, path, err);
	auto_free char *data = NULL;
	size_t room;
	ssize_t n;

	if (fd < 0)
		return fd;
	n = look(fd, max, ret_st, err);
	if (n < 0)
		return n;
	room = (size_t)n + 1;
	data = malloc(room);
	if (!data)
		return error_set(err, ENOMEM, "out of memory");
	n = fd_read_full(fd, data, room);
	if (n < 0)
		return error_set(err, (int)-n, "cannot be read: %s", strerror((int)-n));
	/* It has grown since: whoever writes it has not finished. It is told by its stamp and read again. */
	if ((size_t)n == room)
		n--;
	data[n] = '\0';
	*ret_data = take_ptr(&data);
	return n;
}

/* The line (from 1) of the first byte that is no text; 0: all is. */
static unsigned find_no_text(const char *data, size_t size)
{
	unsigned line = 1;

	for (size_t i = 0, n; i < size; i += n) {
		n = text_utf8_sequence(data + i, size - i);
		if (n == 0 || data[i] == '\0')
			return line;
		line += data[i] == '\n';
	}
	return 0;
}

ssize_t folder_read_text(int dirfd, const char *path, size_t max, char **ret_text,
	struct stat *ret_st, struct error *err)
{
	static const char mark[] = "\xef\xbb\xbf";
	auto_free char *text = NULL;
	ssize_t size = folder_read(dirfd, path, max, &text, ret_st, err);
	unsigned line;

	if (size < 0)
		return size;
	if (strncmp(text, mark, strlen(mark)) == 0) {
		size -= (ssize_t)strlen(mark);
		memmove(text, text + strlen(mark), (size_t)size + 1);
	}
	line = find_no_text(text, (size_t)size);
	if (line > 0)
		return error_set(err, EILSEQ, "line %u is not UTF-8 text", line);
	*ret_text = take_ptr(&text);
	return size;
}

static int compare_entries(const void *a, const void *b)
{
	return strcmp(
		((const struct folder_entry *)a)->name, ((const struct folder_entry *)b)->name);
}

static ssize_t read_entries(DIR *dir, struct folder_entry **entries, struct error *err)
{
	size_t count = 0, seen = 0, room = 0;
	const struct dirent *found;

	while (errno = 0, (found = readdir(dir))) {
		if (++seen > FOLDER_ENTRIES_MAX + 2) /* . and .. */
			return error_set(
				err, E2BIG, "holds more than %d entries", FOLDER_ENTRIES_MAX);
		if (found->d_name[0] == '.')
			continue;
		if (count == room) {
			struct folder_entry *grown;

			room = room ? 2 * room : 16;
			grown = realloc(*entries, room * sizeof(**entries));
			if (!grown)
				return error_set(err, ENOMEM, "out of memory");
			*entries = grown;
		}
		text_copy((*entries)[count].name, sizeof((*entries)[count].name), found->d_name);
		(*entries)[count++].type = found->d_type;
	}
	if (errno != 0)
		return error_errno(err, "cannot be listed");
	return (ssize_t)count;
}

ssize_t folder_list(int dirfd, struct folder_entry **ret_entries, struct error *err)
{
	auto_free struct folder_entry *entries = NULL;
	int fd = folder_open(dirfd, ".", err); /* its own position */
	DIR *dir;
	ssize_t count;

	if (fd < 0)
		return fd;
	dir = fdopendir(fd);
	if (!dir) {
		fd_close(fd);
		return error_errno(err, "cannot be listed");
	}
	count = read_entries(dir, &entries, err);
	closedir(dir);
	if (count < 0)
		return count;
	if (count > 0)
		qsort(entries, (size_t)count, sizeof(*entries), compare_entries);
	*ret_entries = take_ptr(&entries);
	return count;
}

int folder_replace(int dirfd, const char *name, const char *text, struct error *err)
{
	char temporary[NAME_MAX + 1];
	struct stat st;
	mode_t mode = 0644;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
		mode = st.st_mode & 0777;
	/* What stands in the way of the temporary file, a FIFO say, must not be opened. */
	if (snprintf(temporary, sizeof(temporary), ".%s.new", name) < (int)sizeof(temporary))
		unlinkat(dirfd, temporary, 0);
	return file_replace_at(dirfd, name, text, strlen(text), mode, err);
}

int folder_make(int dirfd, const char *name, struct error *err)
{
	if (mkdirat(dirfd, name, 0755) < 0 && errno != EEXIST)
		return error_errno(err, "cannot be made");
	return folder_open(dirfd, name, err);
}
