#include "proto/network.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "proto/check.h"

static const char *const names[] = {
	[NETWORK_NONE] = "none",
	[NETWORK_DEFAULT] = "default",
	[NETWORK_ALLOW] = "allow",
	[NETWORK_OPEN] = "open",
};

#define CIDR(a, b, c, d, prefix)                                                                   \
	{                                                                                          \
		(uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d), (prefix)                         \
	}

const struct network_cidr network_private[NETWORK_PRIVATE_COUNT] = {
	CIDR(0, 0, 0, 0, 8),	   /* this host */
	CIDR(10, 0, 0, 0, 8),	   /* private */
	CIDR(100, 64, 0, 0, 10),   /* carrier's NAT; metadata of some clouds */
	CIDR(127, 0, 0, 0, 8),	   /* loopback */
	CIDR(169, 254, 0, 0, 16),  /* link-local; metadata of most clouds */
	CIDR(172, 16, 0, 0, 12),   /* private */
	CIDR(192, 0, 0, 0, 24),	   /* protocol assignments */
	CIDR(192, 0, 2, 0, 24),	   /* documentation */
	CIDR(192, 88, 99, 0, 24),  /* 6to4 relays */
	CIDR(192, 168, 0, 0, 16),  /* private */
	CIDR(198, 18, 0, 0, 15),   /* benchmarks */
	CIDR(198, 51, 100, 0, 24), /* documentation */
	CIDR(203, 0, 113, 0, 24),  /* documentation */
	CIDR(224, 0, 0, 0, 4),	   /* multicast */
	CIDR(240, 0, 0, 0, 4),	   /* reserved, broadcast */
};

bool network_contains(const struct network_cidr *cidrs, size_t count, uint32_t address)
{
	for (size_t i = 0; i < count; i++)
		/* In 64 bits, because a prefix of 0 shifts by 32. */
		if ((uint64_t)(address ^ cidrs[i].address) >> (32 - cidrs[i].prefix) == 0)
			return true;
	return false;
}

int network_check_cidrs(
	const struct network_cidr *cidrs, uint32_t count, const char *field, struct error *err)
{
	int r = check_range(count, 0, NETWORK_CIDRS_MAX, field, err);

	for (uint32_t i = 0; r == 0 && i < count; i++) {
		r = check_range(cidrs[i].prefix, 0, 32, field, err);
		if (r == 0 && (cidrs[i].address & (UINT64_C(0xffffffff) >> cidrs[i].prefix)) != 0)
			r = error_set(err, EPROTO, "%s: bits beyond the prefix", field);
	}
	return r;
}

int network_check_domains(const void *payload, uint32_t length, uint32_t count, struct error *err)
{
	const char *next = payload, *end = next + length;
	uint32_t found = 0;
	int r = check_range(count, 0, NETWORK_DOMAINS_MAX, "domain_count", err);

	if (r < 0)
		return r;
	for (; next < end; next += strlen(next) + 1, found++)
		if (!memchr(next, '\0', (size_t)(end - next)) || *next == '\0')
			return error_set(err, EPROTO, "payload: not names, each terminated");
	if (found != count)
		return error_set(err, EPROTO, "domain_count: there are %u names", found);
	return 0;
}

enum network_profile network_profile_find(const char *name)
{
	for (size_t i = NETWORK_NONE; i < ARRAY_SIZE(names); i++)
		if (strcmp(name, names[i]) == 0)
			return (enum network_profile)i;
	return 0;
}

const char *network_profile_name(uint32_t profile)
{
	return profile >= NETWORK_NONE && profile < ARRAY_SIZE(names) ? names[profile] : "?";
}
