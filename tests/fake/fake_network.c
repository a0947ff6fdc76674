/*
 * fake_network.c - a hearth-network without networks: it speaks network_link.h on fd 3 and pretends, without
 * root.
 *
 * A namespace is an open /dev/null. What it was asked so far is told by INSPECT: sent_bytes counts SLOTs,
 * received_bytes PROFILEs, denied_packets FLUSHes of all slots; denied_names
 * counts PROFILEs that are not fresh.
 * FAKE_NETWORK, words with a number each, says what goes wrong; messages count from 1:
 *
 *   die_at=N       exit at the N-th message       hang_at=N         never answer from the N-th message on
 *   wrong_at=N     answer the N-th with nonsense  fail_start=1      START fails
 *   fail_slots=N   the first N SLOTs fail         fail_profile_at=N the N-th PROFILE fails
 *   fail_flushes=N the first N FLUSHes fail       fail_inspects=N   the first N INSPECTs fail
 *   new_slots=N    the first N FLUSHes that do not fail replace the namespace
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "nsjail-lite/network/network_link.h"
#include "proto/channel.h"

#define LINK_FD 3

static unsigned die_at, hang_at, wrong_at;
static unsigned fail_start, fail_slots, fail_profile_at, fail_flushes, fail_inspects, new_slots;
static unsigned messages, slots, profiles, stale_profiles, flushes;
static uint32_t profile_of[JAIL_SLOTS_MAX];

static void parse(const char *text)
{
	const struct {
		const char *name;
		unsigned *value;
	} words[] = {
		{"die_at=", &die_at},
		{"hang_at=", &hang_at},
		{"wrong_at=", &wrong_at},
		{"fail_start=", &fail_start},
		{"fail_slots=", &fail_slots},
		{"fail_profile_at=", &fail_profile_at},
		{"fail_flushes=", &fail_flushes},
		{"fail_inspects=", &fail_inspects},
		{"new_slots=", &new_slots},
	};

	for (size_t i = 0; text && i < ARRAY_SIZE(words); i++) {
		const char *found = strstr(text, words[i].name);

		if (found)
			*words[i].value =
				(unsigned)strtoul(found + strlen(words[i].name), NULL, 10);
	}
}

static void say(const void *message, size_t size, int fd)
{
	if (channel_send(LINK_FD, message, size, NULL, 0, &fd, fd >= 0 ? 1 : 0) < 0)
		_exit(0);
}

static void done(uint16_t type, uint32_t id, uint32_t of_slot, bool is_new, int fd)
{
	struct network_done m = {.slot = of_slot, .is_new = is_new};

	network_header(&m.header, type, sizeof(m), id);
	say(&m, sizeof(m), fd);
}

static void fail(uint32_t id, const char *why)
{
	struct network_failed m = {.error = EIO};

	network_header(&m.header, NETWORK_FAILED, sizeof(m), id);
	snprintf(m.text, sizeof(m.text), "%s", why);
	say(&m, sizeof(m), -1);
}

/* True once for each of the first `left`. */
static bool takes_one(unsigned *left)
{
	bool is_one = *left > 0;

	*left -= is_one;
	return is_one;
}

static void on_start(uint32_t id)
{
	if (fail_start) {
		fail(id, "pretended: no nftables");
		_exit(1);
	}
	done(NETWORK_STARTED, id, 0, false, -1);
}

static void on_slot(const struct network_slot *m)
{
	auto_close int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	slots++;
	if (takes_one(&fail_slots))
		fail(m->header.id, "pretended: no veth");
	else
		done(NETWORK_SLOT_READY, m->header.id, m->slot, false, fd);
}

static void on_profile(const struct network_set_profile *m)
{
	profiles++;
	stale_profiles += !m->is_fresh;
	if (profiles == fail_profile_at) {
		fail(m->header.id, "pretended: no map");
		return;
	}
	profile_of[m->slot] = m->profile;
	done(NETWORK_PROFILE_SET, m->header.id, m->slot, false, -1);
}

static void on_flush(const struct network_slot *m)
{
	if (takes_one(&fail_flushes)) {
		fail(m->header.id, "pretended: no conntrack");
		return;
	}
	flushes++;
	done(NETWORK_FLUSHED, m->header.id, m->slot, takes_one(&new_slots), -1);
}

static void on_inspect(const struct network_slot *request)
{
	struct network_state m = {.slot = request->slot,
		.profile = profile_of[request->slot],
		.connections = 5,
		.sent_bytes = slots,
		.received_bytes = profiles,
		.denied_packets = flushes,
		.denied_names = stale_profiles};

	if (takes_one(&fail_inspects)) {
		fail(request->header.id, "pretended: no counters");
		return;
	}
	network_header(&m.header, NETWORK_STATE, sizeof(m), request->header.id);
	say(&m, sizeof(m), -1);
}

static void on_message(void)
{
	static _Alignas(8) char packet[NETWORK_PACKET_MAX];
	const struct message_header *h = (const void *)packet;
	int fds[CHANNEL_FDS_MAX];
	size_t count = 0;

	if (channel_receive(LINK_FD, packet, sizeof(packet), fds, &count) <= 0)
		_exit(0);
	channel_close_fds(fds, count);
	messages++;
	if (messages == die_at)
		_exit(1);
	if (messages == hang_at)
		for (;;)
			pause();
	if (messages == wrong_at)
		done(NETWORK_FLUSHED, h->id + 1000, 0, false, -1);
	else if (h->type == NETWORK_START)
		on_start(h->id);
	else if (h->type == NETWORK_SLOT)
		on_slot((const void *)packet);
	else if (h->type == NETWORK_PROFILE)
		on_profile((const void *)packet);
	else if (h->type == NETWORK_FLUSH)
		on_flush((const void *)packet);
	else if (h->type == NETWORK_INSPECT)
		on_inspect((const void *)packet);
}

int main(void)
{
	parse(getenv("FAKE_NETWORK"));
	for (;;)
		on_message();
}
