#include "supervisor/host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "nsjail-lite/enforced.h"
#include "nsjail-lite/image_mount.h"
#include "nsjail-lite/io_disk.h"
#include "nsjail-lite/uid_ranges.h"
#include "proto/limit_text.h"
#include "supervisor/admission.h"
#include "supervisor/host_network.h"

/* Beside one per sandbox and client: images, cgroups, links, the log, what libevent needs. */
#define SPARE_FDS	128
#define WORKSPACES_MODE 0700

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
	if (section->limits.io_read_bps || section->limits.io_write_bps)
		io_disk_find(image->root_fd, &template->limits.io_major, &template->limits.io_minor,
			NULL); /* without one: unenforced */
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

#define FIX_CGROUP                                                                                 \
	"the host has not these cgroup controllers: enable them (at boot, such as "                \
	"cgroup_enable=memory)"
#define FIX_IO "its image is on no disk of its own, or there is no io controller: move the store"

/* A limit that is asked for and not enforced is an error or a warning. */
static int judge_limits(
	struct supervisor_config *config, const struct host *host, struct error *err)
{
	for (uint32_t i = 0; i < config->pool_count; i++) {
		struct pool_section *section = &config->pools[i];
		uint32_t missing = enforced_missing(&host->base, &host->templates[i].limits);
		char names[LIMIT_TEXT_MAX];
		const char *fix = missing == LIMIT_HIT_IO ? FIX_IO : FIX_CGROUP;

		section->unenforced = missing;
		if (missing == 0)
			continue;
		limit_names(missing, names);
		if (config->strict)
			return error_set(err, EOPNOTSUPP,
				"pool %s: limits not enforced: %s: %s, remove the limit, or "
				"strict = no",
				section->name, names, fix);
		log_warning("pool %s: limits not enforced: %s: %s, or remove the limit",
			section->name, names, fix);
	}
	return 0;
}

/* What the configuration left to us. */
static int choose_budget(struct supervisor_config *config, struct error *err)
{
	char text[8192];
	uint64_t available;
	ssize_t n;
	int r;

	if (config->memory_budget > 0)
		return 0;
	n = file_read_at(AT_FDCWD, "/proc/meminfo", text, sizeof(text), err);
	r = n < 0 ? (int)n : admission_memory_available(text, &available, err);
	if (r == 0)
		config->memory_budget = ADMISSION_SHARE(available);
	return r;
}

static bool is_empty(int directory_fd)
{
	auto_close int fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry = NULL;

	if (!dir)
		return false;
	take_fd(&fd);
	do
		entry = readdir(dir);
	while (entry && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
				strcmp(entry->d_name, "lost+found") == 0));
	closedir(dir);
	return !entry;
}

/*
 * Nobody but root enters it. One that is otherwise becomes so while it is empty, as the root of a new file system
 * is; what others have filled, such as /tmp, is not taken from them.
 */
static int own_workspaces(int fd, const char *path, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_errno(err, "%s", path);
	if (st.st_uid == 0 && st.st_gid == 0 && (st.st_mode & 07777) == WORKSPACES_MODE)
		return 0;
	if (!is_empty(fd))
		return error_set(err, EPERM,
			"[workspaces] directory %s: there is something in it, and it is not root's "
			"alone (root:root, mode 0700): make an empty directory for them",
			path);
	if (fchown(fd, 0, 0) < 0 || fchmod(fd, WORKSPACES_MODE) < 0)
		return error_errno(err, "[workspaces] directory %s: owner and mode", path);
	return 0;
}

/* Without it the instance works all the same: who asks for a workspace is refused. */
static void open_workspaces(const char *path, struct host *host)
{
	struct error err;
	int r;

	if (path[0] == '\0')
		return;
	r = file_make_directories(path, WORKSPACES_MODE, &err);
	if (r == 0) {
		host->workspaces_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		r = host->workspaces_fd < 0 ? error_errno(&err, "open %s", path) : 0;
	}
	if (r == 0)
		r = own_workspaces(host->workspaces_fd, path, &err);
	if (r < 0) {
		fd_close(take_fd(&host->workspaces_fd));
		log_warning("there are no workspaces: %s", err.text);
	}
}

/* The uid ranges of the slots; where there is a network, one more for its own. */
static int take_uids(const char *instance_id, struct supervisor_config *config, struct host *host,
	struct error *err)
{
	uint32_t slots = supervisor_config_slots(config), more = config->network.is_on ? 1 : 0;
	int r = uid_ranges_take(instance_id, slots + more, &host->first_uid, err);

	if (r == 0 && more)
		r = host_network_open(instance_id, config, host->first_uid, &host->network, err);
	return r;
}

int host_open(const char *instance_id, struct supervisor_config *config, struct host *ret_host,
	struct error *err)
{
	int r;

	*ret_host = (struct host){.config = config, .base = CGROUP_BASE_INIT, .workspaces_fd = -1};
	r = raise_open_files(config, err);
	if (r == 0)
		r = seccomp_compile(&ret_host->filter, err);
	for (uint32_t i = 0; r == 0 && i < config->pool_count; i++)
		r = open_template(config, i, ret_host, err);
	if (r == 0)
		r = open_cgroups(instance_id, ret_host, err);
	if (r == 0)
		r = judge_limits(config, ret_host, err);
	if (r == 0)
		r = choose_budget(config, err);
	/* After the cgroup: a range whose instance has none counts as free. */
	if (r == 0)
		r = take_uids(instance_id, config, ret_host, err);
	if (r == 0)
		open_workspaces(config->workspaces.directory, ret_host);
	return r;
}

void host_close(struct host *host)
{
	for (uint32_t i = 0; i < host->template_count; i++) {
		fd_close(take_fd(&host->templates[i].root_fd));
		image_close(&host->images[i]);
	}
	host->template_count = 0;
	fd_close(take_fd(&host->workspaces_fd));
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
		.workspaces_fd = host->workspaces_fd,
		.nameserver = host->network.gateway, /* 0 without a network */
	};

	snprintf(prefix, sizeof(prefix), "b%u-", index);
	return builder_start(&config, ret_builder, err);
}

int host_start_network(void *arg, uint32_t id, struct program *ret_process, struct error *err)
{
	struct host *host = arg;

	return host_network_start(host->config, &host->network, id, ret_process, err);
}
