#include "dns/policy.h"

#include <string.h>
#include <strings.h>

#include "dns/message.h"

#define AROUND_NAME 18 /* header, and of the question a length byte, the root, type, class */

void policy_set(struct policy *policy, const struct dns_start *start)
{
	policy->names_per_second = start->caps.names_per_second;
	policy->except_count = start->except_count;
	memcpy(policy->except, start->except, sizeof(policy->except));
	domains_set(
		&policy->domains, (const char *)(start + 1), start->header.size - sizeof(*start));
}

static bool is_hidden(const struct policy *policy, uint32_t profile, uint32_t address)
{
	return profile != NETWORK_OPEN &&
	       network_contains(network_private, NETWORK_PRIVATE_COUNT, address) &&
	       !network_contains(policy->except, policy->except_count, address);
}

/* Decimal as a host writes it: no leading zero. Returns what follows, or NULL. */
static const char *parse_octet(const char *text, uint32_t *ret_octet)
{
	const char *end = text;
	uint32_t octet = 0;

	while (*end >= '0' && *end <= '9' && end < text + 3)
		octet = octet * 10 + (uint32_t)(*end++ - '0');
	if (end == text || (text[0] == '0' && end > text + 1) || octet > 255)
		return NULL;
	*ret_octet = octet;
	return end;
}

/* "4.3.2.1.in-addr.arpa" is 1.2.3.4. */
static bool parse_reverse(const char *name, uint32_t *ret_address)
{
	uint32_t address = 0, octet;

	for (int i = 0; i < 4; i++) {
		name = parse_octet(name, &octet);
		if (!name || *name++ != '.')
			return false;
		address |= octet << (8 * i);
	}
	*ret_address = address;
	return strcasecmp(name, "in-addr.arpa") == 0;
}

struct policy_verdict policy_question(const struct policy *policy, uint32_t profile, unsigned type,
	unsigned class, const char *name)
{
	struct policy_verdict v = {.act = POLICY_NO_RECORD};

	if (profile == NETWORK_NONE) {
		v.act = POLICY_DROP;
	} else if (class != MESSAGE_IN) {
		v.act = POLICY_REFUSE;
	} else if (profile == NETWORK_ALLOW && !domains_match(&policy->domains, name)) {
		v.act = POLICY_REFUSE;
		v.denied = "not allowed";
	} else if (type == MESSAGE_A) {
		v.act = domains_is_host_name(name) ? POLICY_ASK_A : POLICY_NO_NAME;
	} else if (type == MESSAGE_PTR) {
		v.act = parse_reverse(name, &v.reverse) && !is_hidden(policy, profile, v.reverse)
				? POLICY_ASK_PTR
				: POLICY_NO_NAME;
	}
	return v;
}

/* How many addresses an answer may have. A host name leaves room for 15 at least. */
static uint32_t most_addresses(const char *name)
{
	size_t most = (MESSAGE_MAX - AROUND_NAME - strlen(name)) / MESSAGE_RECORD_SIZE;

	return most < DNS_ADDRESSES_MAX ? (uint32_t)most : DNS_ADDRESSES_MAX;
}

static uint32_t clamp_ttl(uint32_t ttl, uint32_t min, uint32_t max)
{
	return ttl < min ? min : ttl > max ? max : ttl;
}

struct policy_verdict policy_addresses(const struct policy *policy, uint32_t profile,
	const char *name, const uint32_t *addresses, uint32_t count, uint32_t ttl)
{
	struct policy_verdict v = policy_question(policy, profile, MESSAGE_A, MESSAGE_IN, name);
	uint32_t most;

	if (v.act != POLICY_ASK_A)
		return v;
	most = most_addresses(name);
	for (uint32_t i = 0; i < count; i++) {
		if (is_hidden(policy, profile, addresses[i]))
			v.denied = "private address";
		else if (v.count < most)
			v.addresses[v.count++] = addresses[i];
	}
	/* Of an address that is admitted for a time the sandbox must not know longer. */
	v.answer_ttl = profile == NETWORK_ALLOW ? clamp_ttl(ttl, 0, DNS_TTL_MAX) : ttl;
	v.admit_ttl = clamp_ttl(ttl, DNS_TTL_MIN, DNS_TTL_MAX);
	if (v.count == 0)
		v.act = POLICY_NO_RECORD;
	else
		v.act = profile == NETWORK_ALLOW ? POLICY_ADMIT : POLICY_ANSWER;
	return v;
}
