#include "dns/domains.h"

#include <string.h>
#include <strings.h>

#define LABEL_MAX 63

void domains_set(struct domains *domains, const char *names, size_t size)
{
	domains->size = size;
	memcpy(domains->names, names, size);
}

static size_t length_without_dot(const char *name)
{
	size_t length = strlen(name);

	return length > 0 && name[length - 1] == '.' ? length - 1 : length;
}

static bool matches(const char *pattern, const char *name, size_t length)
{
	size_t wanted = length_without_dot(pattern);

	if (pattern[0] != '*')
		return length > 0 && length == wanted && strncasecmp(name, pattern, length) == 0;
	/* The suffix begins with its dot, so that "evilnpmjs.org" has another; and something is before it. */
	pattern++;
	wanted--;
	return wanted > 1 && pattern[0] == '.' && length > wanted &&
	       strncasecmp(name + length - wanted, pattern, wanted) == 0;
}

bool domains_match(const struct domains *domains, const char *name)
{
	const char *end = domains->names + domains->size;
	size_t length = length_without_dot(name);

	for (const char *next = domains->names; next < end; next += strlen(next) + 1)
		if (matches(next, name, length))
			return true;
	return false;
}

/* Not isalnum(): no locale has a say. */
static bool is_label_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_';
}

bool domains_is_host_name(const char *name)
{
	size_t length = strlen(name), label = 0;

	if (length > DOMAINS_NAME_MAX)
		return false;
	for (const char *c = name; *c; c++) {
		if (*c == '.' ? label == 0 : !is_label_byte(*c) || label == LABEL_MAX)
			return false;
		label = *c == '.' ? 0 : label + 1;
	}
	return label > 0;
}
