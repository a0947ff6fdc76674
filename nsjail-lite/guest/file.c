#include "nsjail-lite/guest/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "nsjail-lite/guest/open.h"
#include "nsjail-lite/guest/replace.h"

static int fail(struct work *work)
{
	return work_fail(work, errno, "%s: %s", work->path, strerror(errno));
}

int file_open(struct work *work, struct stat *ret_stat)
{
	auto_close int named = open_guarded(AT_FDCWD, work->path, O_PATH);
	int fd = open_regular(named, ret_stat);

	if (fd >= 0)
		return fd;
	if (errno == EISDIR)
		return work_fail(work, EISDIR, "%s: is a directory", work->path);
	if (errno == EINVAL)
		return work_fail(work, EINVAL, "%s: not a regular file", work->path);
	return fail(work);
}

void file_fill_stat(struct guest_stat *to, const struct stat *from)
{
	*to = (struct guest_stat){
		.mode = from->st_mode,
		.uid = from->st_uid,
		.gid = from->st_gid,
		.nlink = (uint32_t)from->st_nlink,
		.size = (uint64_t)from->st_size,
		.mtime_ns = from->st_mtim.tv_sec < 0 ? 0
						     : (uint64_t)from->st_mtim.tv_sec * NS_PER_S +
							       (uint64_t)from->st_mtim.tv_nsec,
	};
}

int file_write(struct work *work)
{
	char *content;
	size_t size;
	int r;

	r = work_receive(work, &content, &size);
	if (r == 0)
		r = replace_file(work, content, size);
	if (r == 0)
		work->result.count = size;
	return r;
}

/* The whole file, for EDIT. */
static int load(struct work *work, char **ret_content, size_t *ret_size)
{
	struct stat st;
	auto_close int fd = file_open(work, &st);
	char *content;
	ssize_t n;

	if (fd < 0)
		return fd;
	if (st.st_size > (off_t)GUEST_FILE_MAX)
		return work_fail(work, EFBIG, "%s: more than %u bytes", work->path, GUEST_FILE_MAX);
	content = malloc((size_t)st.st_size + 1);
	if (!content)
		return fail(work);
	n = fd_read_full(fd, content, (size_t)st.st_size + 1);
	if (n < 0) {
		errno = (int)-n;
		return fail(work);
	}
	if (n > st.st_size)
		return work_fail(work, EAGAIN, "%s: grew while it was read", work->path);
	*ret_content = content;
	*ret_size = (size_t)n;
	return 0;
}

struct edit {
	const char *old, *new;
	size_t old_size, new_size;
	const char *content;
	size_t size;
};

static const char *find(const struct edit *edit, const char *from)
{
	return memmem(from, (size_t)(edit->content + edit->size - from), edit->old, edit->old_size);
}

static uint64_t count(const struct edit *edit)
{
	uint64_t found = 0;

	for (const char *p = edit->content; (p = find(edit, p)); p += edit->old_size)
		found++;
	return found;
}

/* Every occurrence exchanged, byte for byte. result has room. */
static size_t substitute(const struct edit *edit, char *result)
{
	const char *from = edit->content, *p;
	char *to = result;

	while ((p = find(edit, from))) {
		to = mempcpy(to, from, (size_t)(p - from));
		to = mempcpy(to, edit->new, edit->new_size);
		from = p + edit->old_size;
	}
	to = mempcpy(to, from, (size_t)(edit->content + edit->size - from));
	return (size_t)(to - result);
}

/* INPUT is the old text, one NUL, the new text. */
static int receive_edit(struct work *work, struct edit *edit)
{
	char *input, *nul;
	size_t size;
	int r = work_receive(work, &input, &size);

	if (r < 0)
		return r;
	nul = memchr(input, '\0', size);
	if (!nul)
		return work_fail(work, EINVAL, "no NUL between old and new text");
	if (nul == input)
		return work_fail(work, EINVAL, "the old text is empty");
	edit->old = input;
	edit->old_size = (size_t)(nul - input);
	edit->new = nul + 1;
	edit->new_size = size - edit->old_size - 1;
	return 0;
}

int file_edit(struct work *work)
{
	struct edit edit = {0};
	char *content = NULL, *result;
	uint64_t found;
	size_t size;
	int r;

	r = receive_edit(work, &edit);
	if (r == 0)
		r = load(work, &content, &edit.size);
	if (r < 0)
		return r;
	edit.content = content;
	found = work->result.total = count(&edit);
	if (found == 0)
		return work_fail(work, ENOENT, "the old text was not found");
	if (found > 1 && !(work->flags & GUEST_FILE_ALL))
		return work_fail(work, EEXIST, "the old text was found %llu times",
			(unsigned long long)found);
	/* No overflow: at most GUEST_FILE_MAX occurrences of at most GUEST_FILE_MAX bytes. */
	size = edit.size - found * edit.old_size + found * edit.new_size;
	if (size > GUEST_FILE_MAX)
		return work_fail(work, EFBIG, "the result has more than %u bytes", GUEST_FILE_MAX);
	result = malloc(size + 1);
	if (!result)
		return fail(work);
	r = replace_file(work, result, substitute(&edit, result));
	if (r == 0)
		work->result.count = found;
	return r;
}

int file_stat(struct work *work)
{
	int flags = work->flags & GUEST_FILE_FOLLOW ? O_PATH : O_PATH | O_NOFOLLOW;
	auto_close int fd = open_guarded(AT_FDCWD, work->path, flags);
	struct guest_stat data;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fail(work);
	file_fill_stat(&data, &st);
	work->result.total = 1;
	if (work_fits(work, sizeof(data))) {
		work_send(work, &data, sizeof(data));
		work->result.count = 1;
	}
	return 0;
}
