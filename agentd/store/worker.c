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
	unsigned queued;
	uint64_t
		due_ns; /* when the first of the queue must not wait any longer; UINT64_MAX: it is empty */
	bool is_stopping;
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

/* 0: the answer of each job stands, on the disk. -errno: none does, and nothing has changed. */
static int run_group(
	struct database *database, struct job *const *jobs, unsigned count, struct error *err)
{
	struct error ignored;
	int r;

	r = statement_run(database, STATEMENT_BEGIN, NULL, NULL, err);
	if (r < 0)
		return error_prefix(err, r, "store: begin");
	for (unsigned i = 0; i < count && r == 0; i++)
		r = run_job(database, jobs[i], err);
	if (r == 0) {
		r = statement_run(database, STATEMENT_COMMIT, NULL, NULL, err);
		if (r < 0)
			error_prefix(err, r, "store: commit");
	}
	if (r < 0 && database_is_in_transaction(database))
		statement_run(database, STATEMENT_ROLLBACK, NULL, NULL, &ignored);
	return r;
}

static void run_jobs(struct database *database, struct job *const *jobs, unsigned count)
{
	struct error err;
	int r;

	if (count > 1 && run_group(database, jobs, count, &err) == 0)
		return;
	for (unsigned i = 0; i < count; i++) {
		r = run_group(database, &jobs[i], 1, &err);
		if (r < 0)
			job_set(jobs[i], r, &err);
	}
}

/* With the lock: sleeps until there is reason to commit. False: there is nothing left and we are to stop. */
static bool wait_for_jobs(struct worker *worker)
{
	while (!worker->is_stopping && worker->queued < WORKER_GROUP_MAX &&
		worker->due_ns > clock_now_ns()) {
		const struct timespec due = {.tv_sec = (time_t)(worker->due_ns / NS_PER_S),
			.tv_nsec = (long)(worker->due_ns % NS_PER_S)};

		if (worker->queued == 0)
			pthread_cond_wait(&worker->wake, &worker->lock);
		else
			pthread_cond_timedwait(&worker->wake, &worker->lock, &due);
	}
	return worker->queued > 0;
}

/* With the lock, here and below. Returns how many. */
static unsigned take_jobs(struct worker *worker, struct job *jobs[static WORKER_GROUP_MAX])
{
	unsigned count = 0;
	struct job *job;

	while (count < WORKER_GROUP_MAX &&
		(job = list_first(&worker->queue, struct job, in_list))) {
		list_remove(&job->in_list);
		worker->queued--;
		jobs[count++] = job;
	}
	worker->due_ns = worker->queued > 0 ? 0 : UINT64_MAX;
	return count;
}

static void give_answers(struct worker *worker, struct job *const *jobs, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		list_append(&worker->answered, &jobs[i]->in_list);
	eventfd_write(worker->event_fd, 1);
}

static void *work(void *arg)
{
	struct job *jobs[WORKER_GROUP_MAX];
	struct worker *worker = arg;
	unsigned count;

	pthread_mutex_lock(&worker->lock);
	while (wait_for_jobs(worker)) {
		count = take_jobs(worker, jobs);
		pthread_mutex_unlock(&worker->lock);
		run_jobs(worker->database, jobs, count);
		pthread_mutex_lock(&worker->lock);
		give_answers(worker, jobs, count);
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
	worker->due_ns = UINT64_MAX;
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
	uint64_t due_ns = clock_now_ns() + operation_wait_ms(job->operation) * NS_PER_MS;

	pthread_mutex_lock(&worker->lock);
	list_append(&worker->queue, &job->in_list);
	worker->queued++;
	if (due_ns < worker->due_ns || worker->queued == WORKER_GROUP_MAX)
		pthread_cond_signal(&worker->wake);
	if (due_ns < worker->due_ns)
		worker->due_ns = due_ns;
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
