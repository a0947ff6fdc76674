/*
 * hearth-builder - builds and reaps sandboxes for the supervisor, off its event loop.
 *
 * A small root process, one of a few, started by the supervisor (or by nsjail-lite for its single
 * sandbox) with a SEQPACKET link as fd 3; link.h is all it speaks. It opens no file by path after
 * its start, reads no byte that comes from a sandbox, and runs at the lowest priority, so that a
 * refill never delays a hand-over.
 *
 * Musl-static, and the guest is part of it: a sandbox is cloned without exec, so PID 1 inside is a
 * copy of this small process that was born before the user namespace was joined. Root inside may
 * neither trace nor stop nor kill it.
 *
 * It builds one sandbox at a time and blocks while it does (half a millisecond; a hung child is
 * killed after five seconds). Parallel builds are parallel builders. Deaths come by pidfd through
 * epoll. While nothing is asked it makes the next cgroups ahead.
 *
 * When the link ends, for whatever reason, it kills what it built, removes its cgroups, exits. When
 * it is killed itself, its sandboxes die with it (parent death signal), and the cgroups are left to
 * the next builder of the same prefix.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "nsjail-lite/builder/builder.h"
#include "nsjail-lite/kernel.h"
#include "proto/channel.h"

#define LINK_FD	     3 /* where the host puts the link */
#define FIRST_OWN_FD (CHILD_LAST_FD + 1)

static struct builder builder = {
	.report_fd = -1, .workspaces_fd = -1, .base = {.v2_fd = -1, .v1_fd = {CGROUP_NONE_}}};

static void send_failed(struct builder *b, uint64_t sandbox, uint32_t slot, const struct error *err)
{
	struct link_failed failed = {
		.sandbox = sandbox, .slot = slot, .error = (uint32_t)err->code};

	link_header(&failed.header, LINK_FAILED, sizeof(failed));
	snprintf(failed.text, sizeof(failed.text), "%.*s", (int)sizeof(failed.text) - 1, err->text);
	channel_send(b->link_fd, &failed, sizeof(failed), NULL, 0, NULL, 0);
}

/* Hold the numbers that the child needs, and move the link out of their way. */
static int reserve_fds(struct builder *b, struct error *err)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	int pipe_fds[2];

	b->link_fd = fcntl(LINK_FD, F_DUPFD_CLOEXEC, FIRST_OWN_FD);
	if (null_fd < 0 || b->link_fd < 0)
		return error_errno(err, "start: /dev/null or the link on fd %d", LINK_FD);
	for (int fd = 0; fd <= CHILD_LAST_FD; fd++)
		if (fd != STDERR_FILENO && fd != null_fd && dup3(null_fd, fd, O_CLOEXEC) < 0)
			return error_errno(err, "start: reserve fd %d", fd);
	if (null_fd > CHILD_LAST_FD)
		fd_close(null_fd);
	if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0 ||
		dup3(pipe_fds[1], CHILD_REPORT_FD, O_CLOEXEC) < 0)
		return error_errno(err, "start: report pipe");
	fd_close(pipe_fds[1]);
	b->report_fd = pipe_fds[0];
	b->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return b->epoll_fd < 0 ? error_errno(err, "start: epoll") : 0;
}

/* What is cloned here asks for no signal at its end, which its pidfd shows: SIGCHLD tells of stops only. */
static int watch_stops(struct builder *b, struct error *err)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = &b->signal_fd};
	sigset_t stops;

	sigemptyset(&stops);
	sigaddset(&stops, SIGCHLD);
	sigprocmask(SIG_BLOCK, &stops, NULL);
	b->signal_fd = signalfd(-1, &stops, SFD_CLOEXEC | SFD_NONBLOCK);
	if (b->signal_fd < 0 || epoll_ctl(b->epoll_fd, EPOLL_CTL_ADD, b->signal_fd, &event) < 0)
		return error_errno(err, "start: stops of children");
	return 0;
}

static void lower_priority(const struct builder *b)
{
	struct sched_param none = {0};

	if (!b->normal_priority && syscall(SYS_sched_setscheduler, 0, SCHED_IDLE, &none) < 0)
		setpriority(PRIO_PROCESS, 0, 19);
}

static int start(struct builder *b, struct error *err)
{
	struct link_started started;
	struct epoll_event event = {.events = EPOLLIN};
	int r = tree_set_up(b, err);

	if (r == 0 && !b->is_one_shot) /* there was none before */
		r = cgroup_remove_matching(&b->base, b->prefix, err);
	if (r < 0)
		return error_prefix(err, r, "builder start");
	if (epoll_ctl(b->epoll_fd, EPOLL_CTL_ADD, b->link_fd, &event) < 0)
		return error_errno(err, "builder start: epoll");
	lower_priority(b);
	link_header(&started.header, LINK_STARTED, sizeof(started));
	return channel_send(b->link_fd, &started, sizeof(started), NULL, 0, NULL, 0);
}

static void on_slot(struct builder *b, const struct link_slot *m, int *fds, size_t count)
{
	struct link_slot_ready ready = {.slot = m->slot};
	struct error err = {0};

	if (slot_create(b, m->slot, m->uid_base, count ? take_fd(&fds[0]) : -1, &err) < 0) {
		reap_sweep_fds(b);
		send_failed(b, 0, m->slot, &err);
		return;
	}
	link_header(&ready.header, LINK_SLOT_READY, sizeof(ready));
	channel_send(b->link_fd, &ready, sizeof(ready), NULL, 0, NULL, 0);
}

static void on_build(struct builder *b, const struct link_build *m)
{
	struct error err = {0};

	if (build_sandbox(b, m, &err) < 0)
		send_failed(b, m->sandbox, m->slot, &err);
}

static void on_bind(struct builder *b, const struct link_bind *m)
{
	struct link_bound bound = {.sandbox = m->sandbox};
	struct slot *slot = slot_find(b, m->sandbox);
	struct error err = {0};
	int r;

	if (slot)
		r = bind_sandbox(b, slot, m, &bound, &err);
	else
		r = error_set(&err, ESRCH, "bind: no such sandbox");
	if (r < 0) {
		send_failed(b, m->sandbox, slot ? slot->index : 0, &err);
		return;
	}
	link_header(&bound.header, LINK_BOUND, sizeof(bound));
	channel_send(b->link_fd, &bound, sizeof(bound), NULL, 0, NULL, 0);
}

static void on_kill(struct builder *b, const struct link_kill *m)
{
	struct slot *slot = slot_find(b, m->sandbox);

	if (!slot || slot->killed_ns)
		return;
	slot->killed_ns = clock_now_ns();
	slot_before_kill(b, slot);
	reap_kill(b, slot);
}

static void on_freeze(struct builder *b, const struct link_freeze *m)
{
	struct slot *slot = slot_find(b, m->sandbox);
	static bool is_told;
	struct error err;

	if (!slot)
		return;
	if (cgroup_freeze(&b->base, slot->cgroup, m->is_frozen, &err) < 0) {
		if (!is_told)
			fprintf(stderr, "hearth-builder: %s\n", err.text);
		is_told = true;
		return;
	}
	slot->is_frozen = m->is_frozen;
}

/*
 * Somebody on the host has stopped a PID 1: whoever gets that sandbox would wait for ever. It ends, as if by
 * itself. Nobody inside can do that, and a frozen one is not stopped.
 */
static void on_stopped(struct builder *b)
{
	struct signalfd_siginfo signal;
	siginfo_t info = {0};

	while (read(b->signal_fd, &signal, sizeof(signal)) > 0)
		;
	while (waitid(P_ALL, 0, &info, WSTOPPED | WNOHANG | __WALL) == 0 && info.si_pid > 0) {
		for (size_t i = 0; i < b->slots_end; i++)
			if (b->sandboxes[i] && b->slots[i]->pid == info.si_pid)
				reap_kill(b, b->slots[i]);
		info.si_pid = 0;
	}
}

static int on_message(struct builder *b, const struct message_header *m, int *fds, size_t count,
	struct error *err)
{
	switch ((enum link_type)m->type) {
	case LINK_BASE:
		given_base(b, (const struct link_base *)m, fds, count);
		break;
	case LINK_FILTER:
		return given_filter(b, (const struct link_filter *)m);
	case LINK_TEMPLATE:
		return given_template(b, (const struct link_template *)m, fds, count);
	case LINK_START:
		return start(b, err);
	case LINK_SLOT:
		on_slot(b, (const struct link_slot *)m, fds, count);
		break;
	case LINK_BUILD:
		on_build(b, (const struct link_build *)m);
		break;
	case LINK_KILL:
		on_kill(b, (const struct link_kill *)m);
		break;
	case LINK_WORKSPACES:
		return given_workspaces(b, fds, count);
	case LINK_BIND:
		on_bind(b, (const struct link_bind *)m);
		break;
	case LINK_FREEZE:
		on_freeze(b, (const struct link_freeze *)m);
		break;
	case LINK_STARTED:
	case LINK_SLOT_READY:
	case LINK_BUILT:
	case LINK_FAILED:
	case LINK_ENDED:
	case LINK_BOUND:
		return -EPROTO; /* not to us: check_message has refused them */
	}
	return 0;
}

/* One packet from the link. 0 when there was one, 1 at its end. */
static int read_link(struct builder *b, struct error *err)
{
	static _Alignas(8) char packet[LINK_PACKET_MAX];
	const struct message_rule *rule;
	int fds[CHANNEL_FDS_MAX];
	size_t count = 0;
	ssize_t n = channel_receive(b->link_fd, packet, sizeof(packet), fds, &count);
	int r;

	if (n == 0 || n == -ECONNRESET)
		return 1;
	if (n < 0)
		return error_set(err, (int)-n, "link: %s", strerror((int)-n));
	r = check_message(&link_protocol, MESSAGE_TO_SERVER, packet, (size_t)n, count, &rule, err);
	if (r == 0)
		r = on_message(
			b, (const struct message_header *)(const void *)packet, fds, count, err);
	channel_close_fds(fds, count);
	return r;
}

static int serve(struct builder *b, struct error *err)
{
	struct epoll_event events[64];
	int r = 0;

	while (r == 0) {
		int n = epoll_wait(
			b->epoll_fd, events, ARRAY_SIZE(events), ahead_is_wanted(b) ? 0 : -1);

		if (n < 0 && errno != EINTR)
			return error_errno(err, "epoll_wait");
		if (n == 0)
			ahead_make(b);
		else
			b->ahead.has_failed = false;
		for (int i = 0; i < n && r == 0; i++) {
			if (events[i].data.ptr == &b->signal_fd)
				on_stopped(b);
			else if (events[i].data.ptr)
				reap_slot(b, events[i].data.ptr);
			else
				r = read_link(b, err);
		}
	}
	return r;
}

int main(int argc, char **argv)
{
	struct builder *b = &builder;
	struct rlimit files;
	struct error err = {0};
	int r;

	(void)argc;
	b->arguments = argv[0];
	b->arguments_size = strlen(argv[0]);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	list_init(&b->free_slots);
	b->ahead.root_template = &b->templates[0];
	signal(SIGPIPE, SIG_IGN);
	umask(0); /* modes are what they say */
	r = reserve_fds(b, &err);
	if (r == 0)
		r = watch_stops(b, &err);
	/* Before START the link is read as it comes; afterwards it is one fd among many. */
	while (r == 0 && !b->dev_fd)
		r = read_link(b, &err);
	if (r == 0)
		r = serve(b, &err);
	if (r < 0) {
		send_failed(b, 0, 0, &err);
		fprintf(stderr, "hearth-builder: %s\n", err.text);
	}
	reap_everything(b);
	return r < 0;
}
