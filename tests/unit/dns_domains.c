/* Which names the profile allow may resolve, and what is a host name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dns/domains.h"

static const char configured[] =
	"pypi.org\0*.npmjs.org\0Debian.ORG.\0*.Example.com.\0*\0*.\0.\0a*b.org";

static int set_up(void **state)
{
	static struct domains domains;

	domains_set(&domains, configured, sizeof(configured));
	*state = &domains;
	return 0;
}

static void a_configured_name_matches_itself_in_any_case(void **state)
{
	assert_true(domains_match(*state, "pypi.org"));
	assert_true(domains_match(*state, "PyPI.oRG"));
	assert_true(domains_match(*state, "debian.org"));
}

static void a_dot_at_the_end_means_nothing(void **state)
{
	assert_true(domains_match(*state, "pypi.org."));
	assert_true(domains_match(*state, "debian.org."));
	assert_true(domains_match(*state, "www.example.com."));
	assert_false(domains_match(*state, "pypi.org.."));
}

static void a_configured_name_matches_no_other(void **state)
{
	static const char *const others[] = {"", "org", "ypi.org", "pypi.or", "xpypi.org",
		"www.pypi.org", "pypi.org.evil.com", "pypi-org", "pypi\\046org", "pypi.org\\000"};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (domains_match(*state, others[i]))
			fail_msg("%s", others[i]);
}

static void a_star_matches_every_name_below_and_not_the_name_itself(void **state)
{
	assert_true(domains_match(*state, "registry.npmjs.org"));
	assert_true(domains_match(*state, "a.b.c.NPMjs.ORG"));
	assert_true(domains_match(*state, "www.example.COM"));
	assert_false(domains_match(*state, "npmjs.org"));
	assert_false(domains_match(*state, ".npmjs.org"));
	assert_false(domains_match(*state, "evilnpmjs.org"));
	assert_false(domains_match(*state, "registry.npmjs.org.evil.com"));
	assert_false(domains_match(*state, "registry-npmjs.org"));
}

static void a_star_alone_or_elsewhere_matches_nothing(void **state)
{
	assert_false(domains_match(*state, "evil.com"));
	assert_false(domains_match(*state, "axb.org"));
	assert_false(domains_match(*state, "x."));
}

static void without_a_configured_name_nothing_matches(void **state)
{
	static struct domains none;

	(void)state;
	domains_set(&none, "", 0);
	assert_false(domains_match(&none, "pypi.org"));
	assert_false(domains_match(&none, ""));
}

static void the_last_of_as_many_bytes_as_may_be_matches(void **state)
{
	static struct domains domains;
	static char names[NETWORK_DOMAINS_BYTES];

	(void)state;
	memset(names, 'x', sizeof(names));
	names[sizeof(names) - 7] = '\0';
	memcpy(names + sizeof(names) - 6, "a.org", 6);
	domains_set(&domains, names, sizeof(names));
	assert_true(domains_match(&domains, "a.org"));
	assert_false(domains_match(&domains, "b.org"));
}

static void host_names_are_letters_digits_hyphens_and_underscores(void **state)
{
	static const char *const right[] = {"a", "localhost", "a.b", "A-1_z.ORG", "_dmarc.pypi.org",
		"1.2.3.4", "xn--bcher-kva.example"};

	(void)state;
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
		if (!domains_is_host_name(right[i]))
			fail_msg("%s", right[i]);
	for (int byte = 1; byte < 256; byte++) {
		const char name[] = {'a', (char)byte, 'b', '.', 'c', '\0'};
		bool is_right = (byte < 128 && strchr("abcdefghijklmnopqrstuvwxyz"
						      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.",
						       byte));

		if (domains_is_host_name(name) != is_right)
			fail_msg("byte %d", byte);
	}
}

static void a_host_name_has_no_empty_label(void **state)
{
	static const char *const wrong[] = {"", ".", "a.", ".a", "a..b", "a.b."};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (domains_is_host_name(wrong[i]))
			fail_msg("%s", wrong[i]);
}

static void labels_and_host_names_have_a_longest(void **state)
{
	char name[300];

	(void)state;
	memset(name, 'x', sizeof(name));
	name[63] = '\0';
	assert_true(domains_is_host_name(name));
	name[63] = 'x';
	name[64] = '\0';
	assert_false(domains_is_host_name(name));
	memset(name, 'x', sizeof(name));
	for (int i = 63; i < 253; i += 64)
		name[i] = '.';
	name[DOMAINS_NAME_MAX] = '\0';
	assert_true(domains_is_host_name(name));
	name[DOMAINS_NAME_MAX] = 'x';
	name[DOMAINS_NAME_MAX + 1] = '\0';
	assert_false(domains_is_host_name(name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_configured_name_matches_itself_in_any_case),
		cmocka_unit_test(a_dot_at_the_end_means_nothing),
		cmocka_unit_test(a_configured_name_matches_no_other),
		cmocka_unit_test(a_star_matches_every_name_below_and_not_the_name_itself),
		cmocka_unit_test(a_star_alone_or_elsewhere_matches_nothing),
		cmocka_unit_test(without_a_configured_name_nothing_matches),
		cmocka_unit_test(the_last_of_as_many_bytes_as_may_be_matches),
		cmocka_unit_test(host_names_are_letters_digits_hyphens_and_underscores),
		cmocka_unit_test(a_host_name_has_no_empty_label),
		cmocka_unit_test(labels_and_host_names_have_a_longest),
	};

	return cmocka_run_group_tests_name("dns_domains", tests, set_up, NULL);
}
