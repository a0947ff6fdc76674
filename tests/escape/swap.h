/* swap.h - a thread that exchanges two names of a directory without a pause (RENAME_EXCHANGE). */
#ifndef TESTS_ESCAPE_SWAP_H
#define TESTS_ESCAPE_SWAP_H
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct swap {
	char a[256], b[256];
	pthread_t thread;
	atomic_ulong rounds;
	atomic_bool is_stopping;
};

/* Each asserts that it worked. The swap must outlive a failed case: static. */
void swap_start(struct swap *swap, const char *a, const char *b);
/* Returns the number of exchanges. */
unsigned long swap_stop(struct swap *swap);
/* The one that a failed case has left. */
void swap_stop_any(void);
#endif
