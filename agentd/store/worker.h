/*
 * worker.h - the thread that has the database: a queue of jobs in, the same jobs answered out, in the same order.
 *
 * Jobs that come until one of them may not wait any longer (operation_wait_ms()) share a transaction, and so the
 * fsync at its end. Each is run as soon as it comes, within a savepoint of its own, and handed back when the
 * transaction is committed. When it cannot be, each is tried again alone, so that none fails for another's sake.
 */
#ifndef AGENTD_STORE_WORKER_H
#define AGENTD_STORE_WORKER_H
#include <jansson.h>

#include "agentd/store/operation.h"
#include "agentd/store/store.h"
#include "base/error.h"
#include "base/list.h"

struct database;
struct worker;

#define WORKER_GROUP_MAX 256 /* jobs that share a transaction */

struct job {
	struct list in_list;
	enum operation operation;
	json_t *args; /* nobody else has a part of it */
	uint64_t due_ns;
	store_done_fn done;
	void *arg;
	int r;
	json_t *result;
	struct error err;
};

void job_free(struct job *job);

/* The thread blocks every signal. database is borrowed until worker_destroy(). */
int worker_create(struct database *database, struct worker **ret_worker, struct error *err);
/* Readable when there are answers; borrowed. */
int worker_fd(const struct worker *worker);
/* Takes over the job. */
void worker_ask(struct worker *worker, struct job *job);
/* Moves the answered ones to the end of `jobs`, the caller's to free. */
void worker_take_answers(struct worker *worker, struct list *jobs);
/* Returns once all have been answered and the thread has ended; the last answers can be taken then. */
void worker_stop(struct worker *worker);
/* Stopped before, if it was started. Accepts NULL. */
void worker_destroy(struct worker *worker);
#endif
