#include "supervisor/network.h"

#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "nsjail-lite/program.h"
#include "pool/pool.h"
#include "proto/channel.h"
#include "supervisor/build_queue.h"
#include "supervisor/builder_link.h"
#include "supervisor/client.h"
#include "supervisor/outbox.h"
#include "supervisor/sandbox.h"
#include "supervisor/slots.h"
#include "supervisor/supervisor.h"

/* A request without an answer. */
struct ask {
	struct list list; /* in the order in which they were sent */
	uint32_t id;
	uint16_t type;
	uint32_t slot;
	uint64_t sandbox;	     /* for which it was asked */
	network_answer_fn on_answer; /* NULL: for no client */
	struct client *client;	     /* NULL: has left */
	uint32_t request_id;	     /* his */
};

struct network {
	struct supervisor *supervisor;
	struct program process;
	struct outbox outbox;
	struct event *readable; /* the link */
	struct event *late, *flush_again;
	struct list asks;
	uint32_t last_id;
	uint32_t client_asks; /* of the asks, those for clients */
	bool is_broken;	      /* something could not be sent: told from its own callback */
	bool is_lost;
};

static void arm(struct event *timer, uint32_t ms)
{
	const struct timeval wait = {ms / 1000, ms % 1000 * 1000};

	event_add(timer, &wait);
}

/* Whoever asks may stand in the middle of a pool's step: the end comes from the loop. */
static void set_broken(struct network *network)
{
	network->is_broken = true;
	if (network->readable)
		event_active(network->readable, EV_READ, 0);
}

static void lose(struct network *network, const char *why)
{
	network->is_lost = true;
	event_del(network->readable);
	event_del(network->late);
	event_del(network->flush_again);
	supervisor_fail(network->supervisor, -ENETDOWN, "hearth-network (pid %d) is lost: %s",
		network->process.pid, why);
}

static void drop(struct network *network, struct ask *ask)
{
	network->client_asks -= ask->on_answer != NULL;
	if (ask->client)
		ask->client->network_asks--;
	list_remove(&ask->list);
	free(ask);
}

static struct ask *find(const struct network *network, uint32_t id)
{
	/* They are answered in order: it is the first. */
	list_for_each(pos, &network->asks)
	{
		struct ask *ask = list_entry(pos, struct ask, list);

		if (ask->id == id)
			return ask;
	}
	return NULL;
}

/* Remember what will be sent; its id is in the header. NULL: out of memory, or hearth-network is lost. */
static struct ask *note(struct network *network, struct message_header *header, uint16_t type,
	uint32_t size, uint32_t slot)
{
	struct ask *ask;

	if (network->is_lost || network->is_broken)
		return NULL;
	ask = calloc(1, sizeof(*ask));
	if (!ask) {
		set_broken(network);
		return NULL;
	}
	if (++network->last_id == 0)
		network->last_id++;
	ask->id = network->last_id;
	ask->type = type;
	ask->slot = slot;
	list_append(&network->asks, &ask->list);
	network_header(header, type, size, ask->id);
	return ask;
}

static void dispatch_message(struct network *network, const void *message, size_t size)
{
	if (outbox_send(&network->outbox, message, size, -1) < 0)
		set_broken(network);
	else if (!event_pending(network->late, EV_TIMEOUT, NULL))
		arm(network->late, NETWORK_TIMEOUT_MS);
}

static struct ask *ask_of_slot(struct network *network, uint16_t type, uint32_t slot)
{
	struct network_slot m = {.slot = slot};
	struct ask *ask = note(network, &m.header, type, sizeof(m), slot);

	if (ask)
		dispatch_message(network, &m, sizeof(m));
	return ask;
}

static struct ask *ask_profile(
	struct network *network, uint32_t slot, enum network_profile profile, bool is_fresh)
{
	struct network_set_profile m = {.slot = slot, .profile = profile, .is_fresh = is_fresh};
	struct ask *ask = note(network, &m.header, NETWORK_PROFILE, sizeof(m), slot);

	if (!ask)
		return NULL;
	slots_ask_profile(network->supervisor->slots, slot, profile);
	dispatch_message(network, &m, sizeof(m));
	return ask;
}

void network_make_slot(struct network *network, const struct sandbox *sandbox)
{
	struct ask *ask = ask_of_slot(network, NETWORK_SLOT, (uint32_t)sandbox->slot);

	if (ask)
		ask->sandbox = sandbox->core->id;
}

void network_want_profile(struct network *network, uint32_t slot, enum network_profile profile)
{
	if (slots_profile(network->supervisor->slots, slot) != profile)
		ask_profile(network, slot, profile, true);
}

void network_flush(struct network *network, uint32_t slot)
{
	struct slots *slots = network->supervisor->slots;

	slots_set_dirty(slots, slot);
	if (ask_of_slot(network, NETWORK_FLUSH, slot))
		slots_set_flushing(slots, slot, true);
}

void network_flush_left(struct network *network)
{
	struct slots *slots = network->supervisor->slots;

	for (int slot = 0; (slot = slots_next_to_flush(slots, (uint32_t)slot)) >= 0; slot++)
		network_flush(network, (uint32_t)slot);
}

static bool ask_for(struct network *network, struct ask *ask, const struct sandbox *sandbox,
	struct client *client, uint32_t request_id, network_answer_fn on_answer)
{
	if (!ask)
		return false;
	ask->sandbox = sandbox->core->id;
	ask->client = client;
	ask->request_id = request_id;
	ask->on_answer = on_answer;
	network->client_asks++;
	client->network_asks++;
	return true;
}

static bool may_ask(const struct network *network, const struct client *client)
{
	return network->client_asks < NETWORK_CLIENT_REQUESTS_MAX &&
	       client->network_asks < NETWORK_REQUESTS_PER_CLIENT;
}

bool network_set_profile_for(struct network *network, const struct sandbox *sandbox,
	enum network_profile profile, struct client *client, uint32_t request_id,
	network_answer_fn on_answer)
{
	if (!may_ask(network, client))
		return false;
	return ask_for(network, ask_profile(network, (uint32_t)sandbox->slot, profile, false),
		sandbox, client, request_id, on_answer);
}

bool network_inspect_for(struct network *network, const struct sandbox *sandbox,
	struct client *client, uint32_t request_id, network_answer_fn on_answer)
{
	if (!may_ask(network, client))
		return false;
	return ask_for(network, ask_of_slot(network, NETWORK_INSPECT, (uint32_t)sandbox->slot),
		sandbox, client, request_id, on_answer);
}

void network_forget_client(struct network *network, const struct client *client)
{
	list_for_each(pos, &network->asks)
	{
		struct ask *ask = list_entry(pos, struct ask, list);

		if (ask->client == client)
			ask->client = NULL;
	}
}

/* The namespace, or why there is none, goes to the sandbox for which it was asked, if it still waits. */
static void on_slot(struct network *network, const struct ask *ask, int netns_fd,
	const struct network_failed *failed)
{
	struct stats *stats = &network->supervisor->stats;
	struct sandbox *sandbox = slots_tenant(network->supervisor->slots, ask->slot);

	if (!sandbox || sandbox->core->id != ask->sandbox || !sandbox->awaits_netns)
		return;
	sandbox->awaits_netns = false;
	if (failed) {
		stats_failed(stats, STATS_FAILED_SLOT, failed->error);
		builder_link_build_failed(sandbox->builder, sandbox, failed->text);
	} else {
		builder_link_make_slot(sandbox->builder, sandbox, netns_fd);
	}
}

static void on_profile(
	struct network *network, const struct ask *ask, const struct network_failed *failed)
{
	struct slots *slots = network->supervisor->slots;
	struct sandbox *sandbox;

	slots_answer_profile(slots, ask->slot, failed == NULL);
	sandbox = slots_tenant(slots, ask->slot);
	/* That a client's change failed is for him; of others the one who waits now is told. */
	if (sandbox && (!failed || !ask->on_answer))
		sandbox_profile_answered(
			sandbox, failed ? failed->error : 0, failed ? failed->text : NULL);
}

static void on_flushed(struct network *network, const struct ask *ask,
	const struct network_done *done, const char *why)
{
	struct slots *slots = network->supervisor->slots;

	if (why) {
		log_warning("slot %u cannot be flushed and is not used until it is: %s", ask->slot,
			why);
		slots_set_flushing(slots, ask->slot, false);
		arm(network->flush_again, NETWORK_FLUSH_AGAIN_MS);
		return;
	}
	if (done->is_new)
		slots_set_made(slots, ask->slot, false);
	slots_set_clean(slots, ask->slot);
	build_queue_dispatch_soon(network->supervisor);
}

static void on_flush_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	network_flush_left(arg);
}

/* Whether an answer of this type fits what was asked. */
static bool fits(uint16_t asked, uint16_t answer)
{
	switch (answer) {
	case NETWORK_FAILED:
		return true;
	case NETWORK_STARTED:
		return asked == NETWORK_START;
	case NETWORK_SLOT_READY:
		return asked == NETWORK_SLOT;
	case NETWORK_PROFILE_SET:
		return asked == NETWORK_PROFILE;
	case NETWORK_FLUSHED:
		return asked == NETWORK_FLUSH;
	default: /* STATE */
		return asked == NETWORK_INSPECT;
	}
}

/* Each message from hearth-network but FAILED tells its slot behind the header. */
static uint32_t slot_of(const struct message_header *h)
{
	return ((const struct network_done *)(const void *)h)->slot;
}

static int on_answer(
	struct network *network, const struct message_header *h, int fd, struct error *err)
{
	const struct network_failed *failed = h->type == NETWORK_FAILED ? (const void *)h : NULL;
	const char *why = failed ? failed->text : NULL;
	struct ask *ask = find(network, h->id);

	if (!ask || !fits(ask->type, h->type) || (!why && slot_of(h) != ask->slot))
		return error_set(err, EPROTO, "an answer to what it was not asked");
	if (ask->type == NETWORK_START && failed)
		return error_set(err, (int)failed->error, "%s", why);
	if (ask->type == NETWORK_SLOT)
		on_slot(network, ask, fd, failed);
	else if (ask->type == NETWORK_PROFILE)
		on_profile(network, ask, failed);
	else if (ask->type == NETWORK_FLUSH)
		on_flushed(network, ask, (const void *)h, why);
	if (ask->on_answer && ask->client)
		ask->on_answer(ask->client, ask->request_id, ask->sandbox, why ? NULL : h, why);
	drop(network, ask);
	return 0;
}

/* -EAGAIN: nothing is there. Other -errno: it is of no more use. */
static int receive(struct network *network, struct error *err)
{
	union {
		struct message_header header;
		struct network_done done;
		struct network_state state;
		struct network_failed failed;
	} packet; /* as large as the largest that may come from it */
	const struct message_rule *rule;
	int fds[CHANNEL_FDS_MAX];
	size_t count = 0;
	ssize_t n;
	int r;

	if (network->is_broken)
		return error_set(err, EPIPE, "its link takes no more messages");
	n = channel_receive(network->process.link_fd, &packet, sizeof(packet), fds, &count);
	if (n == -EAGAIN)
		return -EAGAIN;
	if (n < 0)
		return error_set(err, (int)-n, "link: %s", error_name((int)-n));
	if (n == 0)
		return error_set(err, EPIPE, "it closed its link");
	r = check_message(
		&network_protocol, MESSAGE_TO_CLIENT, &packet, (size_t)n, count, &rule, err);
	if (r == 0)
		r = on_answer(network, &packet.header, count > 0 ? fds[0] : -1, err);
	channel_close_fds(fds, count);
	return r;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct network *network = arg;
	struct error err;
	int r;

	(void)fd;
	(void)what;
	do
		r = receive(network, &err);
	while (r == 0);
	if (r != -EAGAIN)
		lose(network, err.text);
	else if (list_is_empty(&network->asks))
		event_del(network->late);
	else
		arm(network->late, NETWORK_TIMEOUT_MS);
}

static void on_late(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	lose(arg, "no answer in time");
}

int network_create(struct supervisor *supervisor, struct network **ret_network, struct error *err)
{
	struct network *network = calloc(1, sizeof(*network));

	if (!network)
		return error_set(err, ENOMEM, "network: out of memory");
	*ret_network = network;
	network->supervisor = supervisor;
	network->process = (struct program){.pidfd = -1, .link_fd = -1};
	list_init(&network->asks);
	network->late = evtimer_new(supervisor->events, on_late, network);
	network->flush_again = evtimer_new(supervisor->events, on_flush_again, network);
	if (!network->late || !network->flush_again)
		return error_set(err, ENOMEM, "network: out of memory");
	return 0;
}

int network_start(struct network *network, struct error *err)
{
	struct supervisor *supervisor = network->supervisor;
	const struct supervisor_host *host = &supervisor->host;
	struct message_header header;
	int link_fd, r;

	/* The host sends START itself: it knows what is in it. */
	if (!note(network, &header, NETWORK_START, sizeof(header), 0))
		return error_set(err, ENOMEM, "network: out of memory");
	r = host->start_network(host->arg, network->last_id, &network->process, err);
	if (r < 0)
		return error_prefix(err, r, "network");
	link_fd = network->process.link_fd;
	r = fd_set_nonblocking(link_fd, true);
	if (r == 0)
		r = outbox_init(&network->outbox, supervisor->events, link_fd, NETWORK_QUEUE_MAX);
	if (r < 0)
		return error_set(err, -r, "network: its link");
	network->readable =
		event_new(supervisor->events, link_fd, EV_READ | EV_PERSIST, on_readable, network);
	if (!network->readable || event_add(network->readable, NULL) < 0)
		return error_set(err, ENOMEM, "network: out of memory");
	log_info("hearth-network (pid %d) starts", network->process.pid);
	arm(network->late, NETWORK_START_TIMEOUT_MS);
	return 0;
}

static void await_exit(const struct network *network)
{
	struct pollfd pidfd = {.fd = network->process.pidfd, .events = POLLIN};

	if (poll(&pidfd, 1, NETWORK_STOP_MS) <= 0) {
		log_error("hearth-network (pid %d) does not end: killed", network->process.pid);
		pidfd_send_signal(network->process.pidfd, SIGKILL, NULL, 0);
	}
	waitpid(network->process.pid, NULL, 0);
}

void network_destroy(struct network *network)
{
	struct ask *ask;

	if (!network)
		return;
	if (network->readable)
		event_free(network->readable);
	outbox_finish(&network->outbox);
	fd_close(network->process.link_fd);
	if (network->process.pidfd >= 0)
		await_exit(network);
	fd_close(network->process.pidfd);
	while ((ask = list_first(&network->asks, struct ask, list)))
		drop(network, ask);
	if (network->late)
		event_free(network->late);
	if (network->flush_again)
		event_free(network->flush_again);
	free(network);
}
