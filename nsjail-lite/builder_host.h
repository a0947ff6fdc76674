/*
 * builder_host.h - the host's end of a builder: start the program, tell it what to build from.
 *
 * Used by the supervisor and by nsjail-lite, as root. After builder_start() the caller speaks
 * nsjail-lite/builder/link.h on the link fd; the builder dies with the link.
 */
#ifndef NSJAIL_LITE_BUILDER_HOST_H
#define NSJAIL_LITE_BUILDER_HOST_H
#include <stdbool.h>
#include <sys/types.h>

#include "nsjail-lite/cgroup/cgroup.h"
#include "nsjail-lite/jail.h"

struct error;
struct seccomp_program;

struct builder_template {
	int root_fd; /* directory of the image's root, borrowed */
	struct jail_limits limits;
	char hostname[JAIL_HOSTNAME_MAX];
	const char *cwd;	/* default inside; NULL: "/" */
	const char *const *env; /* default inside, "K=V", NULL-terminated; may be NULL */
	unsigned bind_count;
	int bind_fds[JAIL_BINDS_MAX]; /* O_PATH fds of the sources, borrowed */
	struct jail_bind binds[JAIL_BINDS_MAX];
};

struct builder_config {
	const char *program; /* path of hearth-builder; NULL: builder_find() */
	const struct cgroup_base *base;
	const char *prefix; /* of its cgroups' names, unique among the instance's builders */
	const struct seccomp_program *filter;
	const struct builder_template *templates;
	unsigned template_count; /* 1..JAIL_TEMPLATES_MAX */
	int workspaces_fd;	 /* directory of the workspaces, borrowed; -1: none */
	uint32_t nameserver;	 /* IPv4, host byte order, for /etc/resolv.conf; 0: the image's */
	bool normal_priority;
	bool is_one_shot; /* one sandbox will be built, none after it */
};

struct builder {
	pid_t pid;
	int pidfd;
	int link_fd; /* SEQPACKET, blocking; the caller may make it non-blocking */
};

/*
 * Start a builder and send its configuration; does not wait for LINK_STARTED, which comes (or
 * LINK_FAILED) on the link. On success the caller owns ret_builder's fds and reaps the pid; one that
 * ended meanwhile shows there too, and only there.
 */
int builder_start(
	const struct builder_config *config, struct builder *ret_builder, struct error *err);

/* Its two halves, for one who has something to do while the program starts. After the first the same holds. */
int builder_spawn(const char *program, struct builder *ret_builder, struct error *err);
int builder_configure(
	const struct builder_config *config, const struct builder *builder, struct error *err);

/* Path of hearth-builder: beside this program's tree (../libexec/hearth), else where it was installed. */
int builder_find(char *ret_path, size_t size, struct error *err);
#endif
