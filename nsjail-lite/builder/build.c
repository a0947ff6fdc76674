/* One sandbox: cgroup, root, channel, clone; then the child applies the rest and reports. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "nsjail-lite/builder/builder.h"
#include "nsjail-lite/kernel.h"
#include "proto/channel.h"

/* All that one build opens; build_finish() closes what is still here. */
struct build {
	struct cgroup cgroup;
	struct private_root root;
	int bind_fds[JAIL_BINDS_MAX];
	unsigned bind_count;
	int channel_fd; /* the host's end */
	int pidfd;
	pid_t pid;
};

static void build_finish(struct build *build)
{
	cgroup_close(&build->cgroup);
	root_close(&build->root);
	for (unsigned i = 0; i < build->bind_count; i++)
		fd_close(build->bind_fds[i]);
	fd_close(build->channel_fd);
	fd_close(build->pidfd);
	/* The guest's end must not stay open here, or its death would show nobody an end. */
	for (int fd = CHILD_CHANNEL_FD; fd <= CHILD_LAST_FD; fd++)
		if (fd != CHILD_REPORT_FD)
			dup3(STDIN_FILENO, fd, O_CLOEXEC);
}

static int prepare_binds(
	const struct template *t, const struct slot *slot, struct build *build, struct error *err)
{
	for (unsigned i = 0; i < t->bind_count; i++) {
		int fd = root_idmapped_clone(t->bind_fds[i], "", slot->userns_fd,
			MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
				(t->binds[i].is_read_only ? MOUNT_ATTR_RDONLY : 0));

		if (fd < 0 && errno == EINVAL)
			return error_set(err, EOPNOTSUPP,
				"bind at %s: this kernel cannot idmap its file system "
				"(EOPNOTSUPP): "
				"bind a directory on ext4, xfs or btrfs",
				t->binds[i].destination);
		if (fd < 0)
			return error_errno(err, "bind at %s", t->binds[i].destination);
		build->bind_fds[build->bind_count++] = fd;
	}
	return 0;
}

static int open_channel(struct build *build, struct error *err)
{
	int pair[2];
	int r = channel_pair(pair, err);

	if (r < 0)
		return r;
	build->channel_fd = pair[0];
	if (dup3(pair[1], CHILD_CHANNEL_FD, O_CLOEXEC) < 0)
		r = error_errno(err, "channel");
	fd_close(pair[1]);
	return r;
}

/* The guest's fds at the numbers that the child keeps. */
static int place_events(const struct build *build, struct error *err)
{
	const struct cgroup *c = &build->cgroup;

	if ((c->memory_events_fd >= 0 &&
		    dup3(c->memory_events_fd, CHILD_MEMORY_FD, O_CLOEXEC) < 0) ||
		(c->pids_events_fd >= 0 && dup3(c->pids_events_fd, CHILD_PIDS_FD, O_CLOEXEC) < 0))
		return error_errno(err, "events");
	return 0;
}

/* The first build of a template, then now and then: a reading costs as much as it is worth. */
static bool is_measured(struct template *t)
{
	return t->built++ % BUILDER_MEASURE_EVERY == 0;
}

/*
 * Clone where the builder is, which only waits from then on: the child begins at once, on warm caches, and no
 * other processor has to be woken for it. It may go where it likes as soon as it runs.
 */
static pid_t clone_here(struct clone_args *args, const cpu_set_t *allowed)
{
	int cpu = sched_getcpu();
	cpu_set_t here;
	pid_t pid;

	CPU_ZERO(&here);
	if (cpu >= 0)
		CPU_SET((unsigned)cpu, &here);
	sched_setaffinity(0, sizeof(here), &here);
	pid = (pid_t)kernel_clone3(args);
	if (pid != 0)
		sched_setaffinity(0, sizeof(*allowed), allowed);
	return pid;
}

static void clone_child(
	struct builder *b, const struct template *t, const struct slot *slot, struct build *build)
{
	cpu_set_t allowed;
	struct child_bind binds[JAIL_BINDS_MAX];
	struct child_plan plan = {
		.cgroup = &build->cgroup,
		.netns_fd = slot->netns_fd,
		.userns_fd = slot->userns_fd,
		.uid_base = slot->uid_base,
		.root_fd = build->root.root_fd,
		.dev_fd = build->root.dev_fd,
		.shm_fd = build->root.shm_fd,
		.layer_fds = {build->root.lower_fd, build->root.upper_fd},
		.null_fd = b->null_fd,
		.empty_fd = b->empty_fd,
		.covers = &b->covers,
		.binds = binds,
		.bind_count = t->bind_count,
		.hostname = t->hostname,
		.filter = &b->filter,
		.open_files = t->limits.open_files ? t->limits.open_files : JAIL_OPEN_FILES,
		.cpus = (unsigned)((t->limits.cpu_milli + 999) / 1000),
		.first_cpu = slot->index,
		.allowed_cpus = &allowed,
		.arguments = b->arguments,
		.arguments_size = b->arguments_size,
		.defaults = &t->defaults,
	};
	struct clone_args args = {
		.flags = CLONE_FILES | CLONE_PIDFD | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC |
			 CLONE_NEWUTS,
		.pidfd = (uintptr_t)&build->pidfd,
	};

	sched_getaffinity(0, sizeof(allowed), &allowed);
	for (unsigned i = 0; i < t->bind_count; i++)
		binds[i] = (struct child_bind){build->bind_fds[i], t->binds[i].destination};
	if (build->cgroup.v2_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (unsigned)build->cgroup.v2_fd;
	}
	build->pid = clone_here(&args, &allowed);
	if (build->pid == 0)
		child_run(&plan);
}

int builder_await(int fd, int pidfd)
{
	struct pollfd fds[2] = {{.fd = fd, .events = POLLIN}, {.fd = pidfd, .events = POLLIN}};
	int n;

	do
		n = poll(fds, 2, BUILDER_CHILD_TIMEOUT_MS);
	while (n < 0 && errno == EINTR);
	return n == 0 ? -ETIMEDOUT : 0;
}

/* Its report, or what its death says. */
static int wait_for_child(const struct builder *b, const struct build *build,
	struct child_report *report, struct error *err)
{
	if (builder_await(b->report_fd, build->pidfd) < 0)
		return error_set(
			err, ETIMEDOUT, "child: not ready after %d ms", BUILDER_CHILD_TIMEOUT_MS);
	if (read(b->report_fd, report, sizeof(*report)) != (ssize_t)sizeof(*report))
		return error_set(err, ECHILD, "child: died without a report");
	if (report->error)
		return error_set(err, (int)report->error, "%s: %s: %s",
			jail_stage_name(report->stage), report->what, strerror((int)report->error));
	return 0;
}

static void end_child(const struct builder *b, struct build *build)
{
	struct child_report late;
	siginfo_t info;

	if (build->pid <= 0)
		return;
	kernel_pidfd_send_signal(build->pidfd, SIGKILL);
	waitid(P_PIDFD, (id_t)build->pidfd, &info, WEXITED | __WALL);
	fd_close(take_fd(&build->pidfd));
	/* What it said too late would be taken for the next child's word. */
	while (read(b->report_fd, &late, sizeof(late)) > 0)
		;
}

static int make(struct builder *b, struct template *t, const struct slot *slot, struct build *build,
	struct jail_stages *stages, struct error *err)
{
	uint64_t times[4] = {clock_now_ns()};
	struct child_report report = {0};
	int r = ahead_take_cgroup(b, t, &build->cgroup, err);

	times[1] = clock_now_ns();
	if (r == 0)
		r = ahead_take_root(b, t, slot, &build->root, err);
	if (r == 0)
		r = prepare_binds(t, slot, build, err);
	if (r == 0)
		r = open_channel(build, err);
	if (r == 0)
		r = place_events(build, err);
	if (r < 0)
		return r;
	times[2] = clock_now_ns();
	clone_child(b, t, slot, build);
	if (build->pid < 0)
		return error_errno(err, "clone");
	times[3] = clock_now_ns();
	r = wait_for_child(b, build, &report, err);
	if (r < 0)
		return r;
	memcpy(stages->ns, report.stage_ns, sizeof(stages->ns));
	for (int i = 0; i < 3; i++)
		stages->ns[STAGE_CGROUP + i] = times[i + 1] - times[i];
	stages->total_ns = clock_now_ns() - times[0];
	return 0;
}

/* The slot is the sandbox's from here on, and its death will be seen. */
static void settle(struct builder *b, const struct link_build *message, struct build *build)
{
	struct slot *slot = b->slots[message->slot];
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = slot};

	b->sandboxes[slot->index] = message->sandbox;
	list_remove(&slot->free);
	slot->killed_ns = 0;
	slot->is_bound = slot->is_frozen = false;
	slot->usage = (struct lease_usage){0};
	slot->pid = build->pid;
	slot->pidfd = take_fd(&build->pidfd);
	memcpy(slot->cgroup, build->cgroup.name, sizeof(slot->cgroup));
	slot_release_userns(slot);
	if (epoll_ctl(b->epoll_fd, EPOLL_CTL_ADD, slot->pidfd, &event) < 0)
		_exit(1); /* a sandbox whose death nobody would see: its end comes with ours */
}

static void send_built(struct builder *b, const struct link_build *message,
	const struct build *build, const struct jail_stages *stages)
{
	struct link_built built = {
		.sandbox = message->sandbox, .pid = (uint32_t)build->pid, .stages = *stages};

	if (is_measured(&b->templates[message->template_index]))
		built.memory_bytes = cgroup_read_memory(&b->base, build->cgroup.name);
	link_header(&built.header, LINK_BUILT, sizeof(built));
	channel_send(b->link_fd, &built, sizeof(built), NULL, 0, &build->channel_fd, 1);
}

int build_sandbox(struct builder *b, const struct link_build *message, struct error *err)
{
	struct build build = {
		.cgroup = CGROUP_INIT,
		.root = PRIVATE_ROOT_NONE,
		.channel_fd = -1,
		.pidfd = -1,
	};
	struct template *t = &b->templates[message->template_index];
	struct slot *slot = b->slots[message->slot];
	struct jail_stages stages;
	int r;

	if (!slot || b->sandboxes[message->slot] || !t->is_set)
		return error_set(err, EINVAL, "slot %u: %s", message->slot,
			!t->is_set ? "no such template"
			: slot	   ? "in use"
				   : "unknown");
	r = slot->netns_fd < 0 ? slot_clean_network(b, slot, err) : 0;
	if (r == 0)
		r = slot_ensure_userns(b, slot, err);
	if (r == 0)
		r = make(b, t, slot, &build, &stages, err);
	if (r < 0) {
		end_child(b, &build);
		if (build.cgroup.name[0])
			cgroup_remove(&b->base, build.cgroup.name, NULL);
		build_finish(&build);
		reap_sweep_fds(b);
		return r;
	}
	send_built(b, message, &build, &stages); /* the rest is nobody's to wait for */
	settle(b, message, &build);
	build_finish(&build);
	return 0;
}
