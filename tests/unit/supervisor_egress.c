/* Address ranges, names and resolvers as people and the host write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "supervisor/egress.h"

#define IP(a, b, c, d) ((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))

static struct egress egress;
static struct error err;

static void a_range_is_an_address_and_a_prefix(void **state)
{
	static const struct {
		const char *text;
		struct network_cidr cidr;
	} cases[] = {
		{"0.0.0.0/0", {0, 0}},
		{"10.0.0.0/8", {IP(10, 0, 0, 0), 8}},
		{"10.213.0.0/16", {IP(10, 213, 0, 0), 16}},
		{"255.255.255.255/32", {UINT32_MAX, 32}},
		{"192.168.1.7", {IP(192, 168, 1, 7), 32}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct network_cidr cidr;
		char text[EGRESS_ADDRESS_MAX];

		assert_int_equal(egress_parse_cidr(cases[i].text, &cidr, &err), 0);
		assert_int_equal(cidr.address, cases[i].cidr.address);
		assert_int_equal(cidr.prefix, cases[i].cidr.prefix);
		egress_format_cidr(&cidr, text);
		assert_int_equal(strncmp(text, cases[i].text, strlen(cases[i].text)), 0);
	}
}

static void a_range_that_is_none_is_refused_with_what_is_wrong(void **state)
{
	static const struct {
		const char *text, *says;
	} wrong[] = {
		{"", "want an IPv4 address"},
		{"10.0.0/8", "'10.0.0': want an IPv4 address"},
		{"10.0.0.0/33", "'10.0.0.0/33': want a prefix from /0 to /32"},
		{"10.0.0.0/", "want a prefix"},
		{"10.0.0.0/-1", "want a prefix"},
		{"10.0.0.0/8/8", "want a prefix"},
		{"10.0.0.1/8", "has bits beyond its prefix: want 10.0.0.0/8"},
		{"1.2.3.4/0", "want 0.0.0.0/0"},
		{"256.0.0.0/8", "want an IPv4 address"},
		{"fd00::/8", "IPv6 is off in sandboxes"},
		{" 10.0.0.0/8", "want an IPv4 address"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct network_cidr cidr = {7, 7};

		assert_int_equal(egress_parse_cidr(wrong[i].text, &cidr, &err), -EINVAL);
		if (!strstr(err.text, wrong[i].says))
			fail_msg("'%s' is not in '%s'", wrong[i].says, err.text);
		assert_int_equal(cidr.address, 7);
	}
}

static void words_stand_between_blanks_and_commas(void **state)
{
	(void)state;
	assert_int_equal(egress_parse(" 10.1.0.0/16,10.2.0.0/16 ,\t10.3.0.3, ",
				 "PyPI.org *.npmjs.org,198.51.100.0/24 a_b.c-d.example",
				 "10.0.0.53 127.0.0.53", &egress, &err),
		0);
	assert_int_equal(egress.except_count, 3);
	assert_int_equal(egress.except[1].address, IP(10, 2, 0, 0));
	assert_int_equal(egress.except[2].prefix, 32);
	assert_int_equal(egress.allow_count, 1);
	assert_int_equal(egress.allow[0].address, IP(198, 51, 100, 0));
	assert_int_equal(egress.domain_count, 3);
	assert_int_equal(egress.domain_bytes, 9 + 12 + 16);
	assert_memory_equal(egress.domains, "pypi.org\0*.npmjs.org\0a_b.c-d.example", 37);
	assert_int_equal(egress.resolver_count, 2);
	assert_int_equal(egress.resolvers[0], IP(10, 0, 0, 53));
	assert_int_equal(egress_parse("", " , ", "", &egress, &err), 0);
	assert_int_equal(egress.except_count + egress.allow_count + egress.domain_count +
				 egress.resolver_count + egress.domain_bytes,
		0);
}

#define LABEL_63 "a23456789012345678901234567890123456789012345678901234567890123"

static void a_word_that_is_wrong_is_named_with_its_list(void **state)
{
	static const struct {
		const char *except, *allow, *resolvers, *says;
	} wrong[] = {
		{"10.0.0.0/8 x", "", "", "except: 'x': want an IPv4 address"},
		{"", "com", "", "allow: 'com': want an address range"},
		{"", "10.0.0.0/33", "", "allow: '10.0.0.0/33': want a prefix"},
		{"", "10.0.0", "", "allow: '10.0.0': want an IPv4 address"},
		{"", "pypi.org.", "", "'pypi.org.'"},
		{"", ".pypi.org", "", "'.pypi.org'"},
		{"", "a..b", "", "'a..b'"},
		{"", "-a.org", "", "'-a.org'"},
		{"", "a-.org", "", "'a-.org'"},
		{"", "*.org", "", "'*.org'"},
		{"", "a.*.org", "", "'a.*.org'"},
		{"", "https://pypi.org", "", "want an address range"},
		{"", "fd00::/8", "", "IPv6"},
		{"", LABEL_63 "4.org", "", "want an address range"},
		{"", LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_63, "", "want an address range"},
		{"", LABEL_63 LABEL_63 LABEL_63 LABEL_63 LABEL_63, "", "too long"},
		{"", "", "::1", "resolvers: '::1': IPv6 is off"},
		{"", "", "dns.example", "resolvers: 'dns.example'"},
		{"", "", "1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4", "more than 3 resolvers"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		assert_int_equal(egress_parse(wrong[i].except, wrong[i].allow, wrong[i].resolvers,
					 &egress, &err),
			-EINVAL);
		if (!strstr(err.text, wrong[i].says))
			fail_msg("'%s' is not in '%s'", wrong[i].says, err.text);
	}
	assert_int_equal(egress_parse("", LABEL_63 ".org", "", &egress, &err), 0);
}

/* NETWORK_CIDRS_MAX ranges, NETWORK_DOMAINS_MAX names, and one more of each. */
static void lists_have_a_longest_length(void **state)
{
	static char text[65536];
	size_t used = 0;

	(void)state;
	for (int i = 0; i < NETWORK_CIDRS_MAX; i++)
		used += (size_t)sprintf(text + used, "10.0.%d.0/24,", i);
	assert_int_equal(egress_parse(text, text, "", &egress, &err), 0);
	assert_int_equal(egress.allow_count, NETWORK_CIDRS_MAX);
	strcpy(text + used, "10.1.0.0/16");
	assert_int_equal(egress_parse(text, "", "", &egress, &err), -EINVAL);
	assert_non_null(strstr(err.text, "'10.1.0.0/16': more than 64 ranges"));
	used = 0;
	for (int i = 0; i < NETWORK_DOMAINS_MAX; i++)
		used += (size_t)sprintf(text + used, "d%d.example ", i);
	assert_int_equal(egress_parse("", text, "", &egress, &err), 0);
	strcpy(text + used, "x.example");
	assert_int_equal(egress_parse("", text, "", &egress, &err), -EINVAL);
	assert_non_null(strstr(err.text, "'x.example': more than 256 names or 8192 bytes"));
	used = 0;
	for (int i = 0; i < 100; i++)
		used += (size_t)sprintf(text + used, "%02d." LABEL_63 "." LABEL_63 " ", i);
	assert_int_equal(egress_parse("", text, "", &egress, &err), -EINVAL);
	assert_non_null(strstr(err.text, "more than 256 names or 8192 bytes"));
	assert_true(egress.domain_bytes <= NETWORK_DOMAINS_BYTES);
}

static void resolv_conf_gives_the_first_ipv4_nameservers(void **state)
{
	static const char text[] = "# nameserver 9.9.9.1\nsearch example\nnameserver\t9.9.9.2 # x\n"
				   "nameserver 2620:fe::fe\nnameserverx 9.9.9.3\nnameserver\n"
				   "nameserver  9.9.9.4\r\n nameserver 9.9.9.5\nnameserver 9.9.9.6";

	(void)state;
	egress = (struct egress){0};
	egress_find_resolvers(&egress, text);
	assert_int_equal(egress.resolver_count, 3);
	assert_int_equal(egress.resolvers[0], IP(9, 9, 9, 2));
	assert_int_equal(egress.resolvers[1], IP(9, 9, 9, 4));
	assert_int_equal(egress.resolvers[2], IP(9, 9, 9, 6));
	egress = (struct egress){.resolver_count = 1, .resolvers = {IP(1, 1, 1, 1)}};
	egress_find_resolvers(&egress, text);
	assert_int_equal(egress.resolver_count, 1); /* those that are configured stay alone */
	egress = (struct egress){0};
	egress_find_resolvers(&egress, "");
	egress_find_resolvers(&egress, "nameserver");
	egress_find_resolvers(&egress, "nameserver ");
	assert_int_equal(egress.resolver_count, 0);
}

#define ROUTES_HEAD "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\n"

static void a_route_into_the_range_is_found(void **state)
{
	static const struct network_cidr range = {IP(10, 213, 0, 0), 16};
	static const struct {
		const char *routes;
		const char *cidr; /* NULL: none */
	} cases[] = {
		{"", NULL},
		{ROUTES_HEAD, NULL},
		{ROUTES_HEAD "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\n", NULL},
		{ROUTES_HEAD "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\n", NULL},
		{ROUTES_HEAD "eth0\t0000D60A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\n", NULL},
		{ROUTES_HEAD "hth12345670\t0700D50A\t00000000\t0001\t0\t0\t0\tFFFFFFFF\t0\n", NULL},
		{ROUTES_HEAD "nonsense\nd0\t0700D50A\t00000000\t0001\t0\t0\t0\tFFFFFFFF\t0\n",
			"10.213.0.7/32"},
		{ROUTES_HEAD "d0\t0000000A\t00000000\t0001\t0\t0\t100\t000000FF\t0\n",
			"10.0.0.0/8"},
		{ROUTES_HEAD "d0\t0000D50A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\n",
			"10.213.0.0/16"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char link[16] = "", text[EGRESS_ADDRESS_MAX];
		struct network_cidr cidr;
		bool is_found = egress_find_route(cases[i].routes, &range, &cidr, link);

		assert_int_equal(is_found, cases[i].cidr != NULL);
		if (!is_found)
			continue;
		assert_string_equal(link, "d0");
		assert_string_equal(egress_format_cidr(&cidr, text), cases[i].cidr);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_range_is_an_address_and_a_prefix),
		cmocka_unit_test(a_range_that_is_none_is_refused_with_what_is_wrong),
		cmocka_unit_test(words_stand_between_blanks_and_commas),
		cmocka_unit_test(a_word_that_is_wrong_is_named_with_its_list),
		cmocka_unit_test(lists_have_a_longest_length),
		cmocka_unit_test(resolv_conf_gives_the_first_ipv4_nameservers),
		cmocka_unit_test(a_route_into_the_range_is_found),
	};

	return cmocka_run_group_tests_name("supervisor_egress", tests, NULL, NULL);
}
