/* Descriptors, names, and bytes that come out. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/bombs/bomb.h"

#define PETABYTE (INT64_C(1) << 50)

long bomb_open(long max)
{
	for (long i = 0; i < max; i++)
		if (open("/dev/null", O_RDONLY) < 0)
			return i;
	errno = 0;
	return max;
}

long bomb_inodes(long max)
{
	if (mkdir("/tmp/inodes", 0700) < 0 || chdir("/tmp/inodes") < 0)
		return -1;
	for (long i = 0; i < max; i++) {
		char name[32];
		int fd;

		snprintf(name, sizeof(name), "%ld", i);
		fd = open(name, O_CREAT | O_WRONLY, 0600);
		if (fd < 0)
			return i;
		close(fd);
	}
	errno = 0;
	return max;
}

/* One directory in the other. */
long bomb_deep(long max)
{
	for (long i = 0; i < max; i++)
		if (mkdir("deep", 0700) < 0 || chdir("deep") < 0)
			return i;
	errno = 0;
	return max;
}

/* A petabyte of zeros, on the output. */
long bomb_sparse(long max)
{
	static char block[MEBIBYTE];
	int fd = open("/tmp/sparse", O_RDWR | O_CREAT, 0600);

	if (fd < 0 || ftruncate(fd, PETABYTE) < 0)
		return -1;
	for (long i = 0; i < max; i++)
		if (read(fd, block, sizeof(block)) <= 0 || write(1, block, sizeof(block)) <= 0)
			return i;
	errno = 0;
	return max;
}

long bomb_syncs(long milliseconds)
{
	int64_t until = bomb_now_ms() + milliseconds;
	int fd = open("/tmp/sync", O_RDWR | O_CREAT, 0600);
	long rounds = 0;

	for (; fd >= 0 && bomb_now_ms() < until; rounds++) {
		if (pwrite(fd, &rounds, sizeof(rounds), 0) < 0 || fsync(fd) < 0 ||
			fdatasync(fd) < 0 || syncfs(fd) < 0)
			return -1;
		sync();
	}
	errno = 0;
	return rounds;
}

static long write_out(int fd, const void *block, size_t size)
{
	const char *at = block;

	while (size > 0) {
		ssize_t n = write(fd, at, size);

		if (n < 0)
			return -1;
		at += n;
		size -= (size_t)n;
	}
	return 0;
}

static long pour(long max, const char *text)
{
	static char block[MEBIBYTE];
	size_t length = strlen(text);

	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = text[i % length];
	for (long i = 0; i < max; i++)
		if (write_out(1, block, sizeof(block)) < 0)
			return i;
	errno = 0;
	return max;
}

long bomb_lines(long max)
{
	return pour(max, "y\n");
}

long bomb_one_line(long max)
{
	return pour(max, "x");
}

/* Every byte there is, escape sequences and broken UTF-8, on both streams in turns. */
long bomb_mixed(long max)
{
	static const char terminal[] = "\033[2J\033]0;title\007\xc3\x28\xff\xfe\033[31m\r\b\0\x80";
	unsigned char all[256];

	for (int i = 0; i < 256; i++)
		all[i] = (unsigned char)i;
	for (long i = 0; i < max; i++)
		if (write_out(1, all, sizeof(all)) < 0 ||
			write_out(2, terminal, sizeof(terminal) - 1) < 0)
			return i;
	errno = 0;
	return max;
}
