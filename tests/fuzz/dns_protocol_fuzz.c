/* Any bytes as a packet between hearth-network and hearth-dns, from either side: refused, or usable. */
#include "proto/dns.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/packet.h"

static void expect(bool holds)
{
	if (!holds)
		abort();
}

static void use_start(const struct dns_start *m)
{
	const char *next = (const char *)(m + 1), *end = (const char *)m + m->header.size;

	expect(m->except_count <= NETWORK_CIDRS_MAX && m->resolver_count <= NETWORK_RESOLVERS_MAX);
	expect(m->domain_count <= NETWORK_DOMAINS_MAX && end - next <= NETWORK_DOMAINS_BYTES);
	for (uint32_t i = 0; i < m->except_count; i++)
		expect(network_contains(&m->except[i], 1, m->except[i].address));
	for (uint32_t i = 0; i < m->domain_count; i++) {
		expect(next < end && strlen(next) > 0);
		next += strlen(next) + 1;
	}
	expect(next == end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *packet;
	const struct message_rule *rule = fuzz_packet(&dns_protocol, data, size, &packet);

	if (!rule)
		return 0;
	switch ((enum dns_type)rule->type) {
	case DNS_START:
		use_start(packet);
		break;
	case DNS_SANDBOX:
		expect(((const struct dns_sandbox *)packet)->address != 0);
		expect(strcmp(network_profile_name(((const struct dns_sandbox *)packet)->profile),
			       "?") != 0);
		break;
	case DNS_ADMITTED:
		expect(((const struct dns_admitted *)packet)->header.id != 0);
		break;
	case DNS_ADMIT: {
		const struct dns_admit *m = packet;

		expect(m->count >= 1 && m->count <= DNS_ADDRESSES_MAX);
		expect(m->ttl >= DNS_TTL_MIN && m->ttl <= DNS_TTL_MAX);
		break;
	}
	case DNS_DENIED:
		expect(((const struct dns_denied *)packet)->count != 0);
		break;
	}
	free(packet);
	return 0;
}
