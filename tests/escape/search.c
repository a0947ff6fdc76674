#include "tests/escape/search.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX  (8u << 20) /* of one file or mapping */
#define BLOCK_MAX 65536u
#define DEPTH	  20

static const char *wanted;
static size_t wanted_size;
static char block[BLOCK_MAX];

static bool is_here(const char *at)
{
	for (size_t i = 0; i < wanted_size; i++)
		if ((char)(at[i] + SEARCH_DISGUISE) != wanted[i])
			return false;
	return true;
}

/* Of an open file from here on, up to so many bytes. */
static int count(int fd, size_t size)
{
	size_t kept = 0;
	int found = 0;

	while (size > 0) {
		ssize_t n = read(fd, block + kept,
			size < sizeof(block) - kept ? size : sizeof(block) - kept);

		if (n <= 0)
			break;
		size -= (size_t)n;
		kept += (size_t)n;
		for (size_t i = 0; i + wanted_size <= kept; i++)
			found += is_here(block + i);
		if (kept >= wanted_size) {
			memmove(block, block + kept - wanted_size + 1, wanted_size - 1);
			kept = wanted_size - 1;
		}
	}
	/* What was found must not be found again, in here. */
	memset(block, 0, sizeof(block));
	return found;
}

static void set_wanted(const char *disguised)
{
	wanted = disguised;
	wanted_size = strlen(disguised);
}

int search_memory(pid_t pid, const char *disguised)
{
	char path[64], line[512];
	unsigned long start, end;
	int found = 0, fd;
	FILE *maps;

	set_wanted(disguised);
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "r");
	while (maps && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx", &start, &end) != 2 || strstr(line, "[v"))
			continue;
		if (lseek(fd, (off_t)start, SEEK_SET) >= 0)
			found += count(fd, end - start < FILE_MAX ? end - start : FILE_MAX);
	}
	if (maps)
		fclose(maps);
	close(fd);
	return found;
}

static int visit(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	int fd, pid;

	(void)kind;
	(void)ftw;
	if (sscanf(path, "/proc/%d", &pid) == 1 && pid != getpid()) {
		const char *name = strrchr(path, '/');

		if (strcmp(name, "/mem") == 0 && strchr(path + strlen("/proc/"), '/') == name) {
			if (search_memory(pid, wanted) > 0)
				printf("found %s\n", path);
			return 0;
		}
	}
	if (!S_ISREG(st->st_mode))
		return 0;
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (count(fd, FILE_MAX) > 0)
		printf("found %s\n", path);
	close(fd);
	return 0;
}

int search_everything(const char *disguised)
{
	set_wanted(disguised);
	nftw("/", visit, DEPTH, FTW_PHYS);
	printf("searched\n");
	return fflush(stdout) == 0 ? 0 : 1;
}
