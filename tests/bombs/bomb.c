#include "tests/bombs/bomb.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const struct bomb_row bombs[] = {
	{"fork", bomb_fork},
	{"fork-for-ever", bomb_fork_for_ever},
	{"signals", bomb_signals},
	{"threads", bomb_threads},
	{"vfork", bomb_vfork},
	{"zombies", bomb_zombies},
	{"churn", bomb_churn},
	{"spin", bomb_spin},
	{"storm", bomb_storm},
	{"stubborn", bomb_stubborn},
	{"touch", bomb_touch},
	{"fill", bomb_fill},
	{"fill-shm", bomb_fill_shm},
	{"sysv-shm", bomb_sysv_shm},
	{"sysv-sem", bomb_sysv_sem},
	{"sysv-msg", bomb_sysv_msg},
	{"mq", bomb_mq},
	{"cache", bomb_cache},
	{"maps", bomb_maps},
	{"pipes", bomb_pipes},
	{"sockets", bomb_sockets},
	{"tcp", bomb_tcp},
	{"udp", bomb_udp},
	{"connects", bomb_connects},
	{"syns", bomb_syns},
	{"flows", bomb_flows},
	{"packets", bomb_packets},
	{"bytes", bomb_bytes},
	{"epolls", bomb_epolls},
	{"watches", bomb_watches},
	{"locks", bomb_locks},
	{"open", bomb_open},
	{"inodes", bomb_inodes},
	{"deep", bomb_deep},
	{"sparse", bomb_sparse},
	{"syncs", bomb_syncs},
	{"lines", bomb_lines},
	{"one-line", bomb_one_line},
	{"mixed", bomb_mixed},
};

int64_t bomb_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

static pid_t children[8192];
static int child_count;

int bomb_child(void (*body)(void))
{
	pid_t pid;

	if (child_count == (int)(sizeof(children) / sizeof(children[0]))) {
		errno = EOVERFLOW;
		return -1;
	}
	pid = fork();
	if (pid == 0) {
		if (body)
			body();
		for (;;)
			pause();
	}
	if (pid > 0)
		children[child_count++] = pid;
	return pid;
}

void bomb_end_children(void)
{
	int error = errno;

	for (int i = 0; i < child_count; i++)
		kill(children[i], SIGKILL);
	for (int i = 0; i < child_count; i++)
		waitpid(children[i], NULL, 0);
	child_count = 0;
	errno = error;
}

static volatile long *shared_count;
static volatile int *shared_error;
static long (*child_act)(void);

static void run_child_act(void)
{
	long done = child_act();

	__atomic_add_fetch(shared_count, done, __ATOMIC_SEQ_CST);
	if (done < BOMB_PER_CHILD)
		*shared_error = errno;
	__atomic_add_fetch(shared_count + 1, 1, __ATOMIC_SEQ_CST);
}

long bomb_in_children(long max, long (*act)(void))
{
	void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	long started = 0;
	int error = 0;

	shared_count = memory;
	shared_error = (volatile int *)(shared_count + 2);
	child_act = act;
	while (started * BOMB_PER_CHILD < max && !error) {
		if (bomb_child(run_child_act) < 0)
			error = errno;
		else
			started++;
		while (shared_count[1] < started)
			usleep(100);
		if (*shared_error)
			error = *shared_error;
	}
	errno = error;
	return *shared_count;
}

/* The pipe too needs memory: without it nothing can be said. */
static int say(long done, int error)
{
	printf("did %ld %s\n", done, error ? strerror(error) : "done");
	return fflush(stdout) == 0 ? 0 : 3;
}

static int run(const struct bomb_row *bomb, long max, bool holds)
{
	long done;
	int error, r;

	errno = 0;
	done = bomb->act(max);
	error = errno;
	if (!holds)
		bomb_end_children();
	r = say(done, error);
	while (holds)
		pause();
	return r;
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc >= 3 && i < sizeof(bombs) / sizeof(bombs[0]); i++)
		if (strcmp(argv[1], bombs[i].name) == 0)
			return run(&bombs[i], atol(argv[2]), argc > 3);
	fprintf(stderr, "usage: bomb NAME MAX [hold]\n");
	return 2;
}
