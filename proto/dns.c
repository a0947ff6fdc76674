#include "proto/dns.h"

#include "base/cleanup.h"

static int check_start(const void *message, uint32_t size, struct error *err)
{
	const struct dns_start *m = message;
	int r = check_zero(&m->caps.reserved, sizeof(m->caps.reserved), "reserved", err);

	if (r == 0)
		r = network_check_cidrs(m->except, m->except_count, "except", err);
	if (r == 0)
		r = check_range(m->resolver_count, 0, NETWORK_RESOLVERS_MAX, "resolver_count", err);
	if (r == 0)
		r = network_check_domains(m + 1, size - (uint32_t)sizeof(*m), m->domain_count, err);
	return r;
}

static int check_sandbox(const void *message, uint32_t size, struct error *err)
{
	const struct dns_sandbox *m = message;
	int r = check_range(m->address, 1, UINT32_MAX, "address", err);

	(void)size;
	if (r == 0)
		r = check_range(m->profile, NETWORK_NONE, NETWORK_OPEN, "profile", err);
	return r;
}

static int check_admitted(const void *message, uint32_t size, struct error *err)
{
	const struct dns_admitted *m = message;
	int r = check_range(m->error, 0, 4095, "error", err);

	(void)size;
	if (r == 0)
		r = check_zero(&m->reserved, sizeof(m->reserved), "reserved", err);
	return r;
}

static int check_admit(const void *message, uint32_t size, struct error *err)
{
	const struct dns_admit *m = message;
	int r = check_range(m->address, 1, UINT32_MAX, "address", err);

	(void)size;
	if (r == 0)
		r = check_range(m->ttl, DNS_TTL_MIN, DNS_TTL_MAX, "ttl", err);
	if (r == 0)
		r = check_range(m->count, 1, DNS_ADDRESSES_MAX, "count", err);
	if (r == 0)
		r = check_zero(&m->reserved, sizeof(m->reserved), "reserved", err);
	return r;
}

static int check_denied(const void *message, uint32_t size, struct error *err)
{
	const struct dns_denied *m = message;
	int r = check_range(m->address, 1, UINT32_MAX, "address", err);

	(void)size;
	if (r == 0)
		r = check_range(m->count, 1, UINT32_MAX, "count", err);
	return r;
}

#define ROW(type_, direction_, struct_, payload, fds, id, check)                                   \
	{                                                                                          \
		.type = DNS_##type_, .direction = MESSAGE_TO_##direction_, .name = #type_,         \
		.fixed_size = sizeof(struct struct_), .payload_max = (payload), .fds_min = (fds),  \
		.fds_max = (fds), .has_id = (id), .check_fields = (check)                          \
	}

static const struct message_rule rules[] = {
	ROW(START, SERVER, dns_start, NETWORK_DOMAINS_BYTES, 1, false, check_start),
	ROW(SANDBOX, SERVER, dns_sandbox, 0, 0, false, check_sandbox),
	ROW(ADMITTED, SERVER, dns_admitted, 0, 0, true, check_admitted),
	ROW(ADMIT, CLIENT, dns_admit, 0, 0, true, check_admit),
	ROW(DENIED, CLIENT, dns_denied, 0, 0, false, check_denied),
};

const struct message_protocol dns_protocol = {
	.name = "dns",
	.version = DNS_VERSION,
	.rules = rules,
	.rule_count = ARRAY_SIZE(rules),
};

void dns_header(struct message_header *h, uint16_t type, uint32_t size, uint32_t id)
{
	*h = (struct message_header){.version = DNS_VERSION, .type = type, .size = size, .id = id};
}
