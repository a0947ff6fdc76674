/* Who may ask: addresses and their uses, the allowance of queries, denials and the news of them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dns/sandboxes.h"

#define FIRST 0x0ad50001u /* an address */
#define RATE  20

static int set_up(void **state)
{
	static struct sandboxes sandboxes;

	memset(&sandboxes, 0, sizeof(sandboxes));
	sandboxes_init(&sandboxes);
	*state = &sandboxes;
	return sandboxes_set(&sandboxes, FIRST, NETWORK_DEFAULT, 1, 1000);
}

static struct sandbox *first(struct sandboxes *sandboxes)
{
	struct sandbox *sandbox = sandboxes_find(sandboxes, FIRST);

	assert_non_null(sandbox);
	return sandbox;
}

static void only_what_was_set_is_found(void **state)
{
	assert_int_equal(first(*state)->address, FIRST);
	assert_int_equal(first(*state)->profile, NETWORK_DEFAULT);
	assert_null(sandboxes_find(*state, FIRST + 1));
	assert_null(sandboxes_find(*state, FIRST + SANDBOXES_PLACES)); /* the same place */
	assert_null(sandboxes_find(*state, FIRST - 1));
	assert_null(sandboxes_find(*state, 0));
}

static void addresses_of_one_place_do_not_disturb_each_other(void **state)
{
	for (uint32_t i = 1; i < 50; i++)
		assert_int_equal(
			sandboxes_set(*state, FIRST + i * SANDBOXES_PLACES, NETWORK_ALLOW, i, 0),
			0);
	for (uint32_t i = 1; i < 50; i++)
		assert_int_equal(
			sandboxes_find(*state, FIRST + i * SANDBOXES_PLACES)->generation, i);
	assert_int_equal(first(*state)->generation, 1);
}

static void as_many_as_there_may_be_are_known_and_one_more_is_refused(void **state)
{
	for (uint32_t i = 1; i < SANDBOXES_MAX; i++)
		assert_int_equal(sandboxes_set(*state, FIRST + 3 * i, NETWORK_OPEN, 1, 0), 0);
	assert_int_equal(sandboxes_set(*state, FIRST + 1, NETWORK_OPEN, 1, 0), -ENOSPC);
	assert_null(sandboxes_find(*state, FIRST + 1));
	for (uint32_t i = 1; i < SANDBOXES_MAX; i++)
		assert_non_null(sandboxes_find(*state, FIRST + 3 * i));
	/* one that is known may change */
	assert_int_equal(sandboxes_set(*state, FIRST, NETWORK_NONE, 2, 0), 0);
	assert_int_equal(first(*state)->profile, NETWORK_NONE);
}

static unsigned taken(struct sandbox *sandbox, uint64_t now_ms, unsigned tries)
{
	unsigned n = 0;

	for (unsigned i = 0; i < tries; i++)
		n += sandbox_take_token(sandbox, RATE, now_ms);
	return n;
}

static void ten_seconds_queries_at_once_and_then_the_rate(void **state)
{
	struct sandbox *sandbox = first(*state);

	assert_int_equal(taken(sandbox, 1000, 1000), 10 * RATE);
	assert_int_equal(taken(sandbox, 1000 + 49, 1000), 0); /* a query is 50 ms */
	assert_int_equal(taken(sandbox, 1000 + 50, 1000), 1);
	assert_int_equal(taken(sandbox, 2050, 1000), RATE);
	assert_int_equal(taken(sandbox, 2050 + 9950, 1000), 10 * RATE - 1);
	assert_int_equal(taken(sandbox, 50000000, 1000), 10 * RATE); /* and never more */
}

static void looking_often_gives_no_more(void **state)
{
	struct sandbox *sandbox = first(*state);
	unsigned n = taken(sandbox, 1000, 1000);

	for (uint64_t now = 1000; now <= 11000; now++)
		n += taken(sandbox, now, 3);
	assert_int_equal(n, 10 * RATE + 10 * RATE);
}

static void a_rate_of_nothing_is_no_limit(void **state)
{
	for (int i = 0; i < 100000; i++)
		assert_true(sandbox_take_token(first(*state), 0, 1000));
}

static void the_greatest_rate_does_not_overflow(void **state)
{
	struct sandbox *sandbox = first(*state);

	assert_true(sandbox_take_token(sandbox, UINT32_MAX, 1000));
	assert_true(sandbox_take_token(sandbox, UINT32_MAX, 1000 + 9999));
	assert_true(sandbox_take_token(sandbox, UINT32_MAX, UINT64_MAX));
	assert_int_equal(sandbox->milli_tokens, UINT64_C(10000) * UINT32_MAX - 1000);
}

static void another_profile_of_the_same_use_forgets_nothing(void **state)
{
	struct sandbox *sandbox = first(*state);
	uint64_t use = sandbox->use;

	sandbox->in_flight = 3;
	assert_int_equal(taken(sandbox, 1000, 1000), 10 * RATE);
	assert_true(sandbox_is_news(sandbox, "evil.test", 1000));
	assert_int_equal(sandboxes_set(*state, FIRST, NETWORK_ALLOW, 1, 1000), 0);
	assert_int_equal(sandbox->profile, NETWORK_ALLOW);
	assert_int_equal(sandbox->use, use);
	assert_int_equal(sandbox->in_flight, 3);
	assert_int_equal(taken(sandbox, 1000, 1), 0);
	assert_false(sandbox_is_news(sandbox, "evil.test", 1000));
}

static void another_use_begins_anew(void **state)
{
	struct sandbox *sandbox = first(*state);
	uint64_t use = sandbox->use;
	uint32_t count;

	sandbox->in_flight = 3;
	taken(sandbox, 1000, 1000);
	sandboxes_add_denied(*state, sandbox, 5);
	assert_true(sandbox_is_news(sandbox, "evil.test", 1000));
	assert_int_equal(sandboxes_set(*state, FIRST, NETWORK_DEFAULT, 2, 1000), 0);
	assert_ptr_equal(first(*state), sandbox);
	assert_int_not_equal(sandbox->use, use);
	assert_int_equal(sandbox->in_flight, 0);
	assert_int_equal(taken(sandbox, 1000, 1000), 10 * RATE);
	assert_null(sandboxes_take_denied(*state, &count));
	assert_true(sandbox_is_news(sandbox, "evil.test", 1000));
}

static void an_old_generation_that_comes_back_is_another_use(void **state)
{
	uint64_t use = first(*state)->use;

	sandboxes_set(*state, FIRST, NETWORK_DEFAULT, 2, 1000);
	sandboxes_set(*state, FIRST, NETWORK_DEFAULT, 1, 1000);
	assert_int_equal(first(*state)->generation, 1);
	assert_int_not_equal(first(*state)->use, use);
}

static void denials_are_told_once_the_longest_waiting_first(void **state)
{
	struct sandbox *second;
	uint32_t count = 0;

	sandboxes_set(*state, FIRST + 1, NETWORK_DEFAULT, 1, 1000);
	second = sandboxes_find(*state, FIRST + 1);
	assert_null(sandboxes_take_denied(*state, &count));
	sandboxes_add_denied(*state, second, 1);
	sandboxes_add_denied(*state, first(*state), 1);
	sandboxes_add_denied(*state, second, 2);
	assert_ptr_equal(sandboxes_take_denied(*state, &count), second);
	assert_int_equal(count, 3);
	assert_ptr_equal(sandboxes_take_denied(*state, &count), first(*state));
	assert_int_equal(count, 1);
	assert_null(sandboxes_take_denied(*state, &count));
	sandboxes_add_denied(*state, second, 7);
	assert_ptr_equal(sandboxes_take_denied(*state, &count), second);
	assert_int_equal(count, 7);
}

static void the_count_of_denials_ends_at_its_greatest(void **state)
{
	uint32_t count = 0;

	sandboxes_add_denied(*state, first(*state), UINT32_MAX - 1);
	sandboxes_add_denied(*state, first(*state), 5);
	sandboxes_add_denied(*state, first(*state), 1);
	assert_ptr_equal(sandboxes_take_denied(*state, &count), first(*state));
	assert_int_equal(count, UINT32_MAX);
}

static void a_name_is_news_once_a_minute(void **state)
{
	struct sandbox *sandbox = first(*state);

	assert_true(sandbox_is_news(sandbox, "evil.test", 5000));
	assert_false(sandbox_is_news(sandbox, "evil.test", 5000));
	assert_true(sandbox_is_news(sandbox, "worse.test", 6000));
	assert_false(sandbox_is_news(sandbox, "evil.test", 64999));
	assert_true(sandbox_is_news(sandbox, "evil.test", 65000));
	assert_false(sandbox_is_news(sandbox, "evil.test", 124999));
	assert_false(sandbox_is_news(sandbox, "worse.test", 65999));
	assert_true(sandbox_is_news(sandbox, "worse.test", 66000));
}

static void so_many_names_are_news_and_those_that_are_known_stay_known(void **state)
{
	struct sandbox *sandbox = first(*state);
	unsigned news = 0;
	char name[32];

	for (int round = 0; round < 3; round++)
		for (int i = 0; i < 1000; i++) {
			snprintf(name, sizeof(name), "evil%d.test", i);
			news += sandbox_is_news(sandbox, name, 5000);
		}
	assert_int_equal(news, SANDBOX_NEWS_MAX);
	sandboxes_set(*state, FIRST + 1, NETWORK_DEFAULT, 1, 1000);
	assert_true(sandbox_is_news(sandboxes_find(*state, FIRST + 1), "evil999.test", 5000));
	assert_true(sandbox_is_news(sandbox, "evil999.test", 65000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(only_what_was_set_is_found, set_up),
		cmocka_unit_test_setup(addresses_of_one_place_do_not_disturb_each_other, set_up),
		cmocka_unit_test_setup(
			as_many_as_there_may_be_are_known_and_one_more_is_refused, set_up),
		cmocka_unit_test_setup(ten_seconds_queries_at_once_and_then_the_rate, set_up),
		cmocka_unit_test_setup(looking_often_gives_no_more, set_up),
		cmocka_unit_test_setup(a_rate_of_nothing_is_no_limit, set_up),
		cmocka_unit_test_setup(the_greatest_rate_does_not_overflow, set_up),
		cmocka_unit_test_setup(another_profile_of_the_same_use_forgets_nothing, set_up),
		cmocka_unit_test_setup(another_use_begins_anew, set_up),
		cmocka_unit_test_setup(an_old_generation_that_comes_back_is_another_use, set_up),
		cmocka_unit_test_setup(denials_are_told_once_the_longest_waiting_first, set_up),
		cmocka_unit_test_setup(the_count_of_denials_ends_at_its_greatest, set_up),
		cmocka_unit_test_setup(a_name_is_news_once_a_minute, set_up),
		cmocka_unit_test_setup(
			so_many_names_are_news_and_those_that_are_known_stay_known, set_up),
	};

	return cmocka_run_group_tests_name("dns_sandboxes", tests, NULL, NULL);
}
