#include "dns/message.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define HEADER_SIZE 12
#define LABEL_MAX                                                                                  \
	63 /* above it are references, which a question cannot have: nothing is before it */
#define FLAG_QR	    0x8000
#define FLAG_OPCODE 0x7800
#define FLAG_RD	    0x0100
#define FLAG_RA	    0x0080
#define TO_QUESTION (0xc000 | HEADER_SIZE) /* a reference to the question's name */

static unsigned get16(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

static uint8_t *put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
	return at + 2;
}

static uint8_t *put32(uint8_t *at, uint32_t value)
{
	return put16(put16(at, value >> 16), value & 0xffff);
}

static char *put_text(char *to, uint8_t byte)
{
	if (byte > ' ' && byte < 0x7f && byte != '.' && byte != '\\') {
		*to = (char)byte;
		return to + 1;
	}
	return to + sprintf(to, "\\%03u", byte);
}

/* Returns the name's size in the packet, or 0. */
static size_t parse_name(const uint8_t *name, size_t left, char text[MESSAGE_TEXT_SIZE])
{
	size_t i = 0;

	if (left > MESSAGE_NAME_MAX)
		left = MESSAGE_NAME_MAX;
	while (i < left && name[i] != 0) {
		size_t end = i + 1 + name[i];

		if (name[i] > LABEL_MAX || end >= left)
			return 0;
		if (i > 0)
			*text++ = '.';
		while (++i < end)
			text = put_text(text, name[i]);
	}
	*text = '\0';
	return i < left ? i + 1 : 0;
}

int message_parse(const uint8_t *packet, size_t size, struct message_question *q)
{
	unsigned flags;
	size_t name;

	if (size < HEADER_SIZE)
		return -EBADMSG;
	flags = get16(packet + 2);
	if (flags & (FLAG_QR | FLAG_OPCODE) || get16(packet + 4) != 1)
		return -EBADMSG;
	name = parse_name(packet + HEADER_SIZE, size - HEADER_SIZE, q->name);
	if (name == 0 || size - HEADER_SIZE - name < 4)
		return -EBADMSG;
	q->id = (uint16_t)get16(packet);
	q->is_recursive = flags & FLAG_RD;
	q->size = (uint16_t)(name + 4);
	memcpy(q->bytes, packet + HEADER_SIZE, q->size);
	q->type = (uint16_t)get16(q->bytes + name);
	q->class = (uint16_t)get16(q->bytes + name + 2);
	return 0;
}

static uint8_t *put_record(uint8_t *at, unsigned type, uint32_t ttl, size_t size)
{
	at = put16(put16(put16(at, TO_QUESTION), type), MESSAGE_IN);
	return put16(put32(at, ttl), (unsigned)size);
}

static uint8_t *put_host(uint8_t *at, const char *host)
{
	for (const char *label = host; *label; label += *label == '.') {
		size_t length = strcspn(label, ".");

		*at++ = (uint8_t)length;
		memcpy(at, label, length);
		at += length;
		label += length;
	}
	*at++ = 0;
	return at;
}

size_t message_build(const struct message_question *q, const struct message_answer *answer,
	uint8_t packet[MESSAGE_MAX])
{
	unsigned flags = FLAG_QR | FLAG_RA | (q->is_recursive ? FLAG_RD : 0) | answer->code;
	uint8_t *at = put16(put16(packet, q->id), flags);

	at = put16(put16(at, 1), answer->count + (answer->host ? 1 : 0));
	at = put32(at, 0); /* authority, additional */
	memcpy(at, q->bytes, q->size);
	at += q->size;
	for (uint32_t i = 0; i < answer->count; i++) {
		at = put_record(at, MESSAGE_A, answer->ttl, sizeof(uint32_t));
		at = put32(at, answer->addresses[i]);
	}
	if (answer->host) {
		/* A length byte in place of each dot, one before, the root's behind. */
		at = put_record(at, MESSAGE_PTR, answer->ttl, strlen(answer->host) + 2);
		at = put_host(at, answer->host);
	}
	return (size_t)(at - packet);
}
