/* requests.c - what the supervisor asks for: one request, one answer, in order. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "nsjail-lite/network/links.h"
#include "nsjail-lite/network/network.h"
#include "nsjail-lite/network/rules.h"
#include "proto/channel.h"

static int answer(
	struct network *n, const void *message, size_t size, const int *fd, struct error *err)
{
	int r = channel_send(n->link_fd, message, size, NULL, 0, fd, fd ? 1 : 0);

	return r < 0 ? error_set(err, -r, "link: %s", strerror(-r)) : 0;
}

int request_answer_failed(
	struct network *n, uint32_t id, const struct error *failure, struct error *err)
{
	struct network_failed m = {.error = (uint32_t)failure->code};

	network_header(&m.header, NETWORK_FAILED, sizeof(m), id);
	snprintf(m.text, sizeof(m.text), "%.*s", (int)sizeof(m.text) - 1, failure->text);
	return answer(n, &m, sizeof(m), NULL, err);
}

int request_answer_done(struct network *n, const struct network_done *done, uint16_t type,
	uint32_t id, int fd, struct error *err)
{
	struct network_done m = *done;

	network_header(&m.header, type, sizeof(m), id);
	return answer(n, &m, sizeof(m), fd >= 0 ? &fd : NULL, err);
}

/*
 * The rules first: between them and conntrack's forgetting, what was allowed goes on for a moment; the other way
 * round it would be remembered anew. To forget, conntrack looks through its whole table, which is not on the way of
 * a lease whose sandbox is fresh. What cannot be done leaves the slot without a network, or to be asked again.
 */
static int set_profile(
	struct network *n, uint32_t slot, uint32_t profile, bool is_fresh, struct error *err)
{
	char link[16];
	int r;

	if (n->slots[slot].profile == profile)
		return 0;
	links_name(n->links, slot, link);
	r = rules_set_profile(n->rules, link, network_slot_address(n->config, slot), profile, err);
	if (r < 0)
		return r;
	n->slots[slot].profile = profile;
	dns_child_set(n, slot);
	r = is_fresh ? 0 : links_forget_connections(n->links, slot, err);
	if (r == 0)
		return 0;
	rules_set_profile(
		n->rules, link, network_slot_address(n->config, slot), NETWORK_NONE, NULL);
	n->slots[slot].profile = NETWORK_NONE;
	dns_child_set(n, slot);
	n->slots[slot].profile = 0; /* so that it is done anew when it is asked again */
	return r;
}

/* A new namespace has a link that the rules do not know: of another name, when it is not the slot's first. */
static int follow_link(struct network *n, uint32_t slot, struct error *err)
{
	char link[16];

	if (!n->slots[slot].profile)
		return set_profile(n, slot, NETWORK_NONE, true, err);
	links_name(n->links, slot, link);
	return rules_set_profile(n->rules, link, network_slot_address(n->config, slot),
		(enum network_profile)n->slots[slot].profile, err);
}

/*
 * Names first, so that nothing is admitted to the address after it was forgotten; the rules last, because sockets
 * that end may still send, which would be counted against the next tenant.
 */
static int flush(struct network *n, uint32_t slot, bool *ret_is_new, struct error *err)
{
	char link[16];
	int r;

	dns_child_set(n, slot);
	n->slots[slot].denied_names = 0;
	links_name(n->links, slot, link);
	r = links_clean(n->links, slot, ret_is_new, err);
	/* What waits on a link that was given up still comes, from what is the next one's address by then. */
	if (r == 0 && *ret_is_new)
		r = rules_set_profile(
			n->rules, link, network_slot_address(n->config, slot), NETWORK_NONE, err);
	if (r == 0 && *ret_is_new)
		r = links_forget_connections(n->links, slot, err);
	return r < 0 ? r : rules_forget(n->rules, network_slot_address(n->config, slot), err);
}

static int on_slot(struct network *n, const struct network_slot *m, struct error *err)
{
	struct network_done done = {.slot = m->slot};
	struct error failure;
	int netns_fd = -1;

	if (links_slot(n->links, m->slot, &netns_fd, &failure) < 0 ||
		follow_link(n, m->slot, &failure) < 0)
		return request_answer_failed(n, m->header.id, &failure, err);
	return request_answer_done(n, &done, NETWORK_SLOT_READY, m->header.id, netns_fd, err);
}

static int on_profile(struct network *n, const struct network_set_profile *m, struct error *err)
{
	struct network_done done = {.slot = m->slot};
	struct error failure;

	if (set_profile(n, m->slot, m->profile, m->is_fresh, &failure) < 0)
		return request_answer_failed(n, m->header.id, &failure, err);
	return request_answer_done(n, &done, NETWORK_PROFILE_SET, m->header.id, -1, err);
}

static int on_flush(struct network *n, const struct network_slot *m, struct error *err)
{
	struct network_done done = {.slot = m->slot};
	struct error failure;
	bool is_new = false;

	if (flush(n, m->slot, &is_new, &failure) < 0)
		return request_answer_failed(n, m->header.id, &failure, err);
	done.is_new = is_new;
	return request_answer_done(n, &done, NETWORK_FLUSHED, m->header.id, -1, err);
}

static int on_inspect(struct network *n, const struct network_slot *m, struct error *err)
{
	struct network_state state = {.slot = m->slot,
		.profile = n->slots[m->slot].profile,
		.denied_names = n->slots[m->slot].denied_names};
	struct links_counts counts;
	struct error failure;
	int r = links_count(n->links, m->slot, &counts, &failure);

	if (r == 0)
		r = rules_denied(n->rules, network_slot_address(n->config, m->slot),
			&state.denied_packets, &failure);
	if (r < 0)
		return request_answer_failed(n, m->header.id, &failure, err);
	state.connections = counts.connections;
	state.sent_bytes = counts.sent_bytes;
	state.received_bytes = counts.received_bytes;
	network_header(&state.header, NETWORK_STATE, sizeof(state), m->header.id);
	return answer(n, &state, sizeof(state), NULL, err);
}

/* All four begin alike. */
_Static_assert(offsetof(struct network_slot, slot) == offsetof(struct network_set_profile, slot),
	"every request has its slot in the same place");

int request_serve(struct network *n, const struct message_header *m, struct error *err)
{
	uint32_t slot = ((const struct network_slot *)m)->slot;
	struct error failure;

	if (m->type != NETWORK_START && slot >= n->config->slot_count) {
		error_set(&failure, EINVAL, "slot %u: there are %u", slot, n->config->slot_count);
		return request_answer_failed(n, m->id, &failure, err);
	}
	switch ((enum network_type)m->type) {
	case NETWORK_SLOT:
		return on_slot(n, (const struct network_slot *)m, err);
	case NETWORK_PROFILE:
		return on_profile(n, (const struct network_set_profile *)m, err);
	case NETWORK_FLUSH:
		return on_flush(n, (const struct network_slot *)m, err);
	case NETWORK_INSPECT:
		return on_inspect(n, (const struct network_slot *)m, err);
	case NETWORK_START:
		return error_set(err, EPROTO, "link: START came twice");
	case NETWORK_STARTED:
	case NETWORK_SLOT_READY:
	case NETWORK_PROFILE_SET:
	case NETWORK_FLUSHED:
	case NETWORK_STATE:
	case NETWORK_FAILED:
		break; /* not to us: check_message() has refused them */
	}
	return error_set(err, EPROTO, "link: type %u", m->type);
}
