#include "nsjail-lite/guest/request.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "nsjail-lite/guest/exec.h"
#include "nsjail-lite/guest/job.h"
#include "nsjail-lite/guest/limits.h"
#include "nsjail-lite/guest/outbox.h"
#include "nsjail-lite/guest/worker.h"
#include "proto/control.h"

static struct request **bucket(const struct guest *guest, uint32_t id)
{
	return (struct request **)&guest->buckets[id % GUEST_BUCKETS];
}

struct request *request_find(const struct guest *guest, uint32_t id)
{
	struct request *request = *bucket(guest, id);

	while (request && request->reply.header.id != id)
		request = request->next_in_bucket;
	return request;
}

static uint32_t queued_size(const struct request *request)
{
	return ((const struct message_header *)request->packet)->size + request->input.size;
}

void request_fail(struct request *request, int error, const char *format, ...)
{
	va_list ap;

	request->reply.end = GUEST_END_FAILED;
	request->reply.error = (uint32_t)error;
	if (error == ENOSPC || error == EDQUOT)
		request->reply.limits_hit |= LIMIT_HIT_DISK;
	va_start(ap, format);
	vsnprintf(request->reply.text, sizeof(request->reply.text), format, ap);
	va_end(ap);
}

static uint64_t microseconds(const struct timeval *tv)
{
	return (uint64_t)tv->tv_sec * 1000000 + (uint64_t)tv->tv_usec;
}

void request_set_usage(struct request *request, const struct rusage *usage)
{
	struct guest_reply *reply = &request->reply;

	reply->user_us = microseconds(&usage->ru_utime);
	reply->system_us = microseconds(&usage->ru_stime);
	reply->max_rss_bytes = (uint64_t)usage->ru_maxrss * 1024;
	reply->read_bytes = (uint64_t)usage->ru_inblock * 512;
	reply->write_bytes = (uint64_t)usage->ru_oublock * 512;
	reply->major_faults = (uint64_t)usage->ru_majflt;
}

static bool is_disk_full(void)
{
	struct statvfs disk;

	if (statvfs("/", &disk) < 0)
		return false;
	return disk.f_bavail == 0 || (disk.f_files > 0 && disk.f_favail == 0);
}

static unsigned count_stdio(const struct request *request)
{
	unsigned count = 0;

	for (int i = 0; i < GUEST_EXEC_FDS_MAX; i++)
		count += request->stdio[i] >= 0;
	return count;
}

static void close_stdio(struct request *request)
{
	for (int i = 0; i < GUEST_EXEC_FDS_MAX; i++)
		fd_close(take_fd(&request->stdio[i]));
}

/* Nothing is left to do for it but to say so. */
static void finish(struct guest *guest, struct request *request)
{
	bool has_run = request->state != REQUEST_QUEUED;
	struct job *job = request->job;

	request->state = REQUEST_REPLYING; /* its end is decided, also where limits are hit now */
	if (has_run) {
		request->reply.wall_ns = clock_now_ns() - request->started_ns;
		if (is_disk_full())
			request->reply.limits_hit |= LIMIT_HIT_DISK;
		limits_tell(guest, request);
		guest->running_count--;
	}
	if (job && job->is_command) {
		request->reply.stdout_bytes = job->out.bytes;
		request->reply.stderr_bytes = job->err.bytes;
		if (request->reply.end == GUEST_END_TIMEOUT)
			request->reply.exit_status = 124; /* as timeout(1) */
	}
	input_finish(&request->input);
	close_stdio(request);
	request_set_pending(guest, request); /* before all that the client need not wait for */
	if (job)
		job_leave_request(guest, job);
}

void request_set_pending(struct guest *guest, struct request *request)
{
	if (list_is_empty(&request->member))
		list_append(&guest->pending, &request->member);
	if (!guest->is_blocked)
		outbox_flush(guest);
}

void request_drain(struct guest *guest, struct request *request)
{
	request->state = REQUEST_DRAINING;
	stream_drain(guest, &request->job->out);
	stream_drain(guest, &request->job->err);
	request_on_drained(guest, request);
}

void request_on_drained(struct guest *guest, struct request *request)
{
	if (stream_is_drained(&request->job->out) && stream_is_drained(&request->job->err))
		finish(guest, request);
}

static void leave_queue(struct guest *guest, struct request *request)
{
	list_remove(&request->member);
	guest->queued_bytes -= queued_size(request);
	guest->queued_fds -= count_stdio(request);
}

void request_abort(struct guest *guest, struct request *request, enum guest_end end, int error,
	const char *text)
{
	if (request->state != REQUEST_QUEUED && request->state != REQUEST_RUNNING)
		return; /* its end is decided */
	if (end == GUEST_END_FAILED)
		request_fail(request, error, "%s", text);
	request->reply.end = end;
	if (request->state == REQUEST_QUEUED) {
		leave_queue(guest, request);
		finish(guest, request);
		return;
	}
	request->state = REQUEST_KILLING;
	job_kill(guest, request->job);
}

void request_cancel(struct guest *guest, struct request *request)
{
	request_abort(guest, request, GUEST_END_CANCELLED, 0, "");
}

void request_destroy(struct guest *guest, struct request *request)
{
	struct request **link = bucket(guest, request->reply.header.id);

	while (*link != request)
		link = &(*link)->next_in_bucket;
	*link = request->next_in_bucket;
	list_remove(&request->member);
	list_append(&guest->dead_requests, &request->member);
	if (request->is_refused)
		guest->refused_count--;
	else
		guest->request_count--;
	free(take_ptr(&request->packet));
}

static void start(
	struct guest *guest, struct request *request, const struct message_header *message)
{
	int r;

	request->state = REQUEST_RUNNING;
	request->started_ns = clock_now_ns();
	limits_mark(guest, request);
	guest->running_count++;
	if (!job_create(guest, request)) {
		request_fail(request, ENOMEM, "out of memory");
		finish(guest, request);
		return;
	}
	if (message->type == GUEST_EXEC)
		r = exec_start(
			guest, request->job, (const struct guest_exec *)(const void *)message);
	else
		r = worker_start(
			guest, request->job, (const struct guest_file *)(const void *)message);
	close_stdio(request); /* what the command has not taken */
	if (r == 0)
		return;
	if (r == -EAGAIN)
		request->reply.limits_hit |= LIMIT_HIT_PIDS;
	request_fail(request, -r, "start: %s", strerror(-r));
	finish(guest, request);
}

static void refuse(struct guest *guest, struct request *request, const char *why)
{
	request->is_refused = true;
	guest->request_count--;
	guest->refused_count++;
	request_fail(request, EBUSY, "%s", why);
	finish(guest, request);
}

static int enqueue(
	struct guest *guest, struct request *request, const struct message_header *message)
{
	unsigned fds = count_stdio(request);

	if (guest->queued_bytes + message->size > GUEST_QUEUED_MAX ||
		guest->queued_fds + fds > GUEST_QUEUED_FDS) {
		refuse(guest, request, "too many requests are waiting");
		return 0;
	}
	request->packet = malloc(message->size);
	if (!request->packet)
		return -ENOMEM;
	memcpy(request->packet, message, message->size);
	guest->queued_bytes += message->size;
	guest->queued_fds += fds;
	list_append(&guest->queued, &request->member);
	return 0;
}

static bool takes_input(const struct message_header *message)
{
	if (message->type == GUEST_EXEC)
		return ((const struct guest_exec *)(const void *)message)->flags & GUEST_EXEC_STDIN;
	return message->type == GUEST_WRITE || message->type == GUEST_EDIT;
}

static struct request *request_new(const struct message_header *message, int *fds)
{
	struct request *request = calloc(1, sizeof(*request));
	const struct guest_exec *exec = (const void *)message;

	if (!request)
		return NULL;
	for (int i = 0; i < GUEST_EXEC_FDS_MAX; i++) {
		bool is_passed = message->type == GUEST_EXEC && exec->flags & guest_exec_fd_flag(i);

		request->stdio[i] = is_passed ? take_fd(fds++) : -1;
	}
	list_init(&request->member);
	return request;
}

int request_create(struct guest *guest, const struct message_header *message, int *fds)
{
	struct request *request;

	if (request_find(guest, message->id) || guest->refused_count >= GUEST_REQUESTS_MAX)
		return -EPROTO;
	request = request_new(message, fds);
	if (!request)
		return -ENOMEM;
	input_init(&request->input, takes_input(message));
	guest_header(&request->reply.header, GUEST_REPLY, sizeof(request->reply), message->id);
	request->reply.end = GUEST_END_DONE;
	request->next_in_bucket = *bucket(guest, message->id);
	*bucket(guest, message->id) = request;
	guest->request_count++;
	if (guest->request_count > GUEST_REQUESTS_MAX) {
		refuse(guest, request, "too many requests in flight");
		return 0;
	}
	if (guest->running_count >= GUEST_RUNNING_MAX || !list_is_empty(&guest->queued))
		return enqueue(guest, request, message);
	start(guest, request, message);
	return 0;
}

void request_start_queued(struct guest *guest)
{
	while (guest->running_count < GUEST_RUNNING_MAX && !list_is_empty(&guest->queued)) {
		struct request *request = list_first(&guest->queued, struct request, member);

		leave_queue(guest, request);
		start(guest, request, request->packet);
		if (request->state != REQUEST_REPLYING)
			free(take_ptr(&request->packet));
	}
}
