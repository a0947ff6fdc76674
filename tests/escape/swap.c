#include "tests/escape/swap.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct swap *running; /* one at a time */

static void *run(void *arg)
{
	struct swap *swap = arg;

	while (!swap->is_stopping) {
		if (renameat2(AT_FDCWD, swap->a, AT_FDCWD, swap->b, RENAME_EXCHANGE) == 0)
			swap->rounds++;
		sched_yield();
	}
	return NULL;
}

void swap_start(struct swap *swap, const char *a, const char *b)
{
	snprintf(swap->a, sizeof(swap->a), "%s", a);
	snprintf(swap->b, sizeof(swap->b), "%s", b);
	swap->rounds = 0;
	swap->is_stopping = false;
	running = swap;
	assert_int_equal(pthread_create(&swap->thread, NULL, run, swap), 0);
}

unsigned long swap_stop(struct swap *swap)
{
	running = NULL;
	swap->is_stopping = true;
	assert_int_equal(pthread_join(swap->thread, NULL), 0);
	return swap->rounds;
}

void swap_stop_any(void)
{
	if (running)
		swap_stop(running);
}
