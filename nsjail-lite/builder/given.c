/*
 * What the host gives once, before anything is built: hierarchies, the filter, templates, the folder of workspaces.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "nsjail-lite/builder/builder.h"

void given_base(struct builder *b, const struct link_base *m, int *fds, size_t count)
{
	size_t next = 0;

	if (m->has_v2 && next < count)
		b->base.v2_fd = take_fd(&fds[next++]);
	for (int c = 0; c < CGROUP_CONTROLLERS; c++) {
		b->base.place[c] = m->place[c];
		if (m->place[c] == CGROUP_V1 && next < count)
			b->base.v1_fd[c] = take_fd(&fds[next++]);
	}
	if (m->has_freezer && next < count)
		b->base.v1_fd[CGROUP_FREEZER] = take_fd(&fds[next++]);
	memcpy(b->prefix, m->prefix, sizeof(b->prefix));
	snprintf(b->spare, sizeof(b->spare), ".%sspare", b->prefix);
	b->normal_priority = m->normal_priority;
	b->is_one_shot = m->is_one_shot;
	if (m->nameserver)
		snprintf(b->resolv_conf, sizeof(b->resolv_conf), "nameserver %u.%u.%u.%u\n",
			m->nameserver >> 24, m->nameserver >> 16 & 255, m->nameserver >> 8 & 255,
			m->nameserver & 255);
}

int given_filter(struct builder *b, const struct link_filter *m)
{
	size_t size = m->header.size - sizeof(*m);

	b->filter.filter = malloc(size);
	if (!b->filter.filter)
		return -ENOMEM;
	memcpy(b->filter.filter, m + 1, size);
	b->filter.len = (unsigned short)(size / sizeof(struct sock_filter));
	return 0;
}

/* Strings behind the template: cwd first, then the environment. */
static int take_strings(struct template *t, const struct link_template *m)
{
	size_t size = m->header.size - sizeof(*m), count = 0;
	const char *end;

	t->strings = malloc(size);
	if (!t->strings)
		return -ENOMEM;
	memcpy(t->strings, m + 1, size);
	end = t->strings + size;
	for (const char *p = t->strings; p < end; p += strlen(p) + 1)
		count++;
	t->env = calloc(count, sizeof(*t->env)); /* the cwd's place is for the NULL */
	if (!t->env)
		return -ENOMEM;
	count = 0;
	for (const char *p = t->strings + strlen(t->strings) + 1; p < end; p += strlen(p) + 1)
		t->env[count++] = p;
	t->defaults = (struct guest_defaults){.cwd = t->strings, .env = t->env};
	return 0;
}

static bool lacks_directory(int image_fd, const char *name)
{
	struct stat st;

	return fstatat(image_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
}

static void look_at_mount_points(struct template *t)
{
	struct stat st;

	t->needs_dev = lacks_directory(t->image_fd, "dev");
	t->needs_proc = lacks_directory(t->image_fd, "proc");
	t->needs_workspace =
		fstatat(t->image_fd, &JAIL_WORKSPACE_DIR[1], &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		!S_ISDIR(st.st_mode);
}

static void look_at_etc(struct template *t)
{
	struct stat st = {.st_mode = S_IFDIR | 0755};

	if (fstatat(t->image_fd, "etc", &st, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
		return;
	t->has_etc = S_ISDIR(st.st_mode) && st.st_uid < JAIL_UIDS && st.st_gid < JAIL_UIDS;
	t->etc_mode = st.st_mode & 0777;
	t->etc_uid = st.st_uid;
	t->etc_gid = st.st_gid;
}

int given_template(struct builder *b, const struct link_template *m, int *fds, size_t count)
{
	struct template *t = &b->templates[m->index];

	if (count != 1 + m->bind_count || t->is_set)
		return -EPROTO;
	t->is_set = true;
	t->image_fd = take_fd(&fds[0]);
	look_at_mount_points(t);
	look_at_etc(t);
	t->limits = m->limits;
	memcpy(t->hostname, m->hostname, sizeof(t->hostname));
	t->bind_count = m->bind_count;
	memcpy(t->binds, m->binds, sizeof(t->binds));
	for (unsigned i = 0; i < m->bind_count; i++)
		t->bind_fds[i] = take_fd(&fds[1 + i]);
	return take_strings(t, m);
}

int given_workspaces(struct builder *b, int *fds, size_t count)
{
	if (count != 1 || b->workspaces_fd >= 0)
		return -EPROTO;
	b->workspaces_fd = take_fd(&fds[0]);
	b->wants_spare = true;
	return 0;
}
