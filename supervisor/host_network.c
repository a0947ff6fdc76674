#include "supervisor/host_network.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "nsjail-lite/network/network_host.h"
#include "nsjail-lite/program.h"
#include "proto/channel.h"
#include "supervisor/config.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define ROUTES	    "/proc/net/route"
#define TEXT_MAX    (4u << 20) /* of either */

/* The last address that is needed must be within, below that which means all. */
static int judge_size(
	const struct network_cidr *range, uint32_t first_uid, uint32_t slots, struct error *err)
{
	uint64_t need = (uint64_t)first_uid / JAIL_UIDS + slots;
	uint64_t have = UINT64_C(1) << (32 - range->prefix);
	char text[EGRESS_ADDRESS_MAX];

	if (need + 1 < have)
		return 0;
	return error_set(err, ERANGE,
		"[network] addresses %s: too few: this instance needs the first %" PRIu64
		": want a /16, or larger",
		egress_format_cidr(range, text), need + 1);
}

static int judge_routes(const struct network_cidr *range, struct error *err)
{
	char ours[EGRESS_ADDRESS_MAX], theirs[EGRESS_ADDRESS_MAX], link[16];
	auto_free char *routes = NULL;
	struct network_cidr route;
	ssize_t n = file_read_all_at(AT_FDCWD, ROUTES, TEXT_MAX, &routes, err);

	if (n < 0)
		return error_prefix(err, (int)n, "network");
	if (!egress_find_route(routes, range, &route, link))
		return 0;
	return error_set(err, EADDRINUSE,
		"[network] addresses %s: the host has a route to %s by %s: choose others, which "
		"nothing else uses",
		egress_format_cidr(range, ours), egress_format_cidr(&route, theirs), link);
}

static void find_resolvers(struct egress *egress)
{
	auto_free char *text = NULL;

	if (egress->resolver_count == 0 &&
		file_read_all_at(AT_FDCWD, RESOLV_CONF, TEXT_MAX, &text, NULL) >= 0)
		egress_find_resolvers(egress, text);
	if (egress->resolver_count == 0)
		log_warning("network: " RESOLV_CONF " names no IPv4 nameserver: sandboxes resolve "
			    "no names: set [egress] resolvers");
}

int host_network_open(const char *instance_id, struct supervisor_config *config, uint32_t first_uid,
	struct network_start *ret_start, struct error *err)
{
	const struct network_cidr *range = &config->network.addresses;
	uint32_t slots = supervisor_config_slots(config);
	struct egress *egress = &config->network.egress;
	struct network_start *m = ret_start;
	int r;

	r = judge_size(range, first_uid, slots, err);
	if (r == 0)
		r = judge_routes(range, err);
	if (r < 0)
		return r;
	find_resolvers(egress);
	*m = (struct network_start){
		.first_uid = first_uid,
		.slot_count = slots,
		.addresses = *range,
		.dns_uid = first_uid + slots * JAIL_UIDS,
		.caps = config->network.caps,
		.except_count = egress->except_count,
		.allow_count = egress->allow_count,
		.resolver_count = egress->resolver_count,
		.domain_count = egress->domain_count,
	};
	m->gateway = network_slot_address(m, slots);
	memcpy(m->except, egress->except, sizeof(m->except));
	memcpy(m->allow, egress->allow, sizeof(m->allow));
	memcpy(m->resolvers, egress->resolvers, sizeof(m->resolvers));
	return text_copy(m->instance, sizeof(m->instance), instance_id);
}

int host_network_start(const struct supervisor_config *config, struct network_start *start,
	uint32_t id, struct program *ret_process, struct error *err)
{
	const struct egress *egress = &config->network.egress;
	struct program process;
	int r = network_process_start(&process, err);

	if (r < 0)
		return r;
	network_header(
		&start->header, NETWORK_START, (uint32_t)sizeof(*start) + egress->domain_bytes, id);
	r = channel_send(process.link_fd, start, sizeof(*start), egress->domains,
		egress->domain_bytes, NULL, 0);
	if (r < 0) {
		fd_close(process.link_fd); /* ends it */
		fd_close(process.pidfd);
		waitpid(process.pid, NULL, 0);
		return error_set(err, -r, "link: %s", strerror(-r));
	}
	*ret_process = process;
	return 0;
}
