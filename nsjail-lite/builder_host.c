#include "nsjail-lite/builder_host.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/fd.h"
#include "nsjail-lite/builder/link.h"
#include "nsjail-lite/kernel.h"
#include "nsjail-lite/program.h"
#include "nsjail-lite/seccomp.h"
#include "proto/channel.h"

#define HOSTNAME_DEFAULT "sandbox"

int builder_find(char *ret_path, size_t size, struct error *err)
{
	return program_find("hearth-builder", ret_path, size, err);
}

int builder_spawn(const char *program, struct builder *ret_builder, struct error *err)
{
	char *const argv[] = {"hearth-builder", NULL};
	struct program started;
	int r = program_start(program, argv, &started, err);

	if (r == 0)
		*ret_builder = (struct builder){
			.pid = started.pid, .pidfd = started.pidfd, .link_fd = started.link_fd};
	return r;
}

static int send_packet(int link_fd, const void *message, size_t size, const void *payload,
	size_t payload_size, const int *fds, size_t count, struct error *err)
{
	int r = channel_send(link_fd, message, size, payload, payload_size, fds, count);

	return r < 0 ? error_set(err, -r, "link: %s", strerror(-r)) : 0;
}

static int send_base(const struct builder_config *config, int link_fd, struct error *err)
{
	struct link_base m = {.has_v2 = config->base->v2_fd >= 0,
		.has_freezer = config->base->v1_fd[CGROUP_FREEZER] >= 0,
		.normal_priority = config->normal_priority,
		.is_one_shot = config->is_one_shot,
		.nameserver = config->nameserver};
	int fds[CGROUP_HIERARCHIES];
	size_t count = 0;

	link_header(&m.header, LINK_BASE, sizeof(m));
	snprintf(m.prefix, sizeof(m.prefix), "%s", config->prefix);
	if (m.has_v2)
		fds[count++] = config->base->v2_fd;
	for (int c = 0; c < CGROUP_CONTROLLERS; c++) {
		m.place[c] = config->base->place[c];
		if (m.place[c] == CGROUP_V1)
			fds[count++] = config->base->v1_fd[c];
	}
	if (m.has_freezer)
		fds[count++] = config->base->v1_fd[CGROUP_FREEZER];
	return send_packet(link_fd, &m, sizeof(m), NULL, 0, fds, count, err);
}

static int send_filter(const struct seccomp_program *filter, int link_fd, struct error *err)
{
	struct link_filter m;
	size_t size = filter->count * sizeof(filter->instructions[0]);

	link_header(&m.header, LINK_FILTER, (uint32_t)(sizeof(m) + size));
	return send_packet(link_fd, &m, sizeof(m), filter->instructions, size, NULL, 0, err);
}

/* cwd and environment, each terminated. Returns the size, or -E2BIG. */
static ssize_t pack_strings(const struct builder_template *t, char buffer[LINK_ENV_MAX])
{
	const char *cwd = t->cwd ? t->cwd : "/";
	size_t used = strlen(cwd) + 1;

	if (used > LINK_ENV_MAX)
		return -E2BIG;
	memcpy(buffer, cwd, used);
	for (const char *const *e = t->env; e && *e; e++) {
		size_t size = strlen(*e) + 1;

		if (used + size > LINK_ENV_MAX)
			return -E2BIG;
		memcpy(buffer + used, *e, size);
		used += size;
	}
	return (ssize_t)used;
}

static int detached(int fd, struct error *err)
{
	int tree = kernel_open_tree(fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);

	return tree < 0 ? error_errno(err, "open_tree") : tree;
}

static int send_template(
	const struct builder_template *t, uint32_t index, int link_fd, struct error *err)
{
	struct link_template m = {.index = index, .bind_count = t->bind_count, .limits = t->limits};
	char strings[LINK_ENV_MAX];
	int fds[1 + JAIL_BINDS_MAX];
	size_t count = 0;
	ssize_t size = pack_strings(t, strings);
	int r = 0;

	if (size < 0)
		return error_set(
			err, E2BIG, "template %u: environment over %u bytes", index, LINK_ENV_MAX);
	link_header(&m.header, LINK_TEMPLATE, (uint32_t)(sizeof(m) + (size_t)size));
	snprintf(m.hostname, sizeof(m.hostname), "%s",
		t->hostname[0] ? t->hostname : HOSTNAME_DEFAULT);
	memcpy(m.binds, t->binds, sizeof(m.binds));
	for (size_t i = 0; r >= 0 && i < 1 + t->bind_count; i++) {
		r = detached(i == 0 ? t->root_fd : t->bind_fds[i - 1], err);
		if (r >= 0)
			fds[count++] = r;
	}
	if (r >= 0)
		r = send_packet(link_fd, &m, sizeof(m), strings, (size_t)size, fds, count, err);
	channel_close_fds(fds, count);
	return r < 0 ? error_prefix(err, r, "template %u", index) : 0;
}

static int send_workspaces(int workspaces_fd, int link_fd, struct error *err)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
	auto_close int fd = detached(workspaces_fd, err);
	struct link_workspaces m;

	if (fd < 0)
		return error_prefix(err, fd, "workspaces");
	if (kernel_mount_setattr(fd, 0, &attr) < 0)
		return error_errno(err, "workspaces: nosuid");
	link_header(&m.header, LINK_WORKSPACES, sizeof(m));
	return send_packet(link_fd, &m, sizeof(m), NULL, 0, &fd, 1, err);
}

int builder_configure(
	const struct builder_config *config, const struct builder *builder, struct error *err)
{
	const int link_fd = builder->link_fd;
	struct link_start start;
	int r = send_base(config, link_fd, err);

	if (r == 0)
		r = send_filter(config->filter, link_fd, err);
	for (unsigned i = 0; r == 0 && i < config->template_count; i++)
		r = send_template(&config->templates[i], i, link_fd, err);
	if (r == 0 && config->workspaces_fd >= 0)
		r = send_workspaces(config->workspaces_fd, link_fd, err);
	if (r < 0)
		return r;
	link_header(&start.header, LINK_START, sizeof(start));
	return send_packet(link_fd, &start, sizeof(start), NULL, 0, NULL, 0, err);
}

int builder_start(
	const struct builder_config *config, struct builder *ret_builder, struct error *err)
{
	struct builder builder = {.pid = -1, .pidfd = -1, .link_fd = -1};
	int r = builder_spawn(config->program, &builder, err);

	if (r == 0) {
		r = builder_configure(config, &builder, err);
		if (r == -EPIPE)
			r = 0; /* it ended: its link and its pidfd say so */
	}
	if (r < 0) {
		fd_close(builder.link_fd);
		if (builder.pid > 0) { /* it has built nothing yet */
			kernel_pidfd_send_signal(builder.pidfd, SIGKILL);
			waitpid(builder.pid, NULL, 0);
		}
		fd_close(builder.pidfd);
		return error_prefix(err, r, "builder");
	}
	*ret_builder = builder;
	return 0;
}
