/* Memory in all its forms: a process's own, files in it, and what the kernel keeps. */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <unistd.h>

#include "tests/bombs/bomb.h"

#define PIPE_BYTES 65536
#define SEMAPHORES 250
#define IMAGE_FILE "/bin/busybox"

static void *map(size_t bytes)
{
	void *memory =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

long bomb_touch(long max)
{
	for (long i = 0; i < max; i++) {
		char *memory = map(MEBIBYTE);

		if (!memory)
			return i;
		memset(memory, 1, MEBIBYTE);
	}
	errno = 0;
	return max;
}

static long fill(const char *path, long max)
{
	static char block[MEBIBYTE];
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	long done = 0;

	memset(block, 1, sizeof(block));
	for (; done < max; done++) {
		ssize_t n = fd < 0 ? -1 : write(fd, block, sizeof(block));

		if (n == (ssize_t)sizeof(block))
			continue;
		errno = n >= 0 ? ENOSPC : errno; /* the last block came in part */
		return done;
	}
	errno = 0;
	return done;
}

long bomb_fill(long max)
{
	return fill("/fill", max);
}

long bomb_fill_shm(long max)
{
	return fill("/dev/shm/fill", max);
}

/* Segments that stay when the process goes: a mebibyte each. */
long bomb_sysv_shm(long max)
{
	for (long i = 0; i < max; i++) {
		int id = shmget(IPC_PRIVATE, MEBIBYTE, IPC_CREAT | 0600);
		void *at = id < 0 ? (void *)-1 : shmat(id, NULL, 0);

		if (at == (void *)-1)
			return i;
		memset(at, 1, MEBIBYTE);
	}
	errno = 0;
	return max;
}

long bomb_sysv_sem(long max)
{
	for (long i = 0; i < max; i++)
		if (semget(IPC_PRIVATE, SEMAPHORES, IPC_CREAT | 0600) < 0)
			return i;
	errno = 0;
	return max;
}

/* Queues, each full of messages without a byte. */
long bomb_sysv_msg(long max)
{
	const long empty = 1;

	for (long i = 0; i < max; i++) {
		int id = msgget(IPC_PRIVATE, IPC_CREAT | 0600);

		if (id < 0)
			return i;
		while (msgsnd(id, &empty, 0, IPC_NOWAIT) == 0)
			;
	}
	errno = 0;
	return max;
}

long bomb_mq(long max)
{
	for (long i = 0; i < max; i++) {
		char name[32];

		snprintf(name, sizeof(name), "/bomb-%ld", i);
		if (mq_open(name, O_CREAT | O_RDWR, 0600, NULL) < 0)
			return i;
	}
	errno = 0;
	return max;
}

/* A file of the image, which everybody runs, out of the cache and in again. */
long bomb_cache(long milliseconds)
{
	static char block[MEBIBYTE];
	int64_t until = bomb_now_ms() + milliseconds;
	int fd = open(IMAGE_FILE, O_RDONLY);
	long rounds = 0;

	for (; fd >= 0 && bomb_now_ms() < until; rounds++) {
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		for (off_t at = 0; pread(fd, block, sizeof(block), at) > 0;)
			at += (off_t)sizeof(block);
	}
	errno = 0;
	return rounds;
}

/* Neighbours with other rights cannot become one mapping. */
long bomb_maps(long max)
{
	for (long i = 0; i < max; i++) {
		int rights = i % 2 ? PROT_READ : PROT_READ | PROT_WRITE;

		if (mmap(NULL, 4096, rights, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
			return i;
	}
	errno = 0;
	return max;
}

static long hold_pipes(void)
{
	static char block[PIPE_BYTES];

	for (long i = 0; i < BOMB_PER_CHILD / 2; i++) {
		int fds[2];

		if (pipe2(fds, O_NONBLOCK) < 0)
			return i * 2;
		fcntl(fds[1], F_SETPIPE_SZ, PIPE_BYTES);
		while (write(fds[1], block, sizeof(block)) > 0)
			;
	}
	return BOMB_PER_CHILD;
}

long bomb_pipes(long max)
{
	return bomb_in_children(max, hold_pipes);
}

static long hold_epolls(void)
{
	struct epoll_event event = {.events = EPOLLIN};
	int watched[2];

	if (pipe(watched) < 0)
		return 0;
	for (long i = 0; i < BOMB_PER_CHILD; i++) {
		int epoll = epoll_create1(0);

		if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, watched[0], &event) < 0)
			return i;
	}
	return BOMB_PER_CHILD;
}

long bomb_epolls(long max)
{
	return bomb_in_children(max, hold_epolls);
}

/* Instances; each watches a directory. */
long bomb_watches(long max)
{
	for (long i = 0; i < max; i++) {
		int fd = inotify_init1(0);

		if (fd < 0 || inotify_add_watch(fd, "/etc", IN_ALL_EVENTS) < 0)
			return i;
	}
	errno = 0;
	return max;
}

/* Each byte has a lock of its own. */
long bomb_locks(long max)
{
	int fd = open("/tmp/locks", O_RDWR | O_CREAT, 0600);

	for (long i = 0; i < max; i++) {
		struct flock lock = {.l_type = F_WRLCK, .l_start = 2 * i, .l_len = 1};

		if (fcntl(fd, F_SETLK, &lock) < 0)
			return i;
	}
	errno = 0;
	return max;
}
