/*
 * E13 bytes of the image, which all sandboxes share, changed behind the kernel's back: by pipes whose
 *     pages are the file's, by mappings, by copies in the kernel, asynchronously
 *
 * The control may write the file, and lets what the attempt has prepared flow into it: then the eye
 * that finds nothing inside sees the change.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/escape/families.h"

#define FILE_SHARED "/bin/busybox"
#define EVIL	    "evil"
#define SIZE	    4
#define PAGE	    4096
#define PIPE_PAGES  16
#define ROUNDS	    2000

static int open_shared(void)
{
	return open(FILE_SHARED, (probe_is_control ? O_RDWR : O_RDONLY) | O_CLOEXEC);
}

static bool is_changed(void)
{
	char text[SIZE] = "";
	int fd = open(FILE_SHARED, O_RDONLY | O_CLOEXEC);
	ssize_t n = pread(fd, text, SIZE, 0);

	close(fd);
	return n == SIZE && memcmp(text, EVIL, SIZE) == 0;
}

/* What came of it, when the last call returned r. */
static int verdict(long r)
{
	int error = errno;

	if (is_changed())
		return 0;
	return r < 0 ? -error : -UNCHANGED;
}

/* Every buffer of the pipe has once been written, which old kernels remembered. */
static int used_pipe(int fds[2])
{
	char page[PAGE] = "";

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	for (int i = 0; i < PIPE_PAGES; i++)
		if (write(fds[1], page, PAGE) != PAGE)
			return -1;
	for (int i = 0; i < PIPE_PAGES; i++)
		if (read(fds[0], page, PAGE) != PAGE)
			return -1;
	return 0;
}

enum way { WRITE, VMSPLICE, TEE };

/* A page of the file in the pipe, then our bytes behind it; then back from the pipe. */
static int try_pipe(const struct probe *p)
{
	struct iovec evil = {EVIL, SIZE};
	int fd = open_shared(), fds[2], other[2];
	off_t from = 0;
	char byte;

	if (fd < 0 || used_pipe(fds) < 0 || used_pipe(other) < 0)
		return -EIO;
	if (splice(fd, &from, fds[1], NULL, 1, 0) != 1)
		return -errno;
	if (p->number == TEE && tee(fds[0], other[1], 1, 0) != 1)
		return -errno;
	if (p->number == VMSPLICE ? vmsplice(fds[1], &evil, 1, 0) < 0
				  : write(fds[1], EVIL, SIZE) < 0)
		return -errno;
	if (is_changed())
		return 0;
	from = 0;
	if (read(fds[0], &byte, 1) != 1)
		return -EIO;
	return verdict(splice(fds[0], NULL, fd, &from, SIZE, 0));
}

static int try_map(const struct probe *p)
{
	int fd = open_shared();
	char *map =
		mmap(NULL, PAGE, p->number ? PROT_READ : PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		return -errno;
	if (p->number && mprotect(map, PAGE, PROT_READ | PROT_WRITE) < 0)
		return -errno;
	memcpy(map, EVIL, SIZE);
	return verdict(0);
}

/* By /proc/self/mem, which writes what is mapped read-only, into a private copy, thrown away each time. */
static int try_own_memory(const struct probe *p)
{
	int fd = open_shared(), memory = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	int rounds = p->number ? ROUNDS : 1;
	void *map = mmap(NULL, PAGE, probe_is_control ? PROT_READ | PROT_WRITE : PROT_READ,
		probe_is_control ? MAP_SHARED : MAP_PRIVATE, fd, 0);
	long r = 0;

	if (map == MAP_FAILED || memory < 0)
		return -EIO;
	for (int i = 0; i < rounds && !is_changed(); i++) {
		if (p->number)
			madvise(map, PAGE, MADV_DONTNEED);
		r = pwrite(memory, EVIL, SIZE, (off_t)(uintptr_t)map);
	}
	return verdict(r);
}

enum copy { COPY_RANGE, SENDFILE, PUNCH, TRUNCATE, PWRITE };

static int file_with_evil(void)
{
	int fd = memfd_create("evil", 0);

	if (fd < 0 || write(fd, EVIL, SIZE) != SIZE || lseek(fd, 0, SEEK_SET) < 0)
		return -1;
	return fd;
}

static int try_copy(const struct probe *p)
{
	int fd = open_shared(), evil = file_with_evil();
	off_t zero = 0;

	if (fd < 0 || evil < 0)
		return -EIO;
	switch ((enum copy)p->number) {
	case COPY_RANGE:
		/* Between two file systems some kernels do not: then by hand, if one may. */
		if (copy_file_range(evil, NULL, fd, &zero, SIZE, 0) < 0 && errno != EXDEV)
			return verdict(-1);
		return verdict(pwrite(fd, EVIL, SIZE, 0));
	case SENDFILE:
		return verdict(sendfile(fd, evil, NULL, SIZE));
	case PUNCH:
		return probe_result(fallocate(fd, 3, 0, PAGE));
	case TRUNCATE:
		return probe_result(ftruncate(fd, 0));
	case PWRITE:
		return verdict(pwrite(fd, EVIL, SIZE, 0));
	}
	return -EINVAL;
}

static int try_asynchronous(const struct probe *p)
{
	int fd = open_shared();
	struct iocb request = {.aio_lio_opcode = IOCB_CMD_PWRITE,
		.aio_fildes = (uint32_t)fd,
		.aio_buf = (uintptr_t)EVIL,
		.aio_nbytes = SIZE};
	struct iocb *requests[] = {&request};
	struct io_event event;
	aio_context_t context = 0;
	long r;

	(void)p;
	if (fd < 0 || syscall(SYS_io_setup, 1, &context) < 0)
		return -EIO;
	r = syscall(SYS_io_submit, context, 1, requests);
	if (r == 1)
		syscall(SYS_io_getevents, context, 1, 1, &event, NULL);
	return verdict(r);
}

/* clang-format off */
#define LOWER(title, function, how, ...) {.id = "E13", .name = title, .attempt = function, \
	.number = how, .refused = {__VA_ARGS__}, .control = {WORKED}}

static const struct probe rows[] = {
	LOWER("a write behind a page of the image in a pipe", try_pipe, WRITE, EBADF),
	LOWER("memory given behind a page of the image in a pipe", try_pipe, VMSPLICE, EBADF),
	LOWER("a write behind a page of the image in two pipes", try_pipe, TEE, EBADF),
	LOWER("a shared mapping of the image, writable", try_map, 0, EACCES),
	LOWER("a shared mapping of the image, made writable", try_map, 1, EACCES),
	LOWER("a private mapping of the image, by one's own mem", try_own_memory, 0, UNCHANGED),
	LOWER("a private mapping of the image, thrown away while written", try_own_memory, 1,
		UNCHANGED),
	LOWER("a copy into the image by copy_file_range", try_copy, COPY_RANGE, EBADF),
	LOWER("a copy into the image by sendfile", try_copy, SENDFILE, EBADF),
	LOWER("a hole in the image", try_copy, PUNCH, EBADF),
	LOWER("the image's file cut short", try_copy, TRUNCATE, EINVAL),
	LOWER("a write to the image by a read-only fd", try_copy, PWRITE, EBADF),
	LOWER("an asynchronous write to the image", try_asynchronous, 0, EBADF),
	/* The kernel's cryptography wrote where it should only have read. */
	{.id = "E13", .name = "a socket of the kernel's cryptography",
		.call = {SYS_socket, 38 /* AF_ALG */, SOCK_SEQPACKET, 0}, .refused = {EAFNOSUPPORT},
		.control = {WORKED, EAFNOSUPPORT}, .may_be_absent = true},
	{.id = "E13", .name = "a socket of reliable datagrams",
		.call = {SYS_socket, 21 /* AF_RDS */, SOCK_SEQPACKET, 0}, .refused = {EAFNOSUPPORT},
		.control = {WORKED, EAFNOSUPPORT}, .may_be_absent = true},
};
/* clang-format on */

const struct probe_family probe_lower = PROBE_FAMILY(rows);
