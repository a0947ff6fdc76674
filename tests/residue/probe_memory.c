/* What a tenant leaves in memory, and in the holes of files. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/residue/probe.h"

#define HELD_BYTES (192u << 20)
#define FILE_BYTES (32u << 20)
#define SCAN_BYTES (512u << 20)
#define MAPPED_MIN (1u << 20) /* smaller mappings are this program's own */

/* The pattern stands in no memory of who looks for it: it is made of this in registers. */
static volatile uint64_t pattern_inverted = ~UINT64_C(0x6861726b79726163);

static void fill(uint64_t *memory, size_t bytes)
{
	uint64_t pattern = ~pattern_inverted;

	for (size_t i = 0; i < bytes / sizeof(*memory); i++)
		memory[i] = pattern;
}

static uint64_t *map(size_t bytes, int fd)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static int fill_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT, 0600);
	uint64_t *memory = fd < 0 || ftruncate(fd, FILE_BYTES) < 0 ? NULL : map(FILE_BYTES, fd);

	if (!memory)
		return -errno;
	fill(memory, FILE_BYTES);
	munmap(memory, FILE_BYTES);
	close(fd);
	return 0;
}

/* In this process, which looks at itself afterwards, in a daemon, and in files. */
static int hold_memory(void)
{
	uint64_t *memory = map(HELD_BYTES, -1);

	if (!memory)
		return -errno;
	fill(memory, HELD_BYTES);
	return 0;
}

int leave_memory(void)
{
	uint64_t *memory = map(FILE_BYTES, -1);
	int r = probe_daemon(hold_memory);

	if (r == 0)
		r = fill_file("/dev/shm/" CANARY "-memory");
	if (!memory)
		return -errno;
	fill(memory, FILE_BYTES);
	return r;
}

static void scan(const char *what, const volatile uint64_t *memory, size_t bytes)
{
	uint64_t pattern = ~pattern_inverted;
	size_t hits = 0;

	for (size_t i = 0; i < bytes / sizeof(*memory); i++)
		hits += memory[i] == pattern;
	if (hits)
		probe_found("%zu words in %s", hits, what);
}

static void scan_own_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512], rights[8];

	while (maps && fgets(line, sizeof(line), maps)) {
		unsigned long from, to;

		if (sscanf(line, "%lx-%lx %7s", &from, &to, rights) == 3 && rights[0] == 'r' &&
			rights[1] == 'w' && to - from >= MAPPED_MIN)
			scan("memory", (const volatile uint64_t *)from, to - from);
	}
	if (maps)
		fclose(maps);
}

/* A hole reads as zeros. */
static void scan_sparse(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	uint64_t *memory = fd < 0 || ftruncate(fd, FILE_BYTES) < 0 ? NULL : map(FILE_BYTES, fd);

	if (!memory) {
		probe_found("%s cannot be mapped", path);
		return;
	}
	scan(path, memory, FILE_BYTES);
	munmap(memory, FILE_BYTES);
	close(fd);
	unlink(path);
}

void look_memory(void)
{
	volatile char *memory = (volatile char *)map(SCAN_BYTES, -1);

	if (!memory) {
		probe_found("no memory to look at");
		return;
	}
	/* Touched, or the kernel shows the page of zeros instead of one that somebody had. */
	for (size_t i = 0; i < SCAN_BYTES; i += 4096)
		memory[i] = 0;
	scan_own_mappings();
	munmap((void *)memory, SCAN_BYTES);
	scan_sparse("/dev/shm/sparse");
	scan_sparse("/tmp/sparse");
}
