/*
 * Every step of making and of cleaning slots fails in turn (--wrap): once, not done; once, done but said to have
 * failed; and from there on all. Whatever fails, nothing half made stays, and what is said to be clean is.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <netlink/cache.h>
#include <netlink/errno.h>
#include <netlink/route/addr.h>
#include <netlink/route/route.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "nsjail-lite/network/links.h"
#include "nsjail-lite/network/netlink.h"
#include "nsjail-lite/network/network.h"
#include "nsjail-lite/network/rules.h"
#include "tests/system/network_world.h"

#define SLOTS	  3
#define STEPS_MAX 200 /* more than there are */

enum kind { NOT_DONE, DONE, ALL_FROM_THERE, KINDS };

static enum kind kind;
static int faulty = -1, step;
static bool has_no_filter; /* as a kernel that cannot delete connections by a filter */

union answer {
	struct message_header header;
	struct network_done done;
	struct network_failed failed;
};

static struct network_start config;
static struct links *links;
static struct error err;

/* Whether the call before which it stands is to fail. */
static bool fails(void)
{
	int now = step++;

	return faulty >= 0 && (kind == ALL_FROM_THERE ? now >= faulty : now == faulty);
}

static void arm(enum kind which, int nth)
{
	kind = which;
	faulty = nth;
	step = 0;
}

/* Returns whether anything has failed. */
static bool disarm(void)
{
	bool has_failed = step > faulty;

	faulty = -1;
	return has_failed;
}

int __real_netlink_exchange(int fd, struct netlink_batch *batch, netlink_callback *callback,
	void *arg, struct error *e);
int __wrap_netlink_exchange(int fd, struct netlink_batch *batch, netlink_callback *callback,
	void *arg, struct error *e);
int __wrap_netlink_exchange(
	int fd, struct netlink_batch *batch, netlink_callback *callback, void *arg, struct error *e)
{
	bool is_faulty = fails();

	if (has_no_filter && batch->count && strcmp(batch->what[0], "forget connections") == 0)
		return error_set(e, EINVAL, "no filter");
	if (is_faulty && kind == DONE)
		__real_netlink_exchange(fd, batch, callback, arg, e);
	return is_faulty ? error_set(e, EIO, "injected")
			 : __real_netlink_exchange(fd, batch, callback, arg, e);
}

/* A call that is not done when it fails. netlink.c's own calls of one another are not wrapped. */
#define WRAP(type, name, parameters, arguments, failure)                                           \
	type __real_##name parameters;                                                             \
	type __wrap_##name parameters;                                                             \
	type __wrap_##name parameters                                                              \
	{                                                                                          \
		errno = EIO;                                                                       \
		return fails() ? (failure) : __real_##name arguments;                              \
	}

WRAP(int, netlink_purge,
	(int fd, struct netlink_batch *dump, netlink_callback *callback,
		struct netlink_batch *deletions, struct error *e),
	(fd, dump, callback, deletions, e), error_set(e, EIO, "injected"))
WRAP(int, netlink_open, (int protocol, struct error *e), (protocol, e),
	error_set(e, EIO, "injected"))
WRAP(int, file_write_at, (int dirfd, const char *name, const char *text, struct error *e),
	(dirfd, name, text, e), error_set(e, EIO, "injected"))
WRAP(int, file_replace_at,
	(int dirfd, const char *name, const void *data, size_t size, mode_t mode, struct error *e),
	(dirfd, name, data, size, mode, e), error_set(e, EIO, "injected"))
WRAP(int, unshare, (int flags), (flags), -1)
WRAP(unsigned, if_nametoindex, (const char *name), (name), 0)
WRAP(void *, calloc, (size_t count, size_t size), (count, size), NULL)
WRAP(int, rtnl_addr_add, (struct nl_sock * s, struct rtnl_addr *a, int flags), (s, a, flags),
	-NLE_FAILURE)
WRAP(int, rtnl_route_alloc_cache, (struct nl_sock * s, int family, int flags, struct nl_cache **c),
	(s, family, flags, c), -NLE_FAILURE)

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
	long a[5];
	va_list ap;

	va_start(ap, number);
	for (size_t i = 0; i < ARRAY_SIZE(a); i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	errno = EIO;
	return fails() ? -1 : __real_syscall(number, a[0], a[1], a[2], a[3], a[4]);
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	errno = EIO;
	return fails() ? -1 : __real_open(path, flags, 0644);
}

static uint32_t address(uint32_t slot)
{
	return network_slot_address(&config, slot);
}

static bool is_reached(int netns, uint32_t from)
{
	auto_close int server = world_bound(world_host, SOCK_DGRAM, config.gateway, WORLD_PORT);
	auto_close int client = world_bound(netns, SOCK_DGRAM, from, WORLD_PORT);

	world_send(client, config.gateway, WORLD_PORT, "question");
	return world_arrives(server, "question", WORLD_LATER_MS);
}

static uint32_t connections(uint32_t slot)
{
	struct links_counts counts;

	assert_int_equal(links_count(links, slot, &counts, &err), 0);
	return counts.connections;
}

static int set_up(void **state)
{
	world_set_up(state);
	world_config(&config, 0);
	config.slot_count = SLOTS;
	config.gateway = address(SLOTS);
	world_track_connections();
	return 0;
}

static void nothing_is_left(int fds)
{
	assert_int_equal(fd_count_open(), fds);
	assert_true(world_shows("sysctl -n net.ipv4.ip_forward", "0"));
	assert_false(world_shows("ip addr", "10.213."));
	assert_false(world_shows("cat /run/hearth-forwarding 2>&1", config.instance));
	assert_true(world_has_gone("ip link", "hth"));
}

static bool opening_fails(enum kind which, int nth)
{
	int fds = fd_count_open(), r;
	bool has_failed;

	arm(which, nth);
	r = links_open(&config, &links, &err);
	has_failed = disarm();
	assert_int_equal(r < 0, has_failed);
	if (r == 0)
		links_close(links);
	else if (which == ALL_FROM_THERE)
		links_recover(config.instance, NULL); /* nor could it undo anything */
	nothing_is_left(fds);
	return has_failed;
}

/* A try that fails once is made up for; a slot that fails for good can be made later. */
static bool making_fails(enum kind which, int nth)
{
	int fds = fd_count_open(), netns = -1, r;
	bool has_failed;

	assert_int_equal(links_open(&config, &links, &err), 0);
	arm(which, nth);
	r = links_slot(links, 0, &netns, &err);
	has_failed = disarm();
	assert_int_equal(r < 0, has_failed && which == ALL_FROM_THERE);
	if (r < 0)
		assert_true(world_has_gone("ip link", "hth"));
	assert_int_equal(links_slot(links, 0, &netns, &err), 0);
	assert_true(is_reached(netns, address(0)));
	links_close(links);
	nothing_is_left(fds);
	return has_failed;
}

/* What cannot be cleaned is told, or the namespace is another; what is tracked is forgotten or it is told. */
static bool cleaning_fails(enum kind which, int nth)
{
	struct links_counts counts;
	bool has_failed, is_new = false;
	int netns, r;

	assert_int_equal(links_slot(links, 0, &netns, &err), 0);
	assert_true(is_reached(netns, address(0)));
	arm(which, nth);
	r = links_clean(links, 0, &is_new, &err);
	has_failed = disarm();
	assert_int_equal(r < 0 || is_new, has_failed);
	if (r < 0)
		assert_int_equal(links_clean(links, 0, &is_new, &err), 0);
	assert_int_equal(links_slot(links, 0, &netns, &err), 0);
	assert_int_equal(links_count(links, 0, &counts, &err), 0);
	assert_int_equal(counts.connections, 0);
	assert_int_equal(counts.sent_bytes, 0);
	return has_failed;
}

static void each_step_fails(bool (*try)(enum kind which, int nth), const char *what)
{
	for (enum kind which = 0; which < KINDS; which++) {
		int n = 0;

		while (n < STEPS_MAX && try(which, n))
			n++;
		assert_in_range(n, 3, STEPS_MAX - 1);
		print_message("# %s: %d steps\n", what, n);
	}
}

static void a_start_that_fails_leaves_nothing(void **state)
{
	(void)state;
	each_step_fails(opening_fails, "opening");
}

static void no_slot_is_left_half_made(void **state)
{
	(void)state;
	each_step_fails(making_fails, "making");
}

static void what_is_handed_on_is_clean(void **state)
{
	(void)state;
	assert_int_equal(links_open(&config, &links, &err), 0);
	each_step_fails(cleaning_fails, "cleaning");
	links_close(links);
}

static void a_kernel_without_that_filter_forgets_them_one_by_one(void **state)
{
	int netns, clients[2];

	(void)state;
	assert_int_equal(links_open(&config, &links, &err), 0);
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(links_slot(links, i, &netns, &err), 0);
		clients[i] = world_bound(netns, SOCK_DGRAM, address(i), WORLD_PORT);
		for (uint16_t port = 1; port <= 1000; port++)
			world_send(clients[i], config.gateway, port, "x");
		WORLD_AWAIT(connections(i) == 1000);
		close(clients[i]);
	}
	has_no_filter = true;
	assert_int_equal(links_forget_connections(links, 0, &err), 0);
	has_no_filter = false;
	assert_int_equal(connections(0), 0);
	assert_int_equal(connections(1), 1000);
	links_close(links);
}

static void it_ends_although_the_sandbox_begins_others_meanwhile(void **state)
{
	auto_close int client = -1;
	int netns, r;
	pid_t flood;

	(void)state;
	assert_int_equal(links_open(&config, &links, &err), 0);
	assert_int_equal(links_slot(links, 0, &netns, &err), 0);
	client = world_bound(netns, SOCK_DGRAM, address(0), WORLD_PORT);
	flood = world_flood(client, config.gateway);
	WORLD_AWAIT(connections(0) > NETLINK_MESSAGES_MAX);
	has_no_filter = true;
	r = links_forget_connections(links, 0, &err);
	has_no_filter = false;
	world_end_flood(flood);
	links_close(links);
	assert_int_equal(r, 0);
}

/* hearth-dns, as requests.c knows it, hears of nothing here. */
void dns_child_set(struct network *n, uint32_t slot)
{
	(void)n;
	(void)slot;
}

/* What PROFILE for slot 0, which has been in use, is answered. */
static union answer set_profile(struct network *n, int client, enum network_profile profile)
{
	struct network_set_profile m = {.profile = profile};
	union answer answer;

	network_header(&m.header, NETWORK_PROFILE, sizeof(m), 1);
	assert_int_equal(request_serve(n, &m.header, &err), 0);
	assert_true(recv(client, &answer, sizeof(answer), 0) > 0);
	return answer;
}

static uint64_t denied(const struct network *n)
{
	uint64_t packets = 0;

	assert_int_equal(rules_denied(n->rules, address(0), &packets, &err), 0);
	return packets;
}

static bool passes(const struct network *n, int from)
{
	uint32_t to = world_address("5.5.5.5");
	auto_close int outside = world_bound(world_outside, SOCK_DGRAM, to, WORLD_PORT);
	uint64_t before = denied(n);
	bool has_arrived;

	world_send(from, to, WORLD_PORT, "outward");
	WORLD_AWAIT((has_arrived = world_arrives(outside, "outward", 0)) || denied(n) > before);
	return has_arrived;
}

static void a_profile_whose_old_connections_stay_is_none_until_it_is_asked_for_again(void **state)
{
	struct slot_state slots[SLOTS] = {0};
	struct network n = {.config = &config, .slots = slots};
	auto_close int client = -1, from = -1;
	int netns, ends[2];
	union answer answer;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	n.link_fd = ends[0];
	client = ends[1];
	assert_int_equal(rules_open(&config, &n.rules, &err), 0);
	assert_int_equal(links_open(&config, &n.links, &err), 0);
	assert_int_equal(links_slot(n.links, 0, &netns, &err), 0);
	from = world_bound(netns, SOCK_DGRAM, address(0), WORLD_PORT);
	answer = set_profile(&n, client, NETWORK_OPEN);
	assert_int_equal(answer.header.type, NETWORK_PROFILE_SET);
	assert_true(passes(&n, from));

	arm(NOT_DONE, 0);
	answer = set_profile(&n, client, NETWORK_DEFAULT);
	assert_true(disarm());
	assert_int_equal(answer.header.type, NETWORK_FAILED);
	assert_non_null(strstr(answer.failed.text, "injected"));
	assert_false(passes(&n, from));

	answer = set_profile(&n, client, NETWORK_DEFAULT);
	assert_int_equal(answer.header.type, NETWORK_PROFILE_SET);
	assert_true(passes(&n, from));
	links_close(n.links);
	rules_close(n.rules);
	close(n.link_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_start_that_fails_leaves_nothing),
		cmocka_unit_test(no_slot_is_left_half_made),
		cmocka_unit_test(what_is_handed_on_is_clean),
		cmocka_unit_test(a_kernel_without_that_filter_forgets_them_one_by_one),
		cmocka_unit_test(it_ends_although_the_sandbox_begins_others_meanwhile),
		cmocka_unit_test(
			a_profile_whose_old_connections_stay_is_none_until_it_is_asked_for_again),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
