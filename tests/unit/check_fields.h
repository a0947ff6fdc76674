/*
 * check_fields.h - one named test for each way in which each field of each message can be wrong.
 *
 * A protocol's test lists its messages: how to make a right one, and the legal values of every field.
 * From that the tests are generated, header, size, direction and fds included; one of them sees that
 * the fields listed cover each byte of the message once.
 */
#ifndef TESTS_UNIT_CHECK_FIELDS_H
#define TESTS_UNIT_CHECK_FIELDS_H
#include <stddef.h>
#include <stdint.h>

#include "proto/check.h"
#include "proto/guest.h"

struct CMUnitTest;

enum field_kind {
	FIELD_ANY,   /* every value is legal */
	FIELD_OTHER, /* what is wrong depends on more than the field: the case's variants show it */
	FIELD_RANGE, /* a number, low..high */
	FIELD_BITS,  /* a set, of the bits in high */
	FIELD_ZERO,
	FIELD_TEXT, /* any string that is terminated */
	FIELD_NAME,
	FIELD_NAME_OR_EMPTY,
};

struct field {
	const char *name;
	size_t offset, size;
	enum field_kind kind;
	uint64_t low, high;
};

#define FIELD(struct_, member, kind, low, high)                                                    \
	{                                                                                          \
#member, offsetof(struct struct_, member), sizeof(((struct struct_ *)0)->member),  \
			(kind), (low), (high)                                                      \
	}
#define ANY(struct_, member)		  FIELD(struct_, member, FIELD_ANY, 0, 0)
#define OTHER(struct_, member)		  FIELD(struct_, member, FIELD_OTHER, 0, 0)
#define RANGE(struct_, member, low, high) FIELD(struct_, member, FIELD_RANGE, low, high)
#define BITS(struct_, member, mask)	  FIELD(struct_, member, FIELD_BITS, 0, mask)
#define ZERO(struct_, member)		  FIELD(struct_, member, FIELD_ZERO, 0, 0)
#define TEXT(struct_, member)		  FIELD(struct_, member, FIELD_TEXT, 0, 0)
#define NAME(struct_, member)		  FIELD(struct_, member, FIELD_NAME, 0, 0)
#define NAME_OR_EMPTY(struct_, member)	  FIELD(struct_, member, FIELD_NAME_OR_EMPTY, 0, 0)

struct packet {
	uint32_t size;
	size_t fd_count;
	_Alignas(uint64_t) char bytes[GUEST_PACKET_MAX];
};

/* A way of being wrong that is not one field's, or of being right at a limit. */
struct variant {
	const char *name;
	void (*change)(struct packet *packet); /* header.size is set to packet->size afterwards */
	const char *word;		       /* in the error's text; NULL: it is accepted */
};

struct message_case {
	uint16_t type;
	void (*fill)(struct packet *packet); /* behind the header; may be NULL */
	const struct field *fields;
	size_t field_count;
	const struct variant *variants;
	size_t variant_count;
};

/* Append bytes to a packet. */
void packet_append(struct packet *packet, const void *bytes, size_t size);

/*
 * Run all of it and the program's other tests as one cmocka group: only one gives a TAP plan. Returns
 * the number of failures.
 */
int check_fields_run(const struct message_protocol *protocol, const struct message_case *cases,
	size_t case_count, const struct CMUnitTest *others, size_t other_count);

/*
 * A test: proto/PROTOCOL.md has a section for each of these messages that tells its number and size, and
 * a row for each of its fields that tells where it is.
 */
void check_fields_in_page(const struct message_protocol *protocol, const struct message_case *cases,
	size_t case_count);
#endif
