/* Every field and every payload of every message between hearth-network and hearth-dns. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "proto/dns.h"
#include "tests/unit/check_fields.h"

static struct dns_start *start_of(struct packet *packet)
{
	return (void *)packet->bytes;
}

static void fill_start(struct packet *packet)
{
	static const char names[] = "pypi.org\0*.npmjs.org";
	struct dns_start *m = start_of(packet);

	packet->fd_count = 1;
	m->except_count = 1;
	m->except[0] = (struct network_cidr){.address = 10u << 24, .prefix = 8};
	m->resolver_count = 1;
	m->domain_count = 2;
	packet_append(packet, names, sizeof(names));
}

static const struct field start_fields[] = {
	ANY(dns_start, caps.connections),
	ANY(dns_start, caps.new_per_second),
	ANY(dns_start, caps.names_per_second),
	ZERO(dns_start, caps.reserved),
	ANY(dns_start, caps.bytes_per_second),
	OTHER(dns_start, except_count), /* as many as except has */
	RANGE(dns_start, resolver_count, 0, NETWORK_RESOLVERS_MAX),
	OTHER(dns_start, domain_count), /* as many as the payload has */
	ANY(dns_start, resolvers),
	OTHER(dns_start, except),
};

static void set_except(struct packet *packet, uint32_t address, uint32_t prefix)
{
	start_of(packet)->except[0] = (struct network_cidr){.address = address, .prefix = prefix};
}

static void everything_excepted(struct packet *packet)
{
	set_except(packet, 0, 0);
}

static void one_address_excepted(struct packet *packet)
{
	set_except(packet, UINT32_MAX, 32);
}

static void bit_beyond_prefix(struct packet *packet)
{
	set_except(packet, 10u << 24 | 1, 8);
}

static void bit_beyond_no_prefix(struct packet *packet)
{
	set_except(packet, 1u << 31, 0);
}

static void long_prefix(struct packet *packet)
{
	set_except(packet, 0, 33);
}

static void last_except_wrong(struct packet *packet)
{
	start_of(packet)->except_count = NETWORK_CIDRS_MAX;
	start_of(packet)->except[NETWORK_CIDRS_MAX - 1].prefix = 33;
}

static void most_except(struct packet *packet)
{
	start_of(packet)->except_count = NETWORK_CIDRS_MAX;
}

static void an_except_too_many(struct packet *packet)
{
	start_of(packet)->except_count = NETWORK_CIDRS_MAX + 1;
}

static void no_domain(struct packet *packet)
{
	packet->size = sizeof(struct dns_start);
	start_of(packet)->domain_count = 0;
}

static void no_terminator(struct packet *packet)
{
	packet->size--;
}

static void empty_name(struct packet *packet)
{
	packet_append(packet, "", 1);
	start_of(packet)->domain_count = 3;
}

static void fewer_names(struct packet *packet)
{
	start_of(packet)->domain_count = 3;
}

static void more_names(struct packet *packet)
{
	start_of(packet)->domain_count = 1;
}

static void fill_names(struct packet *packet, uint32_t count)
{
	packet->size = sizeof(struct dns_start);
	for (uint32_t i = 0; i < count; i++)
		packet_append(packet, "a", 2);
	start_of(packet)->domain_count = count;
}

static void most_names(struct packet *packet)
{
	fill_names(packet, NETWORK_DOMAINS_MAX);
}

static void a_name_too_many(struct packet *packet)
{
	fill_names(packet, NETWORK_DOMAINS_MAX + 1);
}

static void longest_payload(struct packet *packet)
{
	packet->size = sizeof(struct dns_start) + NETWORK_DOMAINS_BYTES;
	memset(packet->bytes + sizeof(struct dns_start), 'a', NETWORK_DOMAINS_BYTES - 1);
	packet->bytes[packet->size - 1] = '\0';
	start_of(packet)->domain_count = 1;
}

static const struct variant start_variants[] = {
	{"everything excepted", everything_excepted, NULL},
	{"one address excepted", one_address_excepted, NULL},
	{"as much excepted as may be", most_except, NULL},
	{"a bit beyond the prefix", bit_beyond_prefix, "except"},
	{"a bit and no prefix", bit_beyond_no_prefix, "except"},
	{"a prefix of 33", long_prefix, "except"},
	{"a last exception that is wrong", last_except_wrong, "except"},
	{"an exception too many", an_except_too_many, "except"},
	{"no domain", no_domain, NULL},
	{"as many domains as may be", most_names, NULL},
	{"a payload as long as may be", longest_payload, NULL},
	{"a name without a terminator", no_terminator, "payload"},
	{"an empty name", empty_name, "payload"},
	{"fewer names than counted", fewer_names, "domain_count"},
	{"more names than counted", more_names, "domain_count"},
	{"a name too many", a_name_too_many, "domain_count"},
};

static void fill_sandbox(struct packet *packet)
{
	struct dns_sandbox *m = (void *)packet->bytes;

	m->address = 10u << 24;
	m->profile = NETWORK_DEFAULT;
}

static const struct field sandbox_fields[] = {
	RANGE(dns_sandbox, address, 1, UINT32_MAX),
	RANGE(dns_sandbox, profile, NETWORK_NONE, NETWORK_OPEN),
	ANY(dns_sandbox, generation),
};

static const struct field admitted_fields[] = {
	RANGE(dns_admitted, error, 0, 4095),
	ZERO(dns_admitted, reserved),
};

static void fill_admit(struct packet *packet)
{
	struct dns_admit *m = (void *)packet->bytes;

	m->address = 10u << 24;
	m->ttl = DNS_TTL_MIN;
	m->count = 1;
}

static const struct field admit_fields[] = {
	RANGE(dns_admit, address, 1, UINT32_MAX),
	RANGE(dns_admit, ttl, DNS_TTL_MIN, DNS_TTL_MAX),
	ANY(dns_admit, generation),
	RANGE(dns_admit, count, 1, DNS_ADDRESSES_MAX),
	ANY(dns_admit, destinations),
	ZERO(dns_admit, reserved),
};

static void fill_denied(struct packet *packet)
{
	struct dns_denied *m = (void *)packet->bytes;

	m->address = 10u << 24;
	m->count = 1;
}

static const struct field denied_fields[] = {
	RANGE(dns_denied, address, 1, UINT32_MAX),
	RANGE(dns_denied, count, 1, UINT32_MAX),
	ANY(dns_denied, generation),
};

#define CASE(type_, fill_, fields_)                                                                \
	.type = DNS_##type_, .fill = (fill_), .fields = (fields_),                                 \
	.field_count = ARRAY_SIZE(fields_)

static const struct message_case cases[] = {
	{CASE(START, fill_start, start_fields), .variants = start_variants,
		.variant_count = ARRAY_SIZE(start_variants)},
	{CASE(SANDBOX, fill_sandbox, sandbox_fields)},
	{CASE(ADMITTED, NULL, admitted_fields)},
	{CASE(ADMIT, fill_admit, admit_fields)},
	{CASE(DENIED, fill_denied, denied_fields)},
};

static void header_carries_what_was_given(void **state)
{
	struct message_header h;

	(void)state;
	memset(&h, 0xff, sizeof(h));
	dns_header(&h, DNS_ADMIT, 104, 7);
	assert_int_equal(h.version, DNS_VERSION);
	assert_int_equal(h.type, DNS_ADMIT);
	assert_int_equal(h.size, 104);
	assert_int_equal(h.id, 7);
	assert_int_equal(h.reserved, 0);
}

int main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(header_carries_what_was_given),
	};

	return check_fields_run(
		&dns_protocol, cases, ARRAY_SIZE(cases), others, ARRAY_SIZE(others));
}
