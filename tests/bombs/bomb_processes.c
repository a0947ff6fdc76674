/* Processes, threads, processors, signals. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/bombs/bomb.h"

#define STACK	     16384
#define SPINNERS     4
#define STORM_TIMERS 64

long bomb_fork(long max)
{
	for (long i = 0; i < max; i++)
		if (bomb_child(NULL) < 0)
			return i;
	errno = 0;
	return max;
}

/* Every child makes more, until somebody ends them all. */
long bomb_fork_for_ever(long max)
{
	(void)max;
	for (;;)
		fork();
}

static void *wait_for_ever(void *arg)
{
	for (;;)
		pause();
	return arg;
}

long bomb_threads(long max)
{
	pthread_attr_t attributes;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK);
	for (long i = 0; i < max; i++) {
		pthread_t thread;
		int r = pthread_create(&thread, &attributes, wait_for_ever, NULL);

		if (r != 0) {
			errno = r;
			return i;
		}
	}
	errno = 0;
	return max;
}

static volatile long vfork_depth, vfork_max;
static volatile int vfork_error;

/* Each waits for its child, which makes another; the last one lets them all go. */
static int vfork_next(void *arg)
{
	char *stack;

	(void)arg;
	if (vfork_depth == vfork_max)
		return 0;
	stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (stack == MAP_FAILED)
		return 1;
	vfork_depth++;
	if (clone(vfork_next, stack + STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL) < 0) {
		vfork_depth--;
		vfork_error = errno;
	}
	return 0;
}

long bomb_vfork(long max)
{
	vfork_max = max;
	vfork_next(NULL);
	errno = vfork_error;
	return vfork_depth;
}

long bomb_zombies(long max)
{
	for (long i = 0; i < max; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		if (pid < 0)
			return i;
	}
	errno = 0;
	return max;
}

/* Numbers of processes come and go as fast as the kernel can. */
long bomb_churn(long max)
{
	static bool seen[1 << 22];
	long different = 0;

	for (long i = 0; i < max; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		if (pid < 0)
			return different;
		different += !seen[pid];
		seen[pid] = true;
		waitpid(pid, NULL, 0);
	}
	errno = 0;
	return different;
}

static void spin_for_ever(void)
{
	for (volatile unsigned long i = 0;; i++)
		;
}

/* Processor time of all spinners, in milliseconds. */
long bomb_spin(long milliseconds)
{
	struct timespec rest = {milliseconds / 1000, milliseconds % 1000 * 1000000};
	struct rusage usage;

	for (int i = 0; i < SPINNERS; i++)
		if (bomb_child(spin_for_ever) < 0)
			return -1;
	nanosleep(&rest, NULL);
	bomb_end_children();
	getrusage(RUSAGE_CHILDREN, &usage);
	errno = 0;
	return usage.ru_utime.tv_sec * 1000 + usage.ru_utime.tv_usec / 1000;
}

#define STORM_SAYS 1000 /* signals: more than come by accident */

static void on_storm(int signal)
{
	static const char text[] = "did 1000 storm\n";
	static unsigned long signals;

	(void)signal;
	if (++signals == STORM_SAYS && write(1, text, sizeof(text) - 1) < 0)
		_exit(1);
}

/* Timers at the shortest period there is, and signals to oneself between them: it may never end. */
long bomb_storm(long milliseconds)
{
	struct itimerval shortest = {{0, 1}, {0, 1}};
	struct itimerspec period = {{0, 1000}, {0, 1000}};
	struct sigaction action = {.sa_handler = on_storm, .sa_flags = SA_RESTART};
	int64_t until = bomb_now_ms() + milliseconds;

	sigaction(SIGALRM, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
	for (int i = 0; i < STORM_TIMERS; i++) {
		struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
		timer_t timer;

		if (timer_create(CLOCK_MONOTONIC, &event, &timer) < 0 ||
			timer_settime(timer, 0, &period, NULL) < 0)
			return -1;
	}
	setitimer(ITIMER_REAL, &shortest, NULL);
	while (bomb_now_ms() < until)
		raise(SIGUSR1);
	signal(SIGUSR1, SIG_IGN);
	signal(SIGALRM, SIG_IGN);
	errno = 0;
	return milliseconds;
}

/* Signals that wait: the kernel keeps each of these until somebody takes it. */
long bomb_signals(long max)
{
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	for (long i = 0; i < max; i++)
		if (sigqueue(getpid(), SIGRTMIN, (union sigval){0}) < 0)
			return i;
	errno = 0;
	return max;
}

static void stop(void)
{
	for (;;)
		raise(SIGSTOP);
}

static void be_traced(void)
{
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGUSR1);
}

/* A tree that ignores what may be ignored, stopped and traced in turns; it never ends by itself. */
long bomb_stubborn(long max)
{
	for (int s = 1; s < 32; s++)
		if (s != SIGCHLD)
			signal(s, SIG_IGN);
	signal(SIGUSR1, SIG_DFL);
	for (long i = 0; i < max; i++)
		if (bomb_child(i % 3 == 0 ? stop : i % 3 == 1 ? be_traced : NULL) < 0)
			return i;
	printf("did %ld stands\n", max);
	fflush(stdout);
	for (;;)
		raise(SIGSTOP);
}
