#include "agentd/api/origin.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#define PORT_DIGITS_MAX 5

static const char *const loopback_names[] = {"localhost", "127.0.0.1", "[::1]", NULL};

/* Nothing, or ":" and a port. */
static bool is_port(const char *text)
{
	size_t digits;

	if (*text == '\0')
		return true;
	digits = strspn(text + 1, "0123456789");
	return *text == ':' && digits > 0 && digits <= PORT_DIGITS_MAX && text[1 + digits] == '\0';
}

static bool is_one_of(const char *host, const char *const *names)
{
	for (; names && *names; names++) {
		size_t length = strlen(*names);

		if (strncasecmp(host, *names, length) == 0 && is_port(host + length))
			return true;
	}
	return false;
}

bool origin_is_own_host(const char *host, const char *const *names)
{
	return is_one_of(host, loopback_names) || is_one_of(host, names);
}

bool origin_is_allowed(const char *origin, const char *const *patterns)
{
	for (; *patterns; patterns++) {
		size_t length = strlen(*patterns);
		bool takes_ports = length > 2 && strcmp(*patterns + length - 2, ":*") == 0;

		if (strcmp(*patterns, "*") == 0)
			return true;
		length -= takes_ports ? 2 : 0;
		if (strncasecmp(origin, *patterns, length) == 0 &&
			(takes_ports ? is_port(origin + length) : origin[length] == '\0'))
			return true;
	}
	return false;
}
