/* What a client may ask of a lease's network: NET and INSPECT, who may, and what comes of those who leave. */
#include "tests/unit/supervisor_world.h"

#include <signal.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "pool/pool.h"
#include "supervisor/client.h"
#include "supervisor/network.h"
#include "supervisor/sandbox.h"

#define ONE_BUILDER "[instance]\nbuilders = 1\n"
#define PLAIN	    ONE_BUILDER "[pool \"tiny\"]\nmin = 2\nmax = 4\n"
#define POOL(size)  "[pool \"tiny\"]\nnet = default\nbuild_concurrency = 1\n" size
#define SINGLE	    ONE_BUILDER POOL("min = 1\nmax = 1\n")

static void net_is_refused_where_it_cannot_be(void **state)
{
	struct world *w = world_open_network(SINGLE, NULL, "fail_profile_at=2");
	int client = world_connect(w);
	struct answer a = world_lease(w, client);
	struct control_handle other = {a.leased.handle.sandbox + 1, a.leased.handle.epoch};

	(void)state;
	world_net(client, 3, &a.leased.handle, "wide");
	world_expect_refused(w, client, 3, REFUSED_UNSUPPORTED, "there are: none, default, allow");
	world_net(client, 4, &other, "allow");
	world_expect_refused(w, client, 4, REFUSED_STALE, "leased to nobody");
	world_net(client, 5, &a.leased.handle, "allow");
	world_expect_refused(w, client, 5, REFUSED_BROKEN, "pretended: no map");
	assert_string_equal(world_inspect(w, client, &a.leased.handle).net, "default");
	world_net(client, 6, &a.leased.handle, "none");
	world_expect(w, client, CONTROL_DONE, 6);
	assert_string_equal(world_inspect(w, client, &a.leased.handle).net, "none");
	close(a.fd);
	close(client);
	world_close(w);
}

static void without_networks_none_is_all_that_can_be_had(void **state)
{
	struct world *w = world_open(PLAIN, NULL);
	int client = world_connect(w);
	struct answer a = world_lease(w, client);
	struct control_sandbox_details d;

	(void)state;
	world_net(client, 3, &a.leased.handle, "none");
	world_expect(w, client, CONTROL_DONE, 3);
	world_net(client, 4, &a.leased.handle, "allow");
	world_expect_refused(w, client, 4, REFUSED_UNSUPPORTED, "[network] enabled = yes");
	d = world_inspect(w, client, &a.leased.handle);
	assert_string_equal(d.net, "none");
	assert_int_equal(d.connections_max, 0);
	assert_int_equal(d.connections, 0);
	close(a.fd);
	close(client);
	world_close(w);
}

static void another_users_lease_is_for_root_only(void **state)
{
	struct world *w = world_open(PLAIN, NULL);
	int owner = world_connect(w), other = world_connect(w);
	struct answer a = world_lease(w, owner), b = world_lease(w, other);
	struct client *owners = sandbox_find(w->supervisor, a.leased.handle.sandbox)->owner;
	struct client *others = sandbox_find(w->supervisor, b.leased.handle.sandbox)->owner;

	(void)state;
	owners->peer.uid = geteuid() + 1;
	others->role = ROLE_USER;
	world_net(other, 7, &a.leased.handle, "none");
	world_expect_refused(w, other, 7, REFUSED_DENIED, "is leased to uid");
	world_lease_request(other, CONTROL_INSPECT, 8, &a.leased.handle);
	world_expect_refused(w, other, 8, REFUSED_DENIED, "is leased to uid");
	others->role = ROLE_ROOT;
	world_net(other, 9, &a.leased.handle, "none");
	world_expect(w, other, CONTROL_DONE, 9);
	assert_int_equal(world_inspect(w, other, &a.leased.handle).owner_uid, geteuid() + 1);
	close(a.fd);
	close(b.fd);
	close(owner);
	close(other);
	world_close(w);
}

static void open_is_for_root_or_for_pools_that_have_it(void **state)
{
	static const struct {
		enum role role;
		const char *config;
		bool may;
	} cases[] = {
		{ROLE_USER, SINGLE, false},
		{ROLE_ROOT, SINGLE, true},
		{ROLE_USER, ONE_BUILDER "[pool \"tiny\"]\nnet = open\nmin = 1\nmax = 2\n", true},
	};
	static const struct control_acquire own = {.net = "open", .hostname = "box-2"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct world *w = world_open(cases[i].config, NULL);
		int client = world_connect(w);
		struct answer a = world_lease(w, client);
		struct sandbox *sandbox = sandbox_find(w->supervisor, a.leased.handle.sandbox);

		sandbox->owner->role = cases[i].role;
		world_net(client, 2, &a.leased.handle, "allow");
		world_expect(w, client, CONTROL_DONE, 2);
		world_net(client, 3, &a.leased.handle, "open");
		if (cases[i].may)
			world_expect(w, client, CONTROL_DONE, 3);
		else
			world_expect_refused(w, client, 3, REFUSED_DENIED,
				"network profile open is for root, or for pools that have it");
		world_lease_request(client, CONTROL_RELEASE, 4, &a.leased.handle);
		world_expect(w, client, CONTROL_DONE, 4);
		close(a.fd);
		world_acquire_own(client, 5, &own);
		if (cases[i].may) {
			a = world_expect(w, client, CONTROL_LEASED, 5);
			assert_string_equal(a.leased.net, "open");
			close(a.fd);
		} else {
			world_expect_refused(w, client, 5, REFUSED_DENIED,
				"network profile open is for root, or for pools that have it");
		}
		close(client);
		world_close(w);
	}
}

static void inspect_shows_limits_caps_and_counters(void **state)
{
	struct world *w = world_open("[network]\nconnections = 7\nconnections_per_second = 8\n"
				     "names_per_second = 9\nbandwidth = 1M\n" ONE_BUILDER POOL(
					     "min = 2\nmax = 2\nmemory = 64M\npids = 9\n"
					     "cpus = 1.5\nhostname = box\n"),
		NULL);
	int client = world_connect(w);
	struct control_sandbox_details d;
	struct control_handle ready;
	struct answer a;

	(void)state;
	world_until_ready(w, 2);
	a = world_lease(w, client);
	d = world_inspect(w, client, &a.leased.handle);
	assert_string_equal(d.template_name, "tiny");
	assert_string_equal(d.hostname, "box");
	assert_string_equal(d.workspace, "");
	assert_int_equal(d.state, SANDBOX_LEASED);
	assert_int_equal(d.owner_pid, getpid());
	assert_int_equal(d.memory_bytes, 64 << 20);
	assert_int_equal(d.disk_bytes, 32 << 20);
	assert_int_equal(d.pids, 9);
	assert_int_equal(d.cpu_milli, 1500);
	assert_int_equal(d.connections_max, 7);
	assert_int_equal(d.new_per_second_max, 8);
	assert_int_equal(d.names_per_second_max, 9);
	assert_int_equal(d.bytes_per_second_max, 1 << 20);
	assert_int_equal(d.connections, 5);
	ready = (struct control_handle){3 - a.leased.handle.sandbox, a.leased.handle.epoch};
	d = world_inspect(w, client, &ready); /* which nobody has */
	assert_int_equal(d.state, SANDBOX_READY);
	assert_int_equal(d.owner_pid, 0);
	ready.epoch++;
	world_lease_request(client, CONTROL_INSPECT, 3, &ready);
	world_expect_refused(w, client, 3, REFUSED_STALE, "there is no sandbox");
	close(a.fd);
	close(client);
	world_close(w);
}

static void counters_that_cannot_be_read_are_told(void **state)
{
	struct world *w = world_open_network(SINGLE, NULL, "fail_inspects=1");
	int client = world_connect(w);
	struct answer a = world_lease(w, client);

	(void)state;
	world_lease_request(client, CONTROL_INSPECT, 3, &a.leased.handle);
	world_expect_refused(w, client, 3, REFUSED_BROKEN, "pretended: no counters");
	world_inspect(w, client, &a.leased.handle);
	close(a.fd);
	close(client);
	world_close(w);
}

static void who_leaves_before_hearth_network_answers_is_forgotten(void **state)
{
	struct world *w = world_open(SINGLE, NULL);
	int client = world_connect(w), other = world_connect(w);
	struct answer a = world_lease(w, other);

	(void)state;
	kill(w->network, SIGSTOP);
	world_net(client, 3, &a.leased.handle, "allow");
	world_lease_request(client, CONTROL_INSPECT, 4, &a.leased.handle);
	world_turns(w);
	close(client);
	world_turns(w);
	kill(w->network, SIGCONT);
	assert_string_equal(world_inspect(w, other, &a.leased.handle).net, "allow");
	close(a.fd);
	close(other);
	world_close(w);
}

static void a_sandbox_that_ends_before_its_counters_come_is_gone(void **state)
{
	struct world *w = world_open(SINGLE, NULL);
	int owner = world_connect(w), other = world_connect(w);
	struct answer a = world_lease(w, owner);

	(void)state;
	kill(w->network, SIGSTOP);
	world_lease_request(other, CONTROL_INSPECT, 4, &a.leased.handle);
	world_turns(w);
	world_release(w, owner, &a);
	kill(w->network, SIGCONT);
	world_expect_refused(w, other, 4, REFUSED_STALE, "there is no sandbox");
	close(owner);
	close(other);
	world_close(w);
}

/* So many INSPECTs, with the ids from first on. */
static void ask_often(struct world *w, int client, uint32_t first, uint32_t count,
	const struct control_handle *handle)
{
	for (uint32_t i = 0; i < count; i++) {
		world_lease_request(client, CONTROL_INSPECT, first + i, handle);
		event_base_loop(w->supervisor->events, EVLOOP_NONBLOCK);
	}
}

static void requests_that_wait_for_hearth_network_have_a_cap_per_connection(void **state)
{
	struct world *w = world_open(SINGLE, NULL);
	int client = world_connect(w), other = world_connect(w);
	struct answer a = world_lease(w, client);
	const uint32_t last = NETWORK_REQUESTS_PER_CLIENT + 1;

	(void)state;
	kill(w->network, SIGSTOP);
	ask_often(w, client, 1, last, &a.leased.handle);
	world_expect_refused(w, client, last, REFUSED_LIMIT, "wait for hearth-network already");
	world_net(client, 90, &a.leased.handle, "none");
	world_expect_refused(w, client, 90, REFUSED_LIMIT, "8 requests of this connection");
	ask_often(w, other, 1, 1, &a.leased.handle);
	kill(w->network, SIGCONT);
	world_expect(w, other, CONTROL_SANDBOX_DETAILS, 1);
	for (uint32_t id = 1; id < last; id++)
		world_expect(w, client, CONTROL_SANDBOX_DETAILS, id);
	for (uint32_t i = 0; i < last; i++) /* each answer makes room */
		world_inspect(w, client, &a.leased.handle);
	close(a.fd);
	close(client);
	close(other);
	world_close(w);
}

static void requests_that_wait_for_hearth_network_have_a_cap_in_all(void **state)
{
	enum { CLIENTS = NETWORK_CLIENT_REQUESTS_MAX / NETWORK_REQUESTS_PER_CLIENT };
	struct world *w = world_open(SINGLE, NULL);
	int clients[CLIENTS], client = world_connect(w);
	struct answer a = world_lease(w, client);

	(void)state;
	kill(w->network, SIGSTOP);
	for (int i = 0; i < CLIENTS; i++) {
		clients[i] = world_connect(w);
		ask_often(w, clients[i], 1, NETWORK_REQUESTS_PER_CLIENT, &a.leased.handle);
	}
	world_turns(w);
	ask_often(w, client, 2, 1, &a.leased.handle);
	world_expect_refused(w, client, 2, REFUSED_LIMIT, "or 64 in all");
	for (int i = 1; i < CLIENTS; i++)
		close(clients[i]); /* what was asked is under way all the same */
	world_turns(w);
	ask_often(w, client, 3, 1, &a.leased.handle);
	world_expect_refused(w, client, 3, REFUSED_LIMIT, "or 64 in all");
	kill(w->network, SIGCONT);
	for (uint32_t id = 1; id <= NETWORK_REQUESTS_PER_CLIENT; id++)
		world_expect(w, clients[0], CONTROL_SANDBOX_DETAILS, id);
	world_turns(w);
	world_inspect(w, client, &a.leased.handle);
	close(a.fd);
	close(clients[0]);
	close(client);
	world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(net_is_refused_where_it_cannot_be),
		cmocka_unit_test(without_networks_none_is_all_that_can_be_had),
		cmocka_unit_test(another_users_lease_is_for_root_only),
		cmocka_unit_test(open_is_for_root_or_for_pools_that_have_it),
		cmocka_unit_test(inspect_shows_limits_caps_and_counters),
		cmocka_unit_test(counters_that_cannot_be_read_are_told),
		cmocka_unit_test(who_leaves_before_hearth_network_answers_is_forgotten),
		cmocka_unit_test(a_sandbox_that_ends_before_its_counters_come_is_gone),
		cmocka_unit_test(requests_that_wait_for_hearth_network_have_a_cap_per_connection),
		cmocka_unit_test(requests_that_wait_for_hearth_network_have_a_cap_in_all),
	};

	return cmocka_run_group_tests_name("supervisor_requests_net", tests, NULL, NULL);
}
