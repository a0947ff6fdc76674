/*
 * origin.h - who may call from a browser: names that this server has, and pages that may use it.
 *
 * A page of a stranger's site can make a browser connect to 127.0.0.1, under a name whose address it changes (DNS
 * rebinding): its Host gives it away.
 */
#ifndef AGENTD_API_ORIGIN_H
#define AGENTD_API_ORIGIN_H
#include <stdbool.h>

/* Host ("localhost:3890") is localhost, 127.0.0.1, [::1] or one of names (NULL-terminated; may be NULL). */
bool origin_is_own_host(const char *host, const char *const *names);

/*
 * Origin ("http://localhost:5173") is one of patterns (NULL-terminated), where ":*" at the end takes any port and
 * none; "*" takes all.
 */
bool origin_is_allowed(const char *origin, const char *const *patterns);
#endif
