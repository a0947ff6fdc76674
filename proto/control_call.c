#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "proto/control_client_private.h"

/* In milliseconds; 0: for ever. Costs a system call only when it differs from the last one. */
static int set_timeout(struct control_client *client, uint32_t timeout_ms, struct error *err)
{
	struct timeval tv = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};

	if (client->timeout_ms == timeout_ms)
		return 0;
	if (setsockopt(client->socket, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) < 0)
		return error_errno(err, "control socket: SO_RCVTIMEO");
	client->timeout_ms = timeout_ms;
	return 0;
}

/* Wait for the answer to request id. 0 or, when the connection is of no more use, -errno. */
static int await(struct control_client *client, uint16_t type, uint32_t id, void *packet,
	int *ret_fd, uint32_t timeout_ms, struct error *err)
{
	uint64_t until_ms = timeout_ms > 0 ? clock_now_ms() + timeout_ms : 0;
	const struct message_header *h = packet;
	int r = set_timeout(client, timeout_ms, err);

	while (r == 0) {
		uint64_t now_ms;

		r = control_client_receive(client, packet, ret_fd, err);
		if (r != 0 || timeout_ms == 0)
			continue;
		now_ms = clock_now_ms(); /* a lease ended meanwhile: wait for the rest */
		r = now_ms < until_ms ? set_timeout(client, (uint32_t)(until_ms - now_ms), err)
				      : -EAGAIN;
	}
	if (r == -EAGAIN)
		return error_set(err, ETIMEDOUT, "no answer within %u ms", timeout_ms);
	if (r < 0)
		return r;
	if (h->id == id && control_client_fits(type, h->type))
		return 0;
	fd_close(*ret_fd);
	return error_set(err, EPROTO, "the supervisor broke the protocol: message %u, id %u",
		h->type, h->id);
}

static int refused(const struct control_refused *m, struct error *err)
{
	static const int codes[] = {
		[REFUSED_DENIED] = EACCES,
		[REFUSED_NO_TEMPLATE] = ENOENT,
		[REFUSED_EMPTY] = EAGAIN,
		[REFUSED_TIMEOUT] = ETIMEDOUT,
		[REFUSED_LIMIT] = EDQUOT,
		[REFUSED_STALE] = ESTALE,
		[REFUSED_UNSUPPORTED] = EOPNOTSUPP,
		[REFUSED_BROKEN] = EIO,
		[REFUSED_STOPPING] = EHOSTDOWN,
	};

	return error_set(err, codes[m->refusal], "%s",
		m->text[0] ? m->text : control_refusal_name(m->refusal));
}

static bool has_one_answer(uint16_t type, const void *request)
{
	const struct control_acquire *acquire = request;

	return type == CONTROL_ACQUIRE
		       ? acquire->count <= 1
		       : type != CONTROL_LIST && type != CONTROL_POOLS && type != CONTROL_STATS;
}

int control_client_call(struct control_client *client, uint16_t type, void *request, uint32_t size,
	void *ret_answer, uint32_t ret_size, int *ret_fd, uint32_t timeout_ms,
	enum control_refusal *ret_refusal, struct error *err)
{
	_Alignas(uint64_t) char packet[CONTROL_PACKET_MAX];
	const struct message_header *h = (const void *)packet;
	struct error why;
	int fd = -1;
	int r;

	if (client->is_lost)
		return control_client_lost(client, err);
	if (client->pending_count > 0 || !has_one_answer(type, request))
		return error_set(err, EINVAL, "not a request to wait for here");
	if (++client->last_id == 0)
		client->last_id = 1;
	r = control_client_prepare(type, request, size, client->last_id, err);
	if (r == 0)
		r = control_client_set_blocking(client, true, err);
	if (r < 0)
		return r;
	if (type == CONTROL_ACQUIRE)
		client->answered_ns = clock_now_ns(); /* this answer is near in any case */
	r = control_client_send_packet(client, request, size, &why);
	if (r == 0)
		r = await(client, type, client->last_id, packet, &fd, timeout_ms, &why);
	if (r < 0) {
		control_client_give_up(client, why.code, why.text);
		return control_client_lost(client, err);
	}
	if (h->type == CONTROL_REFUSED) {
		client->retry_ms = ((const struct control_refused *)h)->retry_ms;
		if (ret_refusal)
			*ret_refusal = ((const struct control_refused *)h)->refusal;
		return refused((const void *)packet, err);
	}
	if (ret_size > 0)
		memcpy(ret_answer, packet, h->size < ret_size ? h->size : ret_size);
	if (ret_fd)
		*ret_fd = fd;
	else
		fd_close(fd);
	return 0;
}

uint32_t control_client_retry_ms(const struct control_client *client)
{
	return client->retry_ms;
}
