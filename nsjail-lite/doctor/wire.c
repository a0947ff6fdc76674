#include "nsjail-lite/doctor/wire.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"

#define ANSWER_MAX 65536 /* of one recv(): a part of a dump is at most 32 KiB */

int wire_open(struct wire *wire, int protocol, struct error *err)
{
	wire->used = 0;
	wire->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	return wire->fd < 0 ? error_errno(err, "netlink socket") : 0;
}

static void *append(struct wire *wire, size_t size)
{
	void *place = wire->buffer + wire->used;

	if (size > sizeof(wire->buffer) - wire->used)
		abort();
	memset(place, 0, NLMSG_ALIGN(size));
	wire->used += NLMSG_ALIGN(size);
	return place;
}

void *wire_begin(struct wire *wire, uint16_t type, uint16_t flags, size_t header_size)
{
	wire->message = append(wire, NLMSG_LENGTH(header_size));
	wire->message->nlmsg_len = NLMSG_LENGTH((uint32_t)header_size);
	wire->message->nlmsg_type = type;
	wire->message->nlmsg_flags = flags | NLM_F_REQUEST;
	return NLMSG_DATA(wire->message);
}

static void grow_message(struct wire *wire)
{
	wire->message->nlmsg_len = (uint32_t)(wire->buffer + wire->used - (char *)wire->message);
}

void wire_put(struct wire *wire, uint16_t type, const void *data, size_t size)
{
	struct nlattr *attribute = append(wire, WIRE_HEAD + size);

	attribute->nla_type = type;
	attribute->nla_len = (uint16_t)(WIRE_HEAD + size);
	memcpy(attribute + 1, data, size);
	grow_message(wire);
}

void wire_put_header(struct wire *wire, const void *header, size_t size)
{
	memcpy(append(wire, size), header, size);
	grow_message(wire);
}

void wire_put_text(struct wire *wire, uint16_t type, const char *text)
{
	wire_put(wire, type, text, strlen(text) + 1);
}

void wire_put_be32(struct wire *wire, uint16_t type, uint32_t value)
{
	uint32_t ordered = htonl(value);

	wire_put(wire, type, &ordered, sizeof(ordered));
}

struct nlattr *wire_nest(struct wire *wire, uint16_t type)
{
	struct nlattr *nest = append(wire, WIRE_HEAD);

	nest->nla_type = type | NLA_F_NESTED;
	return nest;
}

void wire_nest_end(struct wire *wire, struct nlattr *nest)
{
	nest->nla_len = (uint16_t)(wire->buffer + wire->used - (char *)nest);
	grow_message(wire);
}

/* 1: more is to come. */
static int read_answer(const char *answer, size_t size,
	void (*visit)(void *arg, const struct nlmsghdr *message), void *arg)
{
	const struct nlmsghdr *message = (const void *)answer;

	for (; NLMSG_OK(message, size); message = NLMSG_NEXT(message, size)) {
		if (message->nlmsg_type == NLMSG_DONE)
			return 0;
		if (message->nlmsg_type == NLMSG_ERROR)
			return ((const struct nlmsgerr *)NLMSG_DATA(message))->error;
		if (visit)
			visit(arg, message);
	}
	return 1;
}

int wire_talk(struct wire *wire, void (*visit)(void *arg, const struct nlmsghdr *message),
	void *arg, struct error *err)
{
	static _Alignas(NLMSG_ALIGNTO) char answer[ANSWER_MAX];
	ssize_t n = send(wire->fd, wire->buffer, wire->used, 0);
	int r = 1;

	wire->used = 0;
	while (n >= 0 && r > 0) {
		n = recv(wire->fd, answer, sizeof(answer), 0);
		if (n >= 0)
			r = read_answer(answer, (size_t)n, visit, arg);
	}
	if (n < 0)
		return error_errno(err, "netlink");
	return r < 0 ? error_set(err, -r, "%s", strerror(-r)) : 0;
}

const struct nlattr *wire_find(const void *attributes, size_t size, uint16_t type)
{
	const struct nlattr *attribute = attributes;

	while (size >= WIRE_HEAD && attribute->nla_len >= WIRE_HEAD && attribute->nla_len <= size) {
		size_t step = NLMSG_ALIGN(attribute->nla_len);

		if ((attribute->nla_type & NLA_TYPE_MASK) == type)
			return attribute;
		attribute = (const void *)((const char *)attribute + step);
		size = step < size ? size - step : 0;
	}
	return NULL;
}

const struct nlattr *wire_attribute(
	const struct nlmsghdr *message, size_t header_size, uint16_t type)
{
	size_t offset = NLMSG_LENGTH(NLMSG_ALIGN(header_size));

	if (message->nlmsg_len < offset)
		return NULL;
	return wire_find((const char *)message + offset, message->nlmsg_len - offset, type);
}
