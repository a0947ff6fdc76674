/*
 * message.h - DNS packets between a sandbox and us: the one question in, its answer out (RFC 1035 4.1).
 *
 * Bytes of hostile processes. Pure. Instead of evdns's server half, which reads its socket until it is empty, so
 * that who sends fast enough keeps everybody else's answers away, loses the memory of answers that the socket does
 * not take, and cuts names at a NUL.
 */
#ifndef DNS_MESSAGE_H
#define DNS_MESSAGE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_MAX	    512 /* bytes without EDNS (RFC 1035 4.2.1); there is no TCP to go on with */
#define MESSAGE_NAME_MAX    255 /* bytes of a name in a packet, the root's included */
#define MESSAGE_TEXT_SIZE   (4 * MESSAGE_NAME_MAX) /* every byte of it may become \DDD */
#define MESSAGE_RECORD_SIZE 16			   /* of an address under the question's name */

enum message_type { MESSAGE_A = 1, MESSAGE_PTR = 12 };
enum message_class { MESSAGE_IN = 1 };
enum message_code {
	MESSAGE_OK = 0,
	MESSAGE_SERVFAIL = 2,
	MESSAGE_NXDOMAIN = 3,
	MESSAGE_REFUSED = 5,
};

struct message_question {
	uint16_t id;
	bool is_recursive; /* RD, which the answer repeats */
	uint16_t type, class;
	uint16_t size;			     /* of bytes */
	uint8_t bytes[MESSAGE_NAME_MAX + 4]; /* the section as it came */
	/* Labels between dots; in them what is not printable, a dot and a \ are \DDD. */
	char name[MESSAGE_TEXT_SIZE];
};

struct message_answer {
	enum message_code code;
	uint32_t ttl;		   /* seconds, of all records */
	uint32_t count;		   /* of addresses; all of it fits MESSAGE_MAX */
	const uint32_t *addresses; /* host byte order */
	const char *host;	   /* a host name (domains.h): one PTR; NULL: none */
};

/* 0, or -EBADMSG: no standard query with exactly one question; nothing to answer. */
int message_parse(const uint8_t *packet, size_t size, struct message_question *ret_question);

/* Returns the size of the packet. */
size_t message_build(const struct message_question *question, const struct message_answer *answer,
	uint8_t ret_packet[MESSAGE_MAX]);
#endif
