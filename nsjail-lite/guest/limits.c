#include "nsjail-lite/guest/limits.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nsjail-lite/guest/job.h"
#include "nsjail-lite/guest/request.h"
#include "proto/control.h"

/* The number behind `key` at the start of a line of a small file; `otherwise` when it cannot be read. */
static uint64_t read_count(int fd, const char *key, uint64_t otherwise)
{
	size_t length = strlen(key);
	char text[512];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return otherwise;
	text[n] = '\0';
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, length) == 0)
			return strtoull(line + length, NULL, 10);
	}
	return otherwise;
}

static void count_ooms(struct guest *guest)
{
	int fd = guest->memory_events.fd;
	uint64_t rung;

	if (fd < 0)
		return;
	if (!guest->is_memory_rung) {
		guest->ooms = read_count(fd, "oom_kill ", guest->ooms);
		guest->limit_ooms = read_count(fd, "oom ", guest->limit_ooms);
	} else if (read(fd, &rung, sizeof(rung)) == (ssize_t)sizeof(rung)) {
		guest->ooms += rung;
		guest->limit_ooms += rung;
	}
}

static void count_refused(struct guest *guest)
{
	if (guest->pids_events_fd >= 0)
		guest->forks_refused =
			read_count(guest->pids_events_fd, "max ", guest->forks_refused);
}

/* The kernel may have taken its runner, and then nobody reports how it ended. A report says it better. */
static void abort_command(struct guest *guest, struct request *request)
{
	if (request->state == REQUEST_RUNNING) {
		request->reply.signal = SIGKILL;
		request->reply.exit_status = 128 + SIGKILL;
	}
	request_abort(guest, request, GUEST_END_DONE, 0, "");
}

void limits_check(struct guest *guest)
{
	uint64_t before = guest->ooms;

	count_ooms(guest);
	if (guest->ooms == before)
		return; /* memory.events has more to tell than this */
	list_for_each(l, &guest->jobs)
	{
		struct job *job = list_entry(l, struct job, member);

		if (job->request && job->is_command)
			abort_command(guest, job->request);
		else if (job->request)
			request_abort(guest, job->request, GUEST_END_FAILED, ENOMEM,
				"the sandbox is out of memory");
		job_kill(guest, job); /* of what outlived its request, too */
	}
}

static void on_memory(struct guest *guest, struct source *source, uint32_t events)
{
	(void)source;
	(void)events;
	limits_check(guest);
}

void limits_open(struct guest *guest, const struct guest_events *events)
{
	struct stat st;

	source_init(&guest->memory_events, on_memory);
	guest->pids_events_fd = events->pids_fd;
	guest->oom_score_fd = events->oom_score_fd;
	if (events->memory_fd < 0 || fstat(events->memory_fd, &st) < 0)
		return;
	guest->memory_events.fd = events->memory_fd;
	guest->is_memory_rung = !S_ISREG(st.st_mode);
	if (source_watch(&guest->memory_events, guest->epoll,
		    guest->is_memory_rung ? EPOLLIN : EPOLLPRI) < 0)
		_exit(1);
	count_ooms(guest);
}

void limits_mark(struct guest *guest, struct request *request)
{
	count_refused(guest);
	request->ooms_before = guest->limit_ooms;
	request->refused_before = guest->forks_refused;
}

void limits_tell(struct guest *guest, struct request *request)
{
	limits_check(guest);
	count_refused(guest);
	if (guest->limit_ooms != request->ooms_before)
		request->reply.limits_hit |= LIMIT_HIT_MEMORY;
	if (guest->forks_refused != request->refused_before)
		request->reply.limits_hit |= LIMIT_HIT_PIDS;
}
