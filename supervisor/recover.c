#include "supervisor/recover.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "nsjail-lite/cgroup/cgroup.h"
#include "nsjail-lite/network/network_host.h"
#include "nsjail-lite/uid_ranges.h"

struct search {
	const char *instance_id;
	bool is_found;
};

static void compare(void *arg, const char *instance)
{
	struct search *search = arg;

	if (strcmp(instance, search->instance_id) == 0)
		search->is_found = true;
}

/* One hierarchy knows them all; each is a directory, the daemons' aside. */
static unsigned count_in(const struct cgroup_base *base, int hierarchy_fd)
{
	int fd = openat(hierarchy_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	unsigned count = 0;

	if (!directory) {
		fd_close(fd);
		return 0;
	}
	while ((entry = readdir(directory)))
		if (entry->d_type == DT_DIR && entry->d_name[0] == 'b' &&
			cgroup_is_empty(base, entry->d_name) == 0)
			count++;
	closedir(directory);
	return count;
}

/* A count for people, of an instance whose base there is: what cannot be looked at, is none. */
static unsigned count_orphans(const char *instance_id)
{
	struct cgroup_base base = CGROUP_BASE_INIT;
	struct error err;
	unsigned count = 0;

	if (cgroup_base_open(instance_id, NULL, &base, &err) == 0) {
		int fd = base.v2_fd;

		for (int c = 0; fd < 0 && c < CGROUP_CONTROLLERS; c++)
			fd = base.v1_fd[c];
		count = count_in(&base, fd);
	}
	cgroup_base_close(&base);
	return count;
}

int recover(
	const char *instance_id, bool had_network, struct recovery *ret_recovery, struct error *err)
{
	unsigned orphans = 0;
	struct search search = {.instance_id = instance_id};
	int r = cgroup_base_list(compare, &search, err);

	if (r == 0 && search.is_found && ret_recovery)
		orphans = count_orphans(instance_id);
	/* Its rules hold as long as anything lives. */
	if (r == 0)
		r = cgroup_base_clear(instance_id, err);
	if (r == 0 && search.is_found && had_network)
		r = network_recover(instance_id, err);
	/* After the network: by its base the next recovery knows of it, when this one is killed here. */
	if (r == 0)
		r = cgroup_base_destroy(instance_id, err);
	/* The ids go last: they are free once nothing runs under them. */
	if (r == 0)
		r = uid_ranges_drop(instance_id, err);
	if (r < 0)
		return error_prefix(err, r, "recovery of instance %s", instance_id);
	if (ret_recovery)
		*ret_recovery = (struct recovery){search.is_found, orphans};
	return 0;
}
