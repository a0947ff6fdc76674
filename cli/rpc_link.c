/* rpc_link.c - lines of JSON-RPC over a Unix stream socket. */
#include "cli/rpc_link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/unix_socket.h"
#include "proto/instance.h"

#define READ_SIZE 65536

struct rpc_link {
	int socket;
	json_int_t last_id;
	struct rpc_decoder decoder;
	const char *at; /* what of buffer is not decoded yet */
	size_t left;
	char buffer[READ_SIZE];
};

int rpc_link_open(const char *directory, struct rpc_link **ret_link, struct error *err)
{
	auto_close int dirfd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct rpc_link *link;
	int fd = dirfd < 0 ? -errno : 0;

	if (fd == 0)
		fd = unix_socket_connect(dirfd, INSTANCE_AGENTD_SOCKET, SOCK_STREAM, err);
	if (fd == -ENOENT || fd == -ECONNREFUSED)
		return error_set(err, -fd,
			"no agentd answers at %s/" INSTANCE_AGENTD_SOCKET
			": start one with hearth start",
			directory);
	if (dirfd < 0)
		return error_set(err, -fd, "instance %s: %s", directory, strerror(-fd));
	if (fd < 0)
		return error_prefix(err, fd, "agentd of %s", directory);
	link = calloc(1, sizeof(*link));
	if (!link) {
		close(fd);
		return error_set(err, ENOMEM, "agentd of %s: out of memory", directory);
	}
	link->socket = fd;
	rpc_decoder_init(&link->decoder);
	link->decoder.takes_nul = true;
	*ret_link = link;
	return 0;
}

void rpc_link_close(struct rpc_link *link)
{
	if (!link)
		return;
	rpc_decoder_finish(&link->decoder);
	close(link->socket);
	free(link);
}

int rpc_link_fd(const struct rpc_link *link)
{
	return link->socket;
}

static int send_all(int socket, const char *data, size_t size, struct error *err)
{
	while (size > 0) {
		struct pollfd p = {.fd = socket, .events = POLLOUT};
		ssize_t n = send(socket, data, size, MSG_NOSIGNAL);

		if (n >= 0) {
			data += n;
			size -= (size_t)n;
		} else if (errno == EAGAIN) {
			poll(&p, 1, -1);
		} else if (errno != EINTR) {
			return error_errno(err, "send to agentd");
		}
	}
	return 0;
}

int rpc_link_send(struct rpc_link *link, const char *method, json_t *params, json_int_t *ret_id,
	struct error *err)
{
	json_auto_t *id = NULL;
	auto_free char *line = NULL;
	size_t size;
	int r;

	/* Without them it would be another request. */
	if (!params)
		return error_set(
			err, EILSEQ, "%s: it cannot be sent: what was given is not UTF-8", method);
	id = json_integer(++link->last_id);
	r = rpc_encode_request(id, method, params, &line, &size);
	if (r < 0)
		return error_set(err, -r, "%s: it cannot be sent: %s", method, strerror(-r));
	*ret_id = link->last_id;
	return send_all(link->socket, line, size, err);
}

int rpc_link_receive(struct rpc_link *link, struct rpc_message *ret_message, struct error *err)
{
	for (;;) {
		ssize_t n;
		int r = rpc_decode(&link->decoder, &link->at, &link->left, ret_message);

		if (r < 0)
			return error_set(err, -r, "agentd: out of memory");
		if (r == 1 && ret_message->kind == RPC_INVALID) {
			rpc_message_finish(ret_message);
			return error_set(err, EPROTO, "agentd: it sent what is no JSON-RPC");
		}
		if (r == 1)
			return 1;
		n = recv(link->socket, link->buffer, sizeof(link->buffer), MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (n < 0)
			return error_errno(err, "receive from agentd");
		if (n == 0)
			return error_set(err, ECONNRESET, "agentd ended the connection");
		link->at = link->buffer;
		link->left = (size_t)n;
	}
}

bool rpc_link_is_answer(const struct rpc_message *message, json_int_t id)
{
	if (message->kind != RPC_RESPONSE)
		return false;
	return json_is_null(message->id) ? message->error != NULL
					 : json_integer_value(message->id) == id;
}

static int errno_of(const json_t *rpc_error)
{
	const json_t *status = json_object_get(json_object_get(rpc_error, "data"), "exit_code");

	switch ((enum rpc_code)json_integer_value(json_object_get(rpc_error, "code"))) {
	case RPC_NOT_FOUND:
		return ENOENT;
	case RPC_STALE_HANDLE:
		return ESTALE;
	case RPC_DENIED:
		return EACCES;
	case RPC_EXHAUSTED:
		return EAGAIN;
	case RPC_TIMEOUT:
		return ETIMEDOUT;
	case RPC_LEASE_ENDED:
		return EPIPE;
	case RPC_UNAVAILABLE:
		return ECONNREFUSED;
	case RPC_CANCELED:
		return ECANCELED;
	case RPC_TOO_LARGE:
		return EMSGSIZE;
	case RPC_COMMAND_FAILED:
		return json_integer_value(status) == 127 ? ENOENT : EACCES;
	case RPC_METHOD_NOT_FOUND:
		return ENOSYS;
	case RPC_INVALID_PARAMS:
	case RPC_INVALID_REQUEST:
	case RPC_PARSE_ERROR:
		return EINVAL;
	case RPC_INTERNAL_ERROR:
		break;
	}
	return EIO;
}

int rpc_link_explain(const json_t *rpc_error, struct error *err)
{
	const char *text = json_string_value(json_object_get(rpc_error, "message"));

	return error_set(err, errno_of(rpc_error), "agentd: %s", text ? text : "it failed");
}

int rpc_link_call(struct rpc_link *link, const char *method, json_t *params, json_t **ret_result,
	struct error *err)
{
	uint64_t until = clock_now_ms() + RPC_LINK_TIMEOUT_MS;
	struct rpc_message message;
	json_int_t id;
	int r = rpc_link_send(link, method, params, &id, err);

	while (r == 0) {
		struct pollfd p = {.fd = link->socket, .events = POLLIN};
		uint64_t now = clock_now_ms();

		r = rpc_link_receive(link, &message, err);
		if (r == 1 && rpc_link_is_answer(&message, id)) {
			if (message.error)
				r = rpc_link_explain(message.error, err);
			else
				*ret_result = json_incref(message.result);
			rpc_message_finish(&message);
			return r < 0 ? r : 0;
		}
		if (r == 1) {
			rpc_message_finish(&message);
			r = 0;
		} else if (r == 0 && now >= until) {
			return error_set(err, ETIMEDOUT, "agentd does not answer %s", method);
		} else if (r == 0) {
			poll(&p, 1, (int)(until - now));
		}
	}
	return r;
}
