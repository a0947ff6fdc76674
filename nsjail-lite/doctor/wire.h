/*
 * wire.h - the few netlink messages that checks of networks send: one buffer, one exchange at a time.
 *
 * For try-outs in a child: blocking, without a library. Attributes that do not fit are a bug and end the child.
 */
#ifndef NSJAIL_LITE_DOCTOR_WIRE_H
#define NSJAIL_LITE_DOCTOR_WIRE_H
#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_BUFFER 4096
#define WIRE_HEAD   sizeof(struct nlattr) /* NLA_HDRLEN, which is signed */

struct error;

struct wire {
	int fd;
	size_t used;		  /* by whole messages and the one under way */
	struct nlmsghdr *message; /* under way */
	_Alignas(NLMSG_ALIGNTO) char buffer[WIRE_BUFFER];
};

/* -errno. The fd ends with the process. */
int wire_open(struct wire *wire, int protocol, struct error *err);

/* Begin a message; returns its family's header of that size, all 0. */
void *wire_begin(struct wire *wire, uint16_t type, uint16_t flags, size_t header_size);
void wire_put(struct wire *wire, uint16_t type, const void *data, size_t size);
/* A header of a family inside a nest, before its attributes. */
void wire_put_header(struct wire *wire, const void *header, size_t size);
void wire_put_text(struct wire *wire, uint16_t type, const char *text);
void wire_put_be32(struct wire *wire, uint16_t type, uint32_t value);
/* What is put before wire_nest_end() is inside. Returns what that wants. */
struct nlattr *wire_nest(struct wire *wire, uint16_t type);
void wire_nest_end(struct wire *wire, struct nlattr *nest);

/*
 * Send all messages begun since the last time, and read until the acknowledgement or the end of the dump;
 * visit (may be NULL) sees each other message. 0 or the kernel's -errno.
 */
int wire_talk(struct wire *wire, void (*visit)(void *arg, const struct nlmsghdr *message),
	void *arg, struct error *err);

/* Attribute of this type among size bytes of attributes, or NULL. */
const struct nlattr *wire_find(const void *attributes, size_t size, uint16_t type);
/* Of a message whose family has a header of that size. */
const struct nlattr *wire_attribute(
	const struct nlmsghdr *message, size_t header_size, uint16_t type);
static inline const void *wire_data(const struct nlattr *attribute)
{
	return (const char *)attribute + WIRE_HEAD;
}
static inline size_t wire_size(const struct nlattr *attribute)
{
	return attribute->nla_len - WIRE_HEAD;
}
#endif
