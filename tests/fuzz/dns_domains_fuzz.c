/*
 * Any texts as configured names and, the first one, as a name that is asked: what matches ends as configured, and
 * neither case nor a dot at the end changes anything.
 */
#include <strings.h>

#include "dns/domains.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/text.h"

static void expect(bool holds)
{
	if (!holds)
		abort();
}

static bool ends_with(const char *name, const char *suffix)
{
	size_t length = strlen(name), wanted = strlen(suffix);

	return length >= wanted && strcasecmp(name + length - wanted, suffix) == 0;
}

/* Without its dot at the end; the caller's. */
static char *trimmed(const char *text)
{
	char *copy = strdup(text);
	size_t length = strlen(text);

	if (!copy)
		abort();
	if (length > 0 && copy[length - 1] == '.')
		copy[length - 1] = '\0';
	return copy;
}

static bool should_match(const char *configured, const char *name)
{
	char *pattern = trimmed(configured), *asked = trimmed(name);
	bool matches = pattern[0] == '*' ? pattern[1] == '.' && pattern[2] != '\0' &&
						   ends_with(asked, pattern + 1) &&
						   strlen(asked) > strlen(pattern + 1)
					 : pattern[0] != '\0' && strcasecmp(asked, pattern) == 0;

	free(pattern);
	free(asked);
	return matches;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct domains domains;
	static char names[NETWORK_DOMAINS_BYTES];
	char *name = fuzz_next_text(&data, &size);
	size_t used = 0;
	bool wanted = false;

	while (size > 0) {
		char *configured = fuzz_next_text(&data, &size);
		size_t length = strlen(configured) + 1;

		if (length > 1 && used + length <= sizeof(names)) {
			memcpy(names + used, configured, length);
			used += length;
			wanted = wanted || should_match(configured, name);
		}
		free(configured);
	}
	domains_set(&domains, names, used);
	expect(domains_match(&domains, name) == wanted);
	if (domains_is_host_name(name)) {
		expect(strlen(name) <= DOMAINS_NAME_MAX && !strstr(name, ".."));
		expect(name[0] != '.' && name[strlen(name) - 1] != '.');
	}
	free(name);
	return 0;
}
