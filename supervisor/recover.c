#include "supervisor/recover.h"

#include <string.h>

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

int recover(const char *instance_id, bool had_network, bool *ret_found, struct error *err)
{
	struct search search = {.instance_id = instance_id};
	bool has_ids;
	int r;

	r = uid_ranges_has(instance_id, err);
	has_ids = r > 0;
	if (r >= 0)
		r = cgroup_base_list(compare, &search, err);
	/* The ids go last: they are free once nothing runs under them. */
	if (r == 0)
		r = cgroup_base_destroy(instance_id, err);
	/* Its rules hold as long as anything lives. The cgroup may be gone already, when this was killed here before. */
	if (r == 0 && (search.is_found || has_ids) && had_network)
		r = network_recover(instance_id, err);
	if (r == 0)
		r = uid_ranges_drop(instance_id, err);
	if (r < 0)
		return error_prefix(err, r, "recovery of instance %s", instance_id);
	if (ret_found)
		*ret_found = search.is_found;
	return 0;
}
