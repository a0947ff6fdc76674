#include "nsjail-lite/network/network_link.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"

/* Each slot's address and the gateway's are in the range, and the gateway's is no slot's. */
static int check_addresses(const struct network_start *m, struct error *err)
{
	uint64_t first = (uint64_t)m->addresses.address + m->first_uid / JAIL_UIDS;
	uint64_t last = first + m->slot_count - 1;
	uint64_t end = m->addresses.address + (UINT64_C(1) << (32 - m->addresses.prefix));

	if (last >= end)
		return error_set(err, EPROTO, "addresses: too few for the slots");
	if (m->gateway < m->addresses.address || m->gateway >= end)
		return error_set(err, EPROTO, "gateway: not of the range of addresses");
	if (m->gateway >= first && m->gateway <= last)
		return error_set(err, EPROTO, "gateway: a slot has this address");
	return 0;
}

static int check_host(const struct network_start *m, struct error *err)
{
	int r = check_name(m->instance, sizeof(m->instance), false, "instance", err);

	/* So many of its characters are in the links' names. */
	if (r == 0 && strlen(m->instance) < NETWORK_LINK_DIGITS)
		r = error_set(err, EPROTO, "instance: under %d characters", NETWORK_LINK_DIGITS);
	if (r == 0 && (m->first_uid == 0 || m->first_uid % JAIL_UIDS != 0))
		r = error_set(err, EPROTO, "first_uid: %u is no start of a range", m->first_uid);
	if (r == 0)
		r = check_range(m->slot_count, 1, JAIL_SLOTS_MAX, "slot_count", err);
	if (r == 0)
		r = network_check_cidrs(&m->addresses, 1, "addresses", err);
	if (r == 0)
		r = check_addresses(m, err);
	if (r == 0)
		r = check_range(m->dns_uid, 1, UINT32_MAX - 1, "dns_uid", err);
	return r;
}

static int check_start(const void *message, uint32_t size, struct error *err)
{
	const struct network_start *m = message;
	int r = check_host(m, err);

	if (r == 0)
		r = check_zero(&m->caps.reserved, sizeof(m->caps.reserved), "reserved", err);
	if (r == 0)
		r = network_check_cidrs(m->except, m->except_count, "except", err);
	if (r == 0)
		r = network_check_cidrs(m->allow, m->allow_count, "allow", err);
	if (r == 0)
		r = check_range(m->resolver_count, 0, NETWORK_RESOLVERS_MAX, "resolver_count", err);
	if (r == 0)
		r = check_zero(&m->reserved, sizeof(m->reserved), "reserved", err);
	if (r == 0)
		r = network_check_domains(m + 1, size - (uint32_t)sizeof(*m), m->domain_count, err);
	return r;
}

static int check_slot(const void *message, uint32_t size, struct error *err)
{
	const struct network_slot *m = message;
	int r = check_range(m->slot, 0, JAIL_SLOTS_MAX - 1, "slot", err);

	(void)size;
	if (r == 0)
		r = check_zero(&m->reserved, sizeof(m->reserved), "reserved", err);
	return r;
}

static int check_profile(const void *message, uint32_t size, struct error *err)
{
	const struct network_set_profile *m = message;
	int r = check_range(m->slot, 0, JAIL_SLOTS_MAX - 1, "slot", err);

	(void)size;
	if (r == 0)
		r = check_range(m->profile, NETWORK_NONE, NETWORK_OPEN, "profile", err);
	if (r == 0)
		r = check_range(m->is_fresh, 0, 1, "is_fresh", err);
	if (r == 0)
		r = check_zero(&m->reserved, sizeof(m->reserved), "reserved", err);
	return r;
}

static int check_done(const void *message, uint32_t size, struct error *err)
{
	const struct network_done *m = message;
	int r = check_range(m->slot, 0, JAIL_SLOTS_MAX - 1, "slot", err);

	(void)size;
	if (r == 0)
		r = check_range(
			m->is_new, 0, m->header.type == NETWORK_FLUSHED ? 1 : 0, "is_new", err);
	return r;
}

static int check_state(const void *message, uint32_t size, struct error *err)
{
	const struct network_state *m = message;
	int r = check_range(m->slot, 0, JAIL_SLOTS_MAX - 1, "slot", err);

	(void)size;
	if (r == 0)
		r = check_range(m->profile, 0, NETWORK_OPEN, "profile", err);
	if (r == 0)
		r = check_zero(&m->reserved, sizeof(m->reserved), "reserved", err);
	return r;
}

static int check_failed(const void *message, uint32_t size, struct error *err)
{
	const struct network_failed *m = message;
	int r = check_range(m->error, 1, 4095, "error", err);

	(void)size;
	if (r == 0)
		r = check_zero(&m->reserved, sizeof(m->reserved), "reserved", err);
	if (r == 0)
		r = check_string(m->text, sizeof(m->text), "text", err);
	return r;
}

/* Every request has an id, which its answer repeats. */
#define ROW(type_, direction_, struct_, payload, fds, check)                                       \
	{                                                                                          \
		.type = NETWORK_##type_, .direction = MESSAGE_TO_##direction_, .name = #type_,     \
		.fixed_size = sizeof(struct struct_), .payload_max = (payload), .fds_min = (fds),  \
		.fds_max = (fds), .has_id = true, .check_fields = (check)                          \
	}

static const struct message_rule rules[] = {
	ROW(START, SERVER, network_start, NETWORK_DOMAINS_BYTES, 0, check_start),
	ROW(SLOT, SERVER, network_slot, 0, 0, check_slot),
	ROW(PROFILE, SERVER, network_set_profile, 0, 0, check_profile),
	ROW(FLUSH, SERVER, network_slot, 0, 0, check_slot),
	ROW(INSPECT, SERVER, network_slot, 0, 0, check_slot),
	ROW(STARTED, CLIENT, network_done, 0, 0, check_done),
	ROW(SLOT_READY, CLIENT, network_done, 0, 1, check_done),
	ROW(PROFILE_SET, CLIENT, network_done, 0, 0, check_done),
	ROW(FLUSHED, CLIENT, network_done, 0, 0, check_done),
	ROW(STATE, CLIENT, network_state, 0, 0, check_state),
	ROW(FAILED, CLIENT, network_failed, 0, 0, check_failed),
};

const struct message_protocol network_protocol = {
	.name = "network",
	.version = NETWORK_VERSION,
	.rules = rules,
	.rule_count = ARRAY_SIZE(rules),
};

void network_header(struct message_header *h, uint16_t type, uint32_t size, uint32_t id)
{
	*h = (struct message_header){
		.version = NETWORK_VERSION, .type = type, .size = size, .id = id};
}

void network_link_prefix(const char *instance, char ret_prefix[NETWORK_LINK_PREFIX_SIZE])
{
	size_t length = strlen(instance);
	size_t skipped = length > NETWORK_LINK_DIGITS ? length - NETWORK_LINK_DIGITS : 0;

	memcpy(ret_prefix, NETWORK_LINK_PREFIX, sizeof(NETWORK_LINK_PREFIX));
	strcat(ret_prefix, instance + skipped);
}
