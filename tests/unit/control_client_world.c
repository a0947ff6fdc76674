#include "tests/unit/control_client_world.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "proto/channel.h"

int world_set_up(void **state)
{
	static struct world w;
	int ends[2];

	w = (struct world){.fds_before = fd_count_open(), .seen.fd = -1};
	*state = &w;
	if (channel_pair(ends, NULL) < 0)
		return -1;
	w.supervisor = ends[1];
	if (fd_set_nonblocking(w.supervisor, true) < 0)
		return -1;
	return control_client_adopt(ends[0], &w.client, NULL);
}

int world_tear_down(void **state)
{
	struct world *w = *state;

	control_client_destroy(w->client);
	fd_close(w->supervisor);
	fd_close(w->seen.fd);
	return fd_count_open() == w->fds_before ? 0 : -1;
}

void world_on_answer(void *arg, const struct message_header *answer, int fd, bool is_last)
{
	struct world *w = arg;
	struct seen *seen = &w->seen;

	assert_true(seen->answers < ARRAY_SIZE(seen->ids));
	seen->types[seen->answers] = answer->type;
	seen->ids[seen->answers] = answer->id;
	seen->answers++;
	seen->last_answers += is_last;
	if (answer->type == CONTROL_REFUSED)
		memcpy(&seen->refused, answer, sizeof(seen->refused));
	assert_int_equal(answer->type == CONTROL_LEASED, fd >= 0);
	if (fd >= 0) {
		fd_close(seen->fd);
		seen->fd = fd;
	}
}

void world_on_ended(void *arg, const struct control_lease_ended *ended)
{
	struct world *w = arg;

	w->seen.ended++;
	w->seen.last_ended = *ended;
}

void world_on_frozen(void *arg, const struct control_lease_frozen *frozen)
{
	struct world *w = arg;

	assert_int_equal(frozen->handle.sandbox, 4);
	w->seen.frozen++;
}

void world_on_receipt(void *arg, const struct control_receipt *receipt)
{
	struct world *w = arg;

	w->seen.receipts++;
	w->seen.last_receipt = *receipt;
}

uint32_t world_request(uint16_t type, void *request)
{
	struct control_lease *lease = request;
	struct control_net *net = request;

	switch (type) {
	case CONTROL_ACQUIRE:
		memset(request, 0, sizeof(struct control_acquire));
		return sizeof(struct control_acquire);
	case CONTROL_NET:
		memset(request, 0, sizeof(*net));
		net->handle = (struct control_handle){.sandbox = 1, .epoch = 2};
		strcpy(net->net, "open");
		return sizeof(*net);
	case CONTROL_RELEASE:
	case CONTROL_TOUCH:
	case CONTROL_INSPECT:
		lease->handle = (struct control_handle){.sandbox = 1, .epoch = 2};
		return sizeof(*lease);
	default:
		return sizeof(struct control_query);
	}
}

void world_send(struct world *w, uint16_t type)
{
	struct control_acquire request;
	uint32_t size = world_request(type, &request);

	assert_int_equal(
		control_client_send(w->client, type, &request, size, world_on_answer, w, &w->err),
		0);
}

bool world_read(struct world *w, struct message_header *ret_header)
{
	_Alignas(uint64_t) char packet[CONTROL_PACKET_MAX];
	const struct message_rule *rule;
	int fds[CHANNEL_FDS_MAX];
	size_t fd_count;
	ssize_t n = channel_receive(w->supervisor, packet, sizeof(packet), fds, &fd_count);

	if (n <= 0)
		return false;
	assert_int_equal(check_message(&control_protocol, MESSAGE_TO_SERVER, packet, (size_t)n,
				 fd_count, &rule, NULL),
		0);
	memcpy(ret_header, packet, sizeof(*ret_header));
	return true;
}

bool world_client_is_gone(struct world *w)
{
	struct message_header header;
	char byte;

	while (world_read(w, &header))
		;
	return recv(w->supervisor, &byte, 1, 0) == 0;
}

void world_answer_raw(
	struct world *w, const void *message, uint32_t size, const int *fds, size_t fd_count)
{
	assert_int_equal(channel_send(w->supervisor, message, size, NULL, 0, fds, fd_count), 0);
}

void world_answer_refused(
	struct world *w, uint32_t id, enum control_refusal refusal, const char *text)
{
	struct control_refused m = {.refusal = refusal};

	control_header(&m.header, CONTROL_REFUSED, sizeof(m), id);
	strcpy(m.text, text);
	world_answer_raw(w, &m, sizeof(m), NULL, 0);
}

void world_answer(struct world *w, uint16_t type, uint32_t id)
{
	union {
		struct message_header header;
		struct control_leased leased;
		struct control_done done;
		struct control_refused refused;
		struct control_sandbox_row sandbox;
		struct control_sandbox_details details;
		struct control_pool_row pool;
		struct control_lease_ended ended;
		struct control_receipt receipt;
		struct control_lease_frozen frozen;
	} m;
	const struct message_rule *rule = check_find(&control_protocol, type);
	const int channel = STDERR_FILENO; /* any fd will do */

	memset(&m, 0, sizeof(m));
	control_header(&m.header, type, rule->fixed_size, rule->has_id ? id : 0);
	/* The handle, where there is one, stands first. */
	if (type != CONTROL_DONE && type != CONTROL_REFUSED && type != CONTROL_POOL_ROW)
		m.leased.handle = (struct control_handle){.sandbox = 4, .epoch = 5};
	if (type == CONTROL_LEASED) {
		strcpy(m.leased.template_name, "base");
		m.leased.rung = RUNG_BUILT;
		strcpy(m.leased.net, "none");
	} else if (type == CONTROL_SANDBOX_DETAILS) {
		strcpy(m.details.template_name, "base");
		strcpy(m.details.net, "none");
		m.details.state = SANDBOX_LEASED;
	} else if (type == CONTROL_REFUSED) {
		m.refused.refusal = REFUSED_EMPTY;
	} else if (type == CONTROL_SANDBOX_ROW) {
		strcpy(m.sandbox.template_name, "base");
		m.sandbox.state = SANDBOX_READY;
	} else if (type == CONTROL_POOL_ROW) {
		strcpy(m.pool.template_name, "base");
		strcpy(m.pool.image, "base");
		m.pool.max = 1;
	} else if (type == CONTROL_LEASE_ENDED) {
		m.ended.reason = LEASE_IDLE;
	} else if (type == CONTROL_RECEIPT) {
		m.receipt.reason = LEASE_KILLED;
		m.receipt.usage.pids_peak = 7;
	}
	world_answer_raw(w, &m, rule->fixed_size, &channel, rule->fds_min);
}
