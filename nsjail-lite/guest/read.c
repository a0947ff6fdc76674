#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "nsjail-lite/guest/file.h"

#define BLOCK_SIZE  65536u
#define COUNTED_MAX (UINT64_C(256) << 20) /* read to count lines that nobody asked for */

static char block[BLOCK_SIZE];

static int fail(struct work *work)
{
	return work_fail(work, errno, "%s: %s", work->path, strerror(errno));
}

static int read_bytes(struct work *work, int fd, const struct stat *st)
{
	uint64_t left = work->max_bytes;

	work->result.total = (uint64_t)st->st_size;
	if (work->length > 0 && work->length < left)
		left = work->length;
	if (work->offset > INT64_MAX - BLOCK_SIZE || lseek(fd, (off_t)work->offset, SEEK_SET) < 0)
		return work_fail(work, EINVAL, "%s: offset out of range", work->path);
	while (left > 0) {
		ssize_t n = read(fd, block, left < BLOCK_SIZE ? left : BLOCK_SIZE);

		if (n < 0)
			return fail(work);
		if (n == 0)
			break;
		work_send(work, block, (size_t)n);
		left -= (uint64_t)n;
	}
	work->result.count = work->sent;
	return 0;
}

struct lines {
	uint64_t line; /* 1-based, that the next byte belongs to */
	bool is_begun; /* it has a byte already */
	uint64_t first, end;
};

/* Bytes of one line, or of the part of it in this block. */
static void take_line(struct work *work, struct lines *lines, const char *part, size_t size)
{
	size_t room = work->max_bytes - work->sent;

	if (lines->line < lines->first || lines->line >= lines->end || room == 0)
		return;
	if (!lines->is_begun)
		work->result.count++;
	work_send(work, part, size < room ? size : room);
}

static void take_block(struct work *work, struct lines *lines, const char *p, size_t size)
{
	while (size > 0) {
		const char *newline = memchr(p, '\n', size);
		size_t part = newline ? (size_t)(newline - p) + 1 : size;

		take_line(work, lines, p, part);
		lines->is_begun = !newline;
		if (newline)
			lines->line++;
		p += part;
		size -= part;
	}
}

static int read_lines(struct work *work, int fd)
{
	struct lines lines = {.line = 1, .first = work->offset, .end = UINT64_MAX};
	uint64_t seen = 0, total;
	bool is_wanted;
	ssize_t n;

	if (work->length > 0 && work->length < UINT64_MAX - work->offset)
		lines.end = work->offset + work->length;
	do {
		n = read(fd, block, sizeof(block));
		if (n < 0)
			return fail(work);
		take_block(work, &lines, block, (size_t)n);
		seen += (uint64_t)n;
		total = lines.line - 1 + lines.is_begun;
		is_wanted = total < lines.end && work->sent < work->max_bytes;
	} while (n > 0 && (is_wanted || seen < COUNTED_MAX));
	work->result.total = total;
	if (n > 0)
		snprintf(work->result.text, sizeof(work->result.text),
			"lines behind the first %llu MiB", (unsigned long long)(seen >> 20));
	return 0;
}

int file_read(struct work *work)
{
	struct stat st;
	auto_close int fd = file_open(work, &st);

	if (fd < 0)
		return fd;
	if (work->flags & GUEST_FILE_LINES)
		return read_lines(work, fd);
	return read_bytes(work, fd, &st);
}
