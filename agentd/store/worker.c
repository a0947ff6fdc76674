#include "agentd/store/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "agentd/store/database.h"
#include "agentd/store/statement.h"
#include "base/cleanup.h"
#include "base/clock.h"

struct worker {
	struct database *database;
	pthread_t thread;
	bool is_running; /* of the thread that owns this: the loop's */
	int event_fd;

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t wake;
	struct list queue, answered;
	bool is_stopping;
};

/* Jobs that share a transaction, which is open as long as there are any. */
struct group {
	struct job *jobs[WORKER_GROUP_MAX];
	unsigned count;
	uint64_t due_ns; /* when the first of them must not wait any longer */
	int r;		 /* -errno with err: nothing can go on in this transaction */
	struct error err;
};

void job_free(struct job *job)
{
	json_decref(job->args);
	json_decref(job->result);
	free(job);
}

static void job_set(struct job *job, int r, const struct error *err)
{
	json_decref(job->result);
	job->result = NULL;
	job->r = r;
	job->err = *err;
}

/* One job within a transaction. Its own failure is its answer. -errno: nothing can go on in this transaction. */
static int run_job(struct database *database, struct job *job, struct error *err)
{
	const struct error none = {0};
	int r;

	job_set(job, 0, &none);
	r = statement_run(database, STATEMENT_SAVE, NULL, NULL, err);
	if (r < 0)
		return r;
	job->r = operation_run(job->operation, database, job->args, &job->result, &job->err);
	if (job->r < 0) {
		struct error why = job->err;

		job_set(job, job->r, &why);
		if (!database_is_in_transaction(database)) {
			*err = why;
			return job->r;
		}
		r = statement_run(database, STATEMENT_UNDO, NULL, NULL, err);
	}
	if (r == 0)
		r = statement_run(database, STATEMENT_RELEASE, NULL, NULL, err);
	return r;
}

static void group_add(struct group *group, struct database *database, struct job *job)
{
	if (group->count == 0) {
		group->due_ns = UINT64_MAX;
		group->r = statement_run(database, STATEMENT_BEGIN, NULL, NULL, &group->err);
		if (group->r < 0)
			error_prefix(&group->err, group->r, "store: begin");
	}
	if (group->r == 0)
		group->r = run_job(database, job, &group->err);
	if (job->due_ns < group->due_ns)
		group->due_ns = job->due_ns;
	group->jobs[group->count++] = job;
}

/* Then the answer of each job stands, on the disk, or says why it does not. One that shared is tried again alone. */
static void group_end(struct group *group, struct database *database)
{
	struct error ignored;

	if (group->r == 0) {
		group->r = statement_run(database, STATEMENT_COMMIT, NULL, NULL, &group->err);
		if (group->r < 0)
			error_prefix(&group->err, group->r, "store: commit");
	}
	if (group->r == 0)
		return;
	if (database_is_in_transaction(database))
		statement_run(database, STATEMENT_ROLLBACK, NULL, NULL, &ignored);
	if (group->count == 1) {
		job_set(group->jobs[0], group->r, &group->err);
		return;
	}
	for (unsigned i = 0; i < group->count; i++) {
		struct group alone = {0};

		group_add(&alone, database, group->jobs[i]);
		group_end(&alone, database);
	}
}

/* With the lock: sleeps until there is something to run or to commit. False: there is not, and we are to stop. */
static bool wait_for_work(struct worker *worker, const struct group *group)
{
	while (!worker->is_stopping && list_is_empty(&worker->queue)) {
		const struct timespec due = {.tv_sec = (time_t)(group->due_ns / NS_PER_S),
			.tv_nsec = (long)(group->due_ns % NS_PER_S)};

		if (group->count == 0)
			pthread_cond_wait(&worker->wake, &worker->lock);
		else if (pthread_cond_timedwait(&worker->wake, &worker->lock, &due) == ETIMEDOUT)
			break;
	}
	return group->count > 0 || !list_is_empty(&worker->queue);
}

/* With the lock, here and below. As many as may join the group. */
static void take_jobs(struct worker *worker, const struct group *group, struct list *jobs)
{
	struct job *job;

	for (unsigned room = WORKER_GROUP_MAX - group->count; room > 0; room--) {
		job = list_first(&worker->queue, struct job, in_list);
		if (!job)
			break;
		list_remove(&job->in_list);
		list_append(jobs, &job->in_list);
	}
}

static void give_answers(struct worker *worker, struct group *group)
{
	for (unsigned i = 0; i < group->count; i++)
		list_append(&worker->answered, &group->jobs[i]->in_list);
	group->count = 0;
	eventfd_write(worker->event_fd, 1);
}

/* What waits for company is run at once all the same: then only the commit is left to do. */
static void *work(void *arg)
{
	struct group group = {.count = 0};
	struct worker *worker = arg;
	struct list jobs;
	struct job *job;

	list_init(&jobs);
	pthread_mutex_lock(&worker->lock);
	while (wait_for_work(worker, &group)) {
		bool is_due = worker->is_stopping;

		take_jobs(worker, &group, &jobs);
		pthread_mutex_unlock(&worker->lock);
		while ((job = list_first(&jobs, struct job, in_list))) {
			list_remove(&job->in_list);
			group_add(&group, worker->database, job);
		}
		is_due |= group.r < 0 || group.count == WORKER_GROUP_MAX ||
			  group.due_ns <= clock_now_ns();
		if (is_due)
			group_end(&group, worker->database);
		pthread_mutex_lock(&worker->lock);
		if (is_due)
			give_answers(worker, &group);
	}
	pthread_mutex_unlock(&worker->lock);
	return NULL;
}

static int start_thread(struct worker *worker, struct error *err)
{
	sigset_t all, before;
	int code;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	code = pthread_create(&worker->thread, NULL, work, worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (code != 0)
		return error_set(err, code, "store: no thread: %s", strerror(code));
	worker->is_running = true;
	return 0;
}

int worker_create(struct database *database, struct worker **ret_worker, struct error *err)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	pthread_condattr_t attributes;
	int r = 0;

	if (!worker)
		return error_set(err, ENOMEM, "store: out of memory");
	worker->database = database;
	list_init(&worker->queue);
	list_init(&worker->answered);
	pthread_mutex_init(&worker->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&worker->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	worker->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (worker->event_fd < 0)
		r = error_errno(err, "store: eventfd");
	if (r == 0)
		r = start_thread(worker, err);
	if (r < 0) {
		worker_destroy(worker);
		return r;
	}
	*ret_worker = worker;
	return 0;
}

int worker_fd(const struct worker *worker)
{
	return worker->event_fd;
}

void worker_ask(struct worker *worker, struct job *job)
{
	job->due_ns = clock_now_ns() + operation_wait_ms(job->operation) * NS_PER_MS;
	pthread_mutex_lock(&worker->lock);
	list_append(&worker->queue, &job->in_list);
	pthread_cond_signal(&worker->wake);
	pthread_mutex_unlock(&worker->lock);
}

void worker_take_answers(struct worker *worker, struct list *jobs)
{
	eventfd_t count;
	struct job *job;

	/* Before the list is read, or an answer that comes between would not be told. */
	eventfd_read(worker->event_fd, &count);
	pthread_mutex_lock(&worker->lock);
	while ((job = list_first(&worker->answered, struct job, in_list))) {
		list_remove(&job->in_list);
		list_append(jobs, &job->in_list);
	}
	pthread_mutex_unlock(&worker->lock);
}

void worker_stop(struct worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	worker->is_stopping = true;
	pthread_cond_signal(&worker->wake);
	pthread_mutex_unlock(&worker->lock);
	pthread_join(worker->thread, NULL);
	worker->is_running = false;
}

void worker_destroy(struct worker *worker)
{
	if (!worker)
		return;
	if (worker->is_running)
		worker_stop(worker);
	fd_close(worker->event_fd);
	pthread_cond_destroy(&worker->wake);
	pthread_mutex_destroy(&worker->lock);
	free(worker);
}
