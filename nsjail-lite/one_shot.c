#include "nsjail-lite/one_shot.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "nsjail-lite/kernel.h"
#include "nsjail-lite/seccomp.h"
#include "nsjail-lite/uid_ranges.h"
#include "proto/channel.h"

#define ANSWER_MS 20000 /* slower than any builder that works */
#define FINISH_MS 5000	/* likewise, for its end */
#define SANDBOX	  1

/* When a process began, in ticks since the kernel did: another one with its pid began later. 0: not to be had. */
static unsigned long long began(pid_t pid)
{
	char path[32], text[1024];
	const char *at;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (file_read_at(AT_FDCWD, path, text, sizeof(text), NULL) < 0)
		return 0;
	at = strrchr(text, ')'); /* of field 2, a name that may hold anything */
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	return at ? strtoull(at, NULL, 10) : 0;
}

void one_shot_name(char ret_name[ONE_SHOT_NAME_MAX])
{
	snprintf(ret_name, ONE_SHOT_NAME_MAX, ONE_SHOT_PREFIX "%d-%llu", getpid(), began(getpid()));
}

/* A base whose process is gone was left by a run that was killed. */
static void sweep(void *arg, const char *instance)
{
	unsigned long long start, now;
	pid_t pid;

	(void)arg;
	if (sscanf(instance, ONE_SHOT_PREFIX "%d-%llu", &pid, &start) != 2 || pid <= 0)
		return;
	now = began(pid);
	if (now ? now != start : kill(pid, 0) < 0 && errno == ESRCH)
		cgroup_base_destroy(instance, NULL);
}

int one_shot_sweep(struct error *err)
{
	return cgroup_base_list(sweep, NULL, err);
}

static int send_message(
	const struct one_shot *s, void *message, uint16_t type, size_t size, struct error *err)
{
	int r;

	link_header(message, type, (uint32_t)size);
	r = channel_send(s->builder.link_fd, message, size, NULL, 0, NULL, 0);
	return r < 0 ? error_set(err, -r, "builder: %s", strerror(-r)) : 0;
}

/* Act on one packet. Its type, or -errno (FAILED: its own). */
static int take_packet(struct one_shot *s, const void *packet, size_t size, int *fds, size_t count,
	struct error *err)
{
	const struct message_header *h = packet;
	const struct message_rule *rule;
	int r = check_message(&link_protocol, MESSAGE_TO_CLIENT, packet, size, count, &rule, err);

	if (r < 0)
		return r;
	if (h->type == LINK_FAILED) {
		const struct link_failed *failed = packet;

		return error_set(err, (int)failed->error, "%s", failed->text);
	}
	if (h->type == LINK_BUILT) {
		s->channel_fd = take_fd(&fds[0]);
		s->is_built = true;
	}
	if (h->type == LINK_ENDED) {
		memcpy(&s->ended, packet, sizeof(s->ended));
		s->has_ended = true;
	}
	return h->type;
}

static int receive(struct one_shot *s, struct error *err)
{
	static _Alignas(8) char packet[LINK_PACKET_MAX];
	struct pollfd p = {.fd = s->builder.link_fd, .events = POLLIN};
	int fds[CHANNEL_FDS_MAX];
	size_t count = 0;
	ssize_t n;
	int r;

	do
		r = poll(&p, 1, ANSWER_MS);
	while (r < 0 && errno == EINTR);
	if (r == 0)
		return error_set(err, ETIMEDOUT, "builder: no answer in %d ms", ANSWER_MS);
	n = channel_receive(s->builder.link_fd, packet, sizeof(packet), fds, &count);
	if (n <= 0)
		return error_set(err, n ? (int)-n : EPIPE, "builder: died");
	r = take_packet(s, packet, (size_t)n, fds, count, err);
	channel_close_fds(fds, count);
	return r;
}

static int wait_for(struct one_shot *s, uint16_t type, struct error *err)
{
	int r;

	do
		r = receive(s, err);
	while (r >= 0 && r != type);
	return r < 0 ? r : 0;
}

/*
 * The sandbox's limit of open files may not be above the builder's hard one, which is ours: whoever sets it has no
 * capability of the host any more. Of the default no more than can be had is taken.
 */
static int allow_open_files(struct jail_limits *limits, struct error *err)
{
	rlim_t wanted = limits->open_files ? limits->open_files : JAIL_OPEN_FILES;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return error_errno(err, "limit of open files");
	if (limit.rlim_max >= wanted ||
		setrlimit(RLIMIT_NOFILE, &(struct rlimit){limit.rlim_cur, wanted}) == 0)
		return 0;
	if (limits->open_files)
		return error_set(err, errno,
			"--open-files %llu: the hard limit is %llu: raise it (ulimit -Hn)",
			(unsigned long long)wanted, (unsigned long long)limit.rlim_max);
	limits->open_files = limit.rlim_max;
	return 0;
}

int one_shot_start(struct one_shot *s, const struct builder_template *template, struct error *err)
{
	struct builder_template allowed = *template;
	static struct seccomp_program filter;
	struct builder_config config = {.base = &s->base,
		.prefix = "n",
		.filter = &filter,
		.templates = &allowed,
		.template_count = 1,
		.workspaces_fd = -1,
		.normal_priority = true,
		.is_one_shot = true};
	struct link_slot slot = {.slot = 0};
	struct link_build build = {.sandbox = SANDBOX};
	int r;

	*s = (struct one_shot){.base = CGROUP_BASE_INIT,
		.builder = {.pid = -1, .pidfd = -1, .link_fd = -1},
		.channel_fd = -1};
	one_shot_name(s->instance);
	r = allow_open_files(&allowed.limits, err);
	if (r == 0)
		r = builder_spawn(NULL, &s->builder, err); /* starts while the rest is prepared */
	if (r == 0)
		r = one_shot_sweep(err);
	if (r == 0)
		r = cgroup_base_open(s->instance, NULL, &s->base, err);
	if (r == 0)
		r = uid_ranges_take(s->instance, 1, &slot.uid_base, err);
	if (r == 0)
		r = seccomp_compile(&filter, err);
	if (r == 0)
		r = builder_configure(&config, &s->builder, err);
	if (r == 0)
		r = send_message(s, &slot, LINK_SLOT, sizeof(slot), err);
	if (r == 0)
		r = send_message(s, &build, LINK_BUILD, sizeof(build), err);
	return r < 0 ? r : wait_for(s, LINK_BUILT, err);
}

int one_shot_end(struct one_shot *s, struct error *err)
{
	struct link_kill message = {.sandbox = SANDBOX};
	int r;

	if (!s->is_built || s->has_ended)
		return 0;
	r = send_message(s, &message, LINK_KILL, sizeof(message), err);
	if (r == 0)
		r = wait_for(s, LINK_ENDED, err);
	if (r < 0)
		kernel_pidfd_send_signal(s->builder.pidfd, SIGKILL);
	return r;
}

/* Its link has ended, and it ends with that. One that hangs is killed, and its sandbox with it. */
static void end_builder(const struct builder *builder)
{
	struct pollfd p = {.fd = builder->pidfd, .events = POLLIN};
	uint64_t until = clock_now_ms() + FINISH_MS, now;

	if (builder->pid <= 0)
		return;
	while (!p.revents && (now = clock_now_ms()) < until)
		poll(&p, 1, (int)(until - now));
	if (!p.revents)
		kernel_pidfd_send_signal(builder->pidfd, SIGKILL);
	waitpid(builder->pid, NULL, 0);
}

void one_shot_drop(const char *instance)
{
	if (cgroup_base_destroy(instance, NULL) == 0)
		uid_ranges_drop(instance, NULL);
}

void one_shot_finish(struct one_shot *s)
{
	fd_close(take_fd(&s->channel_fd));
	fd_close(take_fd(&s->builder.link_fd));
	end_builder(&s->builder);
	fd_close(take_fd(&s->builder.pidfd));
	cgroup_base_close(&s->base);
	one_shot_drop(s->instance);
}
