/*
 * worker.h - one file request in a process of its own: limited, killable, not trusted by PID 1.
 *
 * A runner becomes one by its request. Its data goes through a pipe that PID 1 relays and cuts as it does a
 * command's output; its last word is one struct worker_result. With that the request is done: PID 1 does not
 * wait for its exit.
 */
#ifndef NSJAIL_LITE_GUEST_WORKER_H
#define NSJAIL_LITE_GUEST_WORKER_H
#include "nsjail-lite/guest/job.h"

struct worker_result {
	int32_t error; /* 0: done */
	uint32_t reserved;
	uint64_t count, total;
	struct rusage usage; /* by this request */
	char text[GUEST_TEXT_MAX];
};

/* What a file request works with; in the worker only. */
struct work {
	uint32_t flags;
	uint64_t offset, length;
	uint64_t max_bytes; /* of output */
	uint64_t sent;
	const char *path, *pattern, *include; /* NULL where the request has none */
	struct worker_result result;
};

/* In the runner. guest: PID 1. */
_Noreturn void worker_main(const struct guest_file *message, const char *cwd, pid_t guest);

/* 0 or -errno; -EAGAIN: the pids limit. */
int worker_start(struct guest *guest, struct job *job, const struct guest_file *message);

/* It has been reaped with this status. */
void worker_on_gone(struct guest *guest, struct job *job, int status, const struct rusage *usage);

/* In the worker. A row of the table in worker.c calls one work_function: 0, or what work_fail() returns. */
typedef int work_function(struct work *work);

/* Set the reason. Returns -error. */
int work_fail(struct work *work, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Would so much more data stay within max_bytes? */
bool work_fits(const struct work *work, size_t size);

/* Data for the client; it fits. */
void work_send(struct work *work, const void *data, size_t size);

/*
 * From here on a CANCEL or time-out waits for the worker's end, for a moment: what is done by several
 * system calls is done whole or not at all.
 */
void work_commit(void);

/* All INPUT, at most GUEST_FILE_MAX bytes; *ret_bytes stays until the worker ends. 0 or -errno. */
int work_receive(struct work *work, char **ret_bytes, size_t *ret_size);
#endif
