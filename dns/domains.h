/*
 * domains.h - names: which ones the profile allow may resolve, and what is a host name at all.
 *
 * A configured name is "pypi.org", just that, or "*.npmjs.org", any name below it but not itself. Case and
 * a dot at the end mean nothing. Pure.
 */
#ifndef DNS_DOMAINS_H
#define DNS_DOMAINS_H
#include <stdbool.h>
#include <stddef.h>

#include "proto/network.h"

#define DOMAINS_NAME_MAX 253 /* bytes of a host name (RFC 1035 2.3.4) */

struct domains {
	size_t size;
	char names[NETWORK_DOMAINS_BYTES]; /* each terminated */
};

/* names as in DNS_START, checked. */
void domains_set(struct domains *domains, const char *names, size_t size);

bool domains_match(const struct domains *domains, const char *name);

/*
 * Labels of 1..63 letters, digits, '-' and '_' between single dots. A name from a packet may hold anything else,
 * and a resolver would read it otherwise than we did: only these are passed on.
 */
bool domains_is_host_name(const char *name);
#endif
