#include "supervisor/host.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "nsjail-lite/image_mount.h"
#include "nsjail-lite/uid_ranges.h"

/* Beside one per sandbox and client: images, cgroups, links, the log, what libevent needs. */
#define SPARE_FDS 128

/* One descriptor per ready sandbox is the supervisor's largest need: have as many as may be had. */
static int raise_open_files(const struct supervisor_config *config, struct error *err)
{
	uint64_t need = supervisor_config_slots(config) + config->connections_max + SPARE_FDS;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return error_errno(err, "getrlimit");
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return error_errno(err, "setrlimit");
	if (limit.rlim_cur < need)
		return error_set(err, EMFILE,
			"%llu open files are needed, the hard limit is %llu: lower max of the "
			"pools or raise the limit (ulimit -Hn, LimitNOFILE=)",
			(unsigned long long)need, (unsigned long long)limit.rlim_cur);
	return 0;
}

static int open_template(const struct supervisor_config *config, uint32_t index, struct host *host,
	struct error *err)
{
	const struct pool_section *section = &config->pools[index];
	struct image *image = &host->images[index];
	struct builder_template *template = &host->templates[index];
	bool is_copy;
	int r;

	r = image_open(config->store, section->image, image, err);
	if (r == -ENOENT)
		return error_set(err, ENOENT, "image %s is not in %s: hearth image build %s",
			section->image, config->store, section->image);
	if (r < 0)
		return r;
	host->template_count = index + 1;
	*template = (struct builder_template){
		.root_fd = -1,
		.limits = section->limits,
		.cwd = image->manifest.cwd,
		.env = (const char *const *)image->manifest.env,
	};
	memcpy(template->hostname, section->hostname, sizeof(template->hostname));
	r = image_mount(image->root_fd, &template->root_fd, &is_copy, err);
	if (r == 0 && is_copy)
		log_warning(
			"image %s: the store's file system cannot be idmapped: copied into memory",
			section->image);
	return r;
}

static int open_cgroups(const char *instance_id, struct host *host, struct error *err)
{
	char text[128];
	int r = cgroup_base_open(instance_id, NULL, &host->base, err);

	if (r == 0)
		r = cgroup_join_daemon(&host->base, err);
	if (r == 0)
		log_event(LOG_LEVEL_INFO, "cgroups", "instance", instance_id, "use",
			cgroup_describe(&host->base, text, sizeof(text)), NULL);
	return r;
}

int host_open(const char *instance_id, const struct supervisor_config *config,
	struct host *ret_host, struct error *err)
{
	int r;

	*ret_host = (struct host){.base = CGROUP_BASE_INIT};
	r = raise_open_files(config, err);
	if (r == 0)
		r = seccomp_compile(&ret_host->filter, err);
	for (uint32_t i = 0; r == 0 && i < config->pool_count; i++)
		r = open_template(config, i, ret_host, err);
	if (r == 0)
		r = open_cgroups(instance_id, ret_host, err);
	/* After the cgroup: a range whose instance has none counts as free. */
	if (r == 0)
		r = uid_ranges_take(
			instance_id, supervisor_config_slots(config), &ret_host->first_uid, err);
	return r;
}

void host_close(struct host *host)
{
	for (uint32_t i = 0; i < host->template_count; i++) {
		fd_close(take_fd(&host->templates[i].root_fd));
		image_close(&host->images[i]);
	}
	host->template_count = 0;
	cgroup_base_close(&host->base);
}

int host_start_builder(void *arg, uint32_t index, struct builder *ret_builder, struct error *err)
{
	const struct host *host = arg;
	char prefix[16];
	struct builder_config config = {
		.base = &host->base,
		.prefix = prefix,
		.filter = &host->filter,
		.templates = host->templates,
		.template_count = host->template_count,
	};

	snprintf(prefix, sizeof(prefix), "b%u-", index);
	return builder_start(&config, ret_builder, err);
}
