#include "supervisor/builder_messages.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "nsjail-lite/builder/link.h"
#include "pool/pool.h"
#include "proto/channel.h"
#include "supervisor/binding.h"
#include "supervisor/builder_link.h"
#include "supervisor/network.h"
#include "supervisor/pool_host.h"
#include "supervisor/sandbox.h"
#include "supervisor/slots.h"
#include "supervisor/supervisor.h"

/* Which of its builds: by sandbox, or by slot when sandbox is 0. At most BUILDS_PER_BUILDER to look at. */
static struct sandbox *find_build(const struct builder_link *builder, uint64_t id, uint32_t slot)
{
	list_for_each(pos, &builder->building)
	{
		struct sandbox *sandbox = list_entry(pos, struct sandbox, list);

		if (id != 0 ? sandbox->core->id == id : sandbox->slot == (int)slot)
			return sandbox;
	}
	return NULL;
}

static int on_started(struct builder_link *builder, struct error *err)
{
	if (builder->state != BUILDER_STARTING)
		return error_set(err, EPROTO, "STARTED twice");
	slots_builder_started(builder->supervisor->slots, builder->index);
	binding_destroy_all(&builder->bindings);
	if (builder->supervisor->network)
		network_flush_left(builder->supervisor->network);
	builder_link_set_state(builder, BUILDER_RUNNING);
	return 0;
}

static int on_slot_ready(
	struct builder_link *builder, const struct link_slot_ready *m, struct error *err)
{
	struct sandbox *sandbox = find_build(builder, 0, m->slot);
	struct slots *slots = builder->supervisor->slots;

	if (!sandbox || sandbox->awaits_netns || slots_is_made(slots, m->slot))
		return error_set(
			err, EPROTO, "SLOT_READY of slot %u, which it was not asked for", m->slot);
	builder->asked_count--;
	slots_set_made(slots, m->slot, true);
	builder_link_send_build(builder, sandbox);
	return 0;
}

static int on_built(struct builder_link *builder, const struct link_built *m, int *channel_fd,
	struct error *err)
{
	struct sandbox *sandbox = find_build(builder, m->sandbox, 0);

	if (!sandbox)
		return error_set(err, EPROTO,
			"BUILT of sandbox %" PRIu64 ", which it was not asked for", m->sandbox);
	builder->asked_count--;
	builder->building_count--;
	list_remove(&sandbox->list);
	list_append(&builder->alive, &sandbox->list);
	stats_built(&builder->supervisor->stats, &m->stages);
	sandbox_built(sandbox, *channel_fd, m);
	*channel_fd = -1;
	return 0;
}

/* A sandbox that waits for the answer to its BIND, or NULL. */
static struct sandbox *find_bind(const struct builder_link *builder, uint64_t id)
{
	struct sandbox *sandbox = sandbox_find(builder->supervisor, id);

	return sandbox && sandbox->builder == builder && sandbox->is_bind_asked ? sandbox : NULL;
}

static int on_bound(struct builder_link *builder, const struct link_bound *m, struct error *err)
{
	struct sandbox *sandbox = find_bind(builder, m->sandbox);

	if (!sandbox)
		return error_set(err, EPROTO,
			"BOUND of sandbox %" PRIu64 ", which it was not asked for", m->sandbox);
	builder->asked_count--;
	sandbox->is_bind_asked = false;
	binding_bound(sandbox, m);
	return 0;
}

static int on_failed(struct builder_link *builder, const struct link_failed *m, struct error *err)
{
	struct stats *stats = &builder->supervisor->stats;
	struct sandbox *sandbox;

	memcpy(builder->why, m->text, sizeof(m->text));
	/* START failed: it says why and exits. */
	if (builder->state == BUILDER_STARTING)
		return 0;
	sandbox = find_build(builder, m->sandbox, m->slot);
	if (sandbox && !sandbox->awaits_netns) {
		builder->asked_count--;
		stats_failed(stats, m->sandbox ? STATS_FAILED_BUILD : STATS_FAILED_SLOT, m->error);
		builder_link_build_failed(builder, sandbox, m->text);
	} else if ((sandbox = find_bind(builder, m->sandbox))) {
		builder->asked_count--;
		sandbox->is_bind_asked = false;
		stats_failed(stats, STATS_FAILED_BIND, m->error);
		binding_failed(sandbox, m->error, m->text);
	} else if (m->sandbox != 0 && builder->bind_orphans > 0) {
		builder->asked_count--;
		builder->bind_orphans--;
	} else {
		return error_set(err, EPROTO, "FAILED of what it was not asked for");
	}
	return 0;
}

static int on_ended(struct builder_link *builder, const struct link_ended *m, struct error *err)
{
	struct supervisor *supervisor = builder->supervisor;
	struct sandbox *sandbox = sandbox_find(supervisor, m->sandbox);

	if (!sandbox || sandbox->builder != builder || sandbox->slot != (int)m->slot ||
		!sandbox->is_built)
		return error_set(err, EPROTO,
			"ENDED of sandbox %" PRIu64 ", which it does not hold", m->sandbox);
	/* A KILL that crossed it finds nothing and is not answered, a BIND is. */
	if (sandbox->is_killed)
		builder->asked_count--;
	if (sandbox->is_bind_asked)
		builder->bind_orphans++;
	if (supervisor->network && sandbox->lease.id != 0)
		network_flush(supervisor->network, m->slot);
	else
		slots_give(supervisor->slots, m->slot);
	stats_ended(&supervisor->stats, m);
	sandbox_ended(sandbox, m);
	return 0;
}

static int dispatch(struct builder_link *builder, const void *message, int *fd, struct error *err)
{
	const struct message_header *h = message;

	if (builder->state == BUILDER_STARTING && h->type != LINK_STARTED && h->type != LINK_FAILED)
		return error_set(err, EPROTO, "an answer before STARTED");
	switch (h->type) {
	case LINK_STARTED:
		return on_started(builder, err);
	case LINK_SLOT_READY:
		return on_slot_ready(builder, message, err);
	case LINK_BUILT:
		return on_built(builder, message, fd, err);
	case LINK_FAILED:
		return on_failed(builder, message, err);
	case LINK_BOUND:
		return on_bound(builder, message, err);
	default: /* check_message() lets only the six through */
		return on_ended(builder, message, err);
	}
}

int builder_messages_receive(struct builder_link *builder, struct error *err)
{
	union {
		struct message_header header;
		struct link_built built;
		struct link_failed failed;
		struct link_ended ended;
	} packet; /* as large as the largest that may come from a builder */
	const struct message_rule *rule;
	int fds[CHANNEL_FDS_MAX];
	size_t count = 0;
	ssize_t n;
	int r;

	n = channel_receive(builder->process.link_fd, &packet, sizeof(packet), fds, &count);
	if (n == -EAGAIN)
		return -EAGAIN;
	if (n < 0)
		return error_set(err, (int)-n, "link: %s", error_name((int)-n));
	if (n == 0)
		return error_set(err, EPIPE, "it closed its link");
	r = check_message(&link_protocol, MESSAGE_TO_CLIENT, &packet, (size_t)n, count, &rule, err);
	if (r == 0)
		r = dispatch(builder, &packet, fds, err);
	/* BUILT's is taken and -1 by now, unless something was wrong. */
	channel_close_fds(fds, count);
	if (r == 0)
		builder_link_progress(builder);
	return r;
}
