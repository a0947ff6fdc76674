/*
 * host.h - what an instance takes of this machine: cgroups, uid ranges, images, the seccomp program.
 */
#ifndef SUPERVISOR_HOST_H
#define SUPERVISOR_HOST_H
#include <stdint.h>

#include "images/image.h"
#include "nsjail-lite/builder_host.h"
#include "nsjail-lite/cgroup/cgroup.h"
#include "nsjail-lite/network/network_link.h"
#include "nsjail-lite/seccomp.h"
#include "supervisor/config.h"

struct error;
struct program;

struct host {
	const struct supervisor_config *config;
	struct cgroup_base base;
	uint32_t first_uid;
	struct network_start network; /* where the configuration has one */
	int workspaces_fd;	      /* their directory; -1: none */
	struct seccomp_program filter;
	uint32_t template_count;
	struct image images[JAIL_TEMPLATES_MAX];
	struct builder_template templates[JAIL_TEMPLATES_MAX];
};

/*
 * Take it all, and move this process into the instance's cgroup. What is taken of the kernel is
 * given back by recover(), as after a crash. config must outlive it; its budget is filled in, its
 * resolvers, and which limits are not enforced.
 */
int host_open(const char *instance_id, struct supervisor_config *config, struct host *ret_host,
	struct error *err);
/* Close fds, free memory. Accepts one whose opening failed. */
void host_close(struct host *host);

/* For struct supervisor_host; arg is the host. */
int host_start_builder(void *arg, uint32_t index, struct builder *ret_builder, struct error *err);
int host_start_network(void *arg, uint32_t id, struct program *ret_process, struct error *err);
#endif
