#include "nsjail-lite/guest/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "nsjail-lite/guest/child_fds.h"
#include "nsjail-lite/guest/file.h"
#include "nsjail-lite/guest/limits.h"
#include "nsjail-lite/guest/place.h"
#include "nsjail-lite/guest/request.h"
#include "nsjail-lite/guest/search.h"
#include "nsjail-lite/guest/spare.h"

#define MAX_BYTES_DEFAULT (256u << 10)
#define MEMORY_MAX	  (128u << 20)
/* WRITE, EDIT: input, old and new content at GUEST_FILE_MAX */
#define EDIT_MEMORY_MAX (512u << 20)
#define INPUT_STEP	(64u << 10)

static work_function *const functions[] = {
	[GUEST_READ] = file_read,
	[GUEST_WRITE] = file_write,
	[GUEST_EDIT] = file_edit,
	[GUEST_STAT] = file_stat,
	[GUEST_LIST] = file_list,
	[GUEST_GLOB] = search_glob,
	[GUEST_GREP] = search_grep,
};

int work_fail(struct work *work, int error, const char *format, ...)
{
	va_list ap;

	work->result.error = error;
	va_start(ap, format);
	vsnprintf(work->result.text, sizeof(work->result.text), format, ap);
	va_end(ap);
	return -error;
}

bool work_fits(const struct work *work, size_t size)
{
	return size <= work->max_bytes - work->sent;
}

static char waiting[GUEST_CHUNK_MAX]; /* small pieces of data, to be written together */
static size_t waiting_size;

static void write_data(const void *data, size_t size)
{
	if (fd_write_full(1, data, size) < 0)
		_exit(1); /* nobody listens any more */
}

static void flush(void)
{
	write_data(waiting, waiting_size);
	waiting_size = 0;
}

void work_send(struct work *work, const void *data, size_t size)
{
	if (!work_fits(work, size))
		abort();
	work->sent += size;
	if (size > sizeof(waiting) - waiting_size)
		flush();
	if (size > sizeof(waiting)) {
		write_data(data, size);
		return;
	}
	memcpy(waiting + waiting_size, data, size);
	waiting_size += size;
}

void work_commit(void)
{
	sigset_t term;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
}

int work_receive(struct work *work, char **ret_bytes, size_t *ret_size)
{
	size_t size = 0, capacity = 0;
	char *bytes = NULL;
	ssize_t n;

	do {
		if (capacity - size < INPUT_STEP) {
			capacity = capacity ? capacity * 2 : INPUT_STEP * 2;
			bytes = realloc(bytes, capacity);
			if (!bytes)
				return work_fail(work, ENOMEM, "content: out of memory");
		}
		n = read(0, bytes + size, INPUT_STEP);
		if (n < 0)
			return work_fail(work, errno, "content: %s", strerror(errno));
		size += (size_t)n;
		if (size > GUEST_FILE_MAX)
			return work_fail(
				work, EFBIG, "content: more than %u bytes", GUEST_FILE_MAX);
	} while (n > 0);
	*ret_bytes = bytes;
	*ret_size = size;
	return 0;
}

/* Its time counts from when it was forked, maybe as the runner of many commands. */
static void set_limits(uint16_t type, uint32_t timeout_ms, const struct rusage *before)
{
	struct rlimit core = {0, 0};
	rlim_t used = (rlim_t)(before->ru_utime.tv_sec + before->ru_stime.tv_sec) + 1;
	struct rlimit cpu = {used + timeout_ms / 1000 + 1, used + timeout_ms / 1000 + 1};

	/* Where a limit is lower already, it stays. */
	setrlimit(RLIMIT_CORE, &core);
	setrlimit(RLIMIT_CPU, &cpu);
#ifdef __SANITIZE_ADDRESS__ /* which reserves terabytes */
	(void)type;
#else
	rlim_t bytes = type == GUEST_WRITE || type == GUEST_EDIT ? EDIT_MEMORY_MAX : MEMORY_MAX;
	struct rlimit memory = {bytes, bytes};

	setrlimit(RLIMIT_AS, &memory);
#endif
}

static void take_off(struct rusage *usage, const struct rusage *before)
{
	timersub(&usage->ru_utime, &before->ru_utime, &usage->ru_utime);
	timersub(&usage->ru_stime, &before->ru_stime, &usage->ru_stime);
	usage->ru_inblock -= before->ru_inblock;
	usage->ru_oublock -= before->ru_oublock;
	usage->ru_majflt -= before->ru_majflt;
}

void worker_main(const struct guest_file *message, const char *cwd, pid_t guest)
{
	const char *payload = (const char *)(message + 1);
	const char *end = (const char *)message + message->header.size;
	struct work work = {
		.flags = message->flags,
		.offset = message->offset,
		.length = message->length,
		.max_bytes = message->max_bytes ? message->max_bytes : MAX_BYTES_DEFAULT,
	};
	struct rusage before;
	sigset_t blocked;

	sigfillset(&blocked);
	sigdelset(&blocked, SIGTERM); /* by which PID 1 ends it */
	sigprocmask(SIG_SETMASK, &blocked, NULL);
	place_priority(PLACE_SLICE_USUAL_NS);
	getrusage(RUSAGE_SELF, &before);
	if (chdir(cwd) < 0 && chdir("/") < 0)
		_exit(1);
	set_limits(message->header.type,
		message->timeout_ms ? message->timeout_ms : GUEST_FILE_TIMEOUT, &before);
	work.path = guest_next_string(&payload, end);
	work.pattern = guest_next_string(&payload, end);
	work.include = work.pattern ? guest_next_string(&payload, end) : NULL;
	functions[message->header.type](&work);
	place_guest_here(guest);
	flush();
	getrusage(RUSAGE_SELF, &work.result.usage);
	take_off(&work.result.usage, &before);
	if (fd_write_full(CHILD_REPORT_FD, &work.result, sizeof(work.result)) < 0)
		_exit(1);
	_exit(0);
}

static int open_pipes(struct guest *guest, struct job *job, struct child_fds *theirs)
{
	int out, in, r;

	r = child_fds_pipe(0, &out, &theirs->out);
	if (r == 0)
		r = stream_open(guest, &job->out, out, false);
	if (r < 0 || !job->request->input.is_wanted)
		return r;
	r = child_fds_pipe(1, &in, &theirs->in);
	if (r == 0)
		input_open(guest, &job->request->input, in, false);
	return r;
}

/* Its memory may have been tampered with: take nothing that the client's check would refuse. */
static void take_result(struct request *request, struct worker_result *result)
{
	result->text[sizeof(result->text) - 1] = '\0';
	request->reply.count = result->count;
	request->reply.total = result->total;
	if (result->error < 0 || result->error > 4095)
		result->error = EIO;
	if (result->error)
		request_fail(request, result->error, "%s", result->text);
	else
		strcpy(request->reply.text, result->text);
	request_set_usage(request, &result->usage);
}

/* Its one word, after which it exits; nobody waits for that. */
static void on_result(struct guest *guest, struct source *source, uint32_t events)
{
	struct job *job = list_entry(source, struct job, report);
	struct worker_result result;
	ssize_t n;

	(void)events;
	place_anywhere(); /* see place_guest_here() */
	n = read(source->fd, &result, sizeof(result));
	if (n < 0)
		return;
	source_close(source);
	if (n != (ssize_t)sizeof(result) || !job->request || job->request->state != REQUEST_RUNNING)
		return;
	take_result(job->request, &result);
	request_drain(guest, job->request);
}

int worker_start(struct guest *guest, struct job *job, const struct guest_file *message)
{
	uint32_t timeout_ms = message->timeout_ms ? message->timeout_ms : GUEST_FILE_TIMEOUT;
	struct child_fds theirs = CHILD_FDS_NONE;
	int r;

	job->out.kind = GUEST_DATA;
	job->output_max = message->max_bytes ? message->max_bytes : MAX_BYTES_DEFAULT;
	job->report.on_ready = on_result;
	r = open_pipes(guest, job, &theirs);
	if (r == 0)
		r = spare_start(guest, job, &message->header, &theirs);
	child_fds_close(&theirs);
	job->deadline_ns = clock_now_ns() + timeout_ms * NS_PER_MS;
	return r;
}

void worker_on_gone(struct guest *guest, struct job *job, int status, const struct rusage *usage)
{
	struct request *request;

	guest->wants_spare = true;
	if (job->report.fd >= 0)
		on_result(guest, &job->report, 0);
	request = job->request;
	if (!request || request->state == REQUEST_DRAINING)
		return;
	request_set_usage(request, usage);
	if (WIFSIGNALED(status))
		limits_check(guest); /* by whom? */
	if (request->state == REQUEST_RUNNING && WIFSIGNALED(status))
		request_fail(request, EIO, "the worker was killed by signal %d", WTERMSIG(status));
	else if (request->state == REQUEST_RUNNING)
		request_fail(request, EIO, "the worker ended without a result");
	request_drain(guest, request);
}
