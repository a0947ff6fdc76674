/* The end of a sandbox: proven dead, measured, its cgroups gone; only then is the slot free. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "nsjail-lite/builder/builder.h"
#include "nsjail-lite/kernel.h"
#include "proto/channel.h"
#include "proto/control.h"

#define SWEEP_BEYOND 64 /* numbers above the highest known one that a child could have reached */

/* What it and all that it waited for have read from and written to disks. */
static void add_io(const struct builder *b, pid_t pid, struct lease_usage *usage)
{
	char path[32], text[512];
	const char *p;

	snprintf(path, sizeof(path), "%d/io", pid);
	if (file_read_at(b->proc_fd, path, text, sizeof(text), NULL) < 0)
		return; /* a kernel without io accounting */
	p = strstr(text, "\nread_bytes: ");
	if (p)
		usage->read_bytes += strtoull(p + 13, NULL, 10);
	p = strstr(text, "\nwrite_bytes: ");
	if (p)
		usage->write_bytes += strtoull(p + 14, NULL, 10);
}

/* A runner that is killed with PID 1 leaves its counts with nobody: they are taken while it lives. */
static void add_io_of_runners(const struct builder *b, struct slot *slot)
{
	char path[64], text[1024], *next = text;
	pid_t pid;

	snprintf(path, sizeof(path), "%d/task/%d/children", slot->pid, slot->pid);
	if (file_read_at(b->proc_fd, path, text, sizeof(text), NULL) < 0)
		return;
	while ((pid = (pid_t)strtol(next, &next, 10)) > 0)
		add_io(b, pid, &slot->usage);
}

/*
 * Here, where the processor will be free as soon as the builder waits: to wake PID 1 on another one and to be
 * woken from there takes as long as all the rest of its end.
 */
static void come_here(pid_t pid)
{
	int cpu = sched_getcpu();
	cpu_set_t here;

	CPU_ZERO(&here);
	if (cpu >= 0) {
		CPU_SET((unsigned)cpu, &here);
		sched_setaffinity(pid, sizeof(here), &here);
	}
}

void reap_kill(const struct builder *b, struct slot *slot)
{
	add_io_of_runners(b, slot);
	come_here(slot->pid);
	/* Not cgroup.kill: the cgroup of PID 1 could be born into again. */
	kernel_pidfd_send_signal(slot->pidfd, SIGKILL);
	if (slot->is_frozen && b->base.v2_fd < 0)
		cgroup_freeze(&b->base, slot->cgroup, false, NULL);
}

void reap_slot(struct builder *b, struct slot *slot)
{
	struct link_ended ended = {
		.sandbox = b->sandboxes[slot->index], .slot = slot->index, .usage = slot->usage};
	struct cgroup_usage usage;
	siginfo_t info = {0};

	/*
	 * PID 1 is waited for last of all its namespace: once it is here, everything inside is dead, and what
	 * it has waited for has left its counts with it.
	 */
	add_io(b, slot->pid, &ended.usage);
	if (waitid(P_PIDFD, (id_t)slot->pidfd, &info, WEXITED | __WALL) < 0)
		return;
	cgroup_read_usage(&b->base, slot->cgroup, &usage);
	link_header(&ended.header, LINK_ENDED, sizeof(ended));
	ended.limits_hit = (usage.has_hit_memory ? LIMIT_HIT_MEMORY : 0) |
			   (usage.pids_refused ? LIMIT_HIT_PIDS : 0) |
			   (usage.cpu_throttled ? LIMIT_HIT_CPU : 0);
	ended.was_asked = slot->killed_ns != 0;
	ended.wait_status = (uint32_t)info.si_status;
	ended.usage.cpu_ns = usage.cpu_ns;
	ended.usage.memory_peak_bytes = usage.memory_peak_bytes;
	ended.usage.pids_peak = usage.pids_peak;
	ended.usage.oom_kills = usage.oom_kills;
	ended.kill_ns = slot->killed_ns ? clock_now_ns() - slot->killed_ns : 0;
	b->sandboxes[slot->index] = 0;
	list_append(&b->free_slots, &slot->free);
	channel_send(b->link_fd, &ended, sizeof(ended), NULL, 0, NULL, 0);
	/* Nothing is built before this is done. A failure: the next build tries again, and tells. */
	fd_close(take_fd(&slot->pidfd));    /* leaves the epoll set with it */
	fd_close(take_fd(&slot->mntns_fd)); /* the root goes, before its charges would move up */
	cgroup_remove(&b->base, slot->cgroup, NULL);
	if (!b->is_one_shot)
		slot_clean_network(b, slot, NULL);
}

static int mark(unsigned char *known, int size, int fd, int highest)
{
	if (fd >= 0 && fd < size)
		known[fd] = 1;
	return fd > highest ? fd : highest;
}

static int mark_template(const struct template *t, unsigned char *known, int size, int highest)
{
	highest = mark(known, size, t->image_fd, highest);
	for (unsigned i = 0; i < t->bind_count; i++)
		highest = mark(known, size, t->bind_fds[i], highest);
	for (unsigned i = 0; i < t->stocked; i++) {
		highest = mark(known, size, t->stock[i].v2_fd, highest);
		highest = mark(known, size, t->stock[i].memory_events_fd, highest);
		highest = mark(known, size, t->stock[i].pids_events_fd, highest);
		for (int c = 0; c < CGROUP_V1_HIERARCHIES; c++)
			highest = mark(known, size, t->stock[i].tasks_fd[c], highest);
	}
	return highest;
}

static int mark_slot(const struct slot *slot, unsigned char *known, int size, int highest)
{
	highest = mark(known, size, slot->userns_fd, highest);
	highest = mark(known, size, slot->workspace_userns_fd, highest);
	highest = mark(known, size, slot->netns_fd, highest);
	highest = mark(known, size, slot->mntns_fd, highest);
	return mark(known, size, slot->pidfd, highest);
}

/* A child that died before it had its own fd table left its opens in ours: close what we do not know. */
void reap_sweep_fds(struct builder *b)
{
	static unsigned char known[65536];
	const int size = sizeof(known);
	const int fixed[] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, CHILD_CHANNEL_FD,
		CHILD_REPORT_FD, CHILD_MEMORY_FD, CHILD_PIDS_FD, CHILD_OOM_FD, b->link_fd,
		b->epoll_fd, b->report_fd, b->proc_fd, b->host_netns_fd, b->host_utsns_fd,
		b->mntns_fd, b->workspaces_fd, b->dev_fd, b->empty_fd, b->null_fd, b->signal_fd,
		b->base.v2_fd};
	const struct private_root *root = &b->ahead.root;
	const int ahead[] = {
		root->root_fd, root->shm_fd, root->dev_fd, root->lower_fd, root->upper_fd};
	int highest = 0;

	for (int i = 0; i < size; i++)
		known[i] = 0;
	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		highest = mark(known, size, fixed[i], highest);
	for (int c = 0; c < CGROUP_V1_HIERARCHIES; c++)
		highest = mark(known, size, b->base.v1_fd[c], highest);
	for (size_t i = 0; b->ahead.root_slot && i < ARRAY_SIZE(ahead); i++)
		highest = mark(known, size, ahead[i], highest);
	for (size_t i = 0; i < JAIL_TEMPLATES_MAX; i++)
		if (b->templates[i].is_set)
			highest = mark_template(&b->templates[i], known, size, highest);
	for (size_t i = 0; i < b->slots_end; i++)
		if (b->slots[i])
			highest = mark_slot(b->slots[i], known, size, highest);
	for (int fd = 0; fd < size && fd <= highest + SWEEP_BEYOND; fd++)
		if (!known[fd] && fcntl(fd, F_GETFD) >= 0)
			fd_close(fd);
}

/* The link is gone: nothing built here may stay. */
void reap_everything(struct builder *b)
{
	siginfo_t info;

	for (size_t i = 0; i < b->slots_end; i++)
		if (b->sandboxes[i])
			reap_kill(b, b->slots[i]);
	for (size_t i = 0; i < b->slots_end; i++)
		if (b->sandboxes[i])
			waitid(P_PIDFD, (id_t)b->slots[i]->pidfd, &info, WEXITED | __WALL);
	if (!b->is_one_shot) /* else with their base, by its owner */
		cgroup_remove_matching(&b->base, b->prefix, NULL);
	if (b->workspaces_fd >= 0)
		unlinkat(b->workspaces_fd, b->spare, AT_REMOVEDIR);
}
