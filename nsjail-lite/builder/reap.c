/* The end of a sandbox: proven dead, measured, its cgroups gone; only then is the slot free. */
#include <errno.h>
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

/* Of a zombie: what it and all that it waited for have read from and written to disks. */
static void read_io(const struct builder *b, pid_t pid, struct lease_usage *usage)
{
	char path[32], text[512];
	const char *p;

	snprintf(path, sizeof(path), "%d/io", pid);
	if (file_read_at(b->proc_fd, path, text, sizeof(text), NULL) < 0)
		return; /* a kernel without io accounting */
	p = strstr(text, "\nread_bytes: ");
	if (p)
		usage->read_bytes = strtoull(p + 13, NULL, 10);
	p = strstr(text, "\nwrite_bytes: ");
	if (p)
		usage->write_bytes = strtoull(p + 14, NULL, 10);
}

void reap_slot(struct builder *b, struct slot *slot)
{
	struct link_ended ended = {.sandbox = slot->sandbox, .slot = slot->index};
	struct cgroup_usage usage;
	siginfo_t info = {0};

	/*
	 * PID 1 is waited for last of all its namespace: once it is here, everything inside is dead, and
	 * has left its counts with PID 1.
	 */
	if (waitid(P_PIDFD, (id_t)slot->pidfd, &info, WEXITED | WNOWAIT) < 0)
		return;
	read_io(b, info.si_pid, &ended.usage);
	waitid(P_PIDFD, (id_t)slot->pidfd, &info, WEXITED);
	fd_close(take_fd(&slot->pidfd)); /* leaves the epoll set with it */
	cgroup_read_usage(&b->base, slot->cgroup, &usage);
	cgroup_remove(&b->base, slot->cgroup, NULL);
	link_header(&ended.header, LINK_ENDED, sizeof(ended));
	ended.limits_hit = (usage.oom_kills ? LIMIT_HIT_MEMORY : 0) |
			   (usage.pids_refused ? LIMIT_HIT_PIDS : 0) |
			   (usage.cpu_throttled ? LIMIT_HIT_CPU : 0);
	ended.was_asked = slot->killed_ns != 0;
	ended.wait_status = (uint32_t)info.si_status;
	ended.usage.cpu_ns = usage.cpu_ns;
	ended.usage.memory_peak_bytes = usage.memory_peak_bytes;
	ended.usage.pids_peak = usage.pids_peak;
	ended.usage.oom_kills = usage.oom_kills;
	ended.kill_ns = slot->killed_ns ? clock_now_ns() - slot->killed_ns : 0;
	slot->sandbox = 0;
	slot->killed_ns = 0;
	channel_send(b->link_fd, &ended, sizeof(ended), NULL, 0, NULL, 0);
	/* Nothing is built before this is done. A failure: the next build tries again, and tells. */
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
		for (int c = 0; c < CGROUP_CONTROLLERS; c++)
			highest = mark(known, size, t->stock[i].tasks_fd[c], highest);
	}
	return highest;
}

static int mark_slot(const struct slot *slot, unsigned char *known, int size, int highest)
{
	highest = mark(known, size, slot->userns_fd, highest);
	highest = mark(known, size, slot->workspace_userns_fd, highest);
	highest = mark(known, size, slot->netns_fd, highest);
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
		b->mntns_fd, b->workspaces_fd, b->dev_fd, b->empty_fd, b->null_fd, b->base.v2_fd,
		b->base.v1_fd[0], b->base.v1_fd[1], b->base.v1_fd[2], b->base.v1_fd[3]};
	int highest = 0;

	for (int i = 0; i < size; i++)
		known[i] = 0;
	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		highest = mark(known, size, fixed[i], highest);
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
		if (b->slots[i] && b->slots[i]->sandbox)
			kernel_pidfd_send_signal(b->slots[i]->pidfd, SIGKILL);
	for (size_t i = 0; i < b->slots_end; i++)
		if (b->slots[i] && b->slots[i]->sandbox)
			waitid(P_PIDFD, (id_t)b->slots[i]->pidfd, &info, WEXITED);
	cgroup_remove_matching(&b->base, b->prefix, NULL);
	if (b->workspaces_fd >= 0)
		unlinkat(b->workspaces_fd, b->spare, AT_REMOVEDIR);
}
