#include "proto/check.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"

const struct message_rule *check_find(const struct message_protocol *protocol, uint16_t type)
{
	for (size_t i = 0; i < protocol->rule_count; i++)
		if (protocol->rules[i].type == type)
			return &protocol->rules[i];
	return NULL;
}

static int check_header(const struct message_protocol *protocol, const struct message_header *h,
	size_t size, struct error *err)
{
	if (h->version != protocol->version)
		return error_set(err, EPROTONOSUPPORT, "%s: version %u, this side speaks %u",
			protocol->name, h->version, protocol->version);
	if (h->size != size)
		return error_set(err, EMSGSIZE, "%s: header says %u bytes, packet has %zu",
			protocol->name, h->size, size);
	if (h->reserved != 0)
		return error_set(err, EPROTO, "%s: reserved: not zero", protocol->name);
	return 0;
}

int check_message(const struct message_protocol *protocol, enum message_direction direction,
	const void *packet, size_t size, size_t fd_count, const struct message_rule **ret_rule,
	struct error *err)
{
	const struct message_rule *rule;
	struct message_header h;
	int r;

	if (size < sizeof(h))
		return error_set(err, EMSGSIZE, "%s: packet of %zu bytes has no header",
			protocol->name, size);
	memcpy(&h, packet, sizeof(h));
	r = check_header(protocol, &h, size, err);
	if (r < 0)
		return r;
	rule = check_find(protocol, h.type);
	if (!rule)
		return error_set(err, EPROTO, "%s: unknown type %u", protocol->name, h.type);
	if (rule->direction != direction)
		return error_set(err, EPROTO, "%s: wrong direction", rule->name);
	if (size < rule->fixed_size || size - rule->fixed_size > rule->payload_max)
		return error_set(err, EMSGSIZE, "%s: %zu bytes, want %u to %u", rule->name, size,
			rule->fixed_size, rule->fixed_size + rule->payload_max);
	if (fd_count < rule->fds_min || fd_count > rule->fds_max)
		return error_set(err, EPROTO, "%s: %zu fds, want %u to %u", rule->name, fd_count,
			rule->fds_min, rule->fds_max);
	if (rule->has_id != (h.id != 0))
		return error_set(
			err, EPROTO, "%s: id: %s", rule->name, h.id ? "must be zero" : "missing");
	if (rule->check_fields) {
		r = rule->check_fields(packet, (uint32_t)size, err);
		if (r < 0)
			return error_prefix(err, r, "%s", rule->name);
	}
	*ret_rule = rule;
	return 0;
}

int check_string(const char *field, size_t size, const char *name, struct error *err)
{
	if (!text_is_terminated(field, size))
		return error_set(err, EPROTO, "%s: not terminated", name);
	return 0;
}

int check_name(
	const char *field, size_t size, bool may_be_empty, const char *name, struct error *err)
{
	int r = check_string(field, size, name, err);

	if (r < 0)
		return r;
	if (field[0] == '\0' && may_be_empty)
		return 0;
	if (!text_is_name(field, size - 1))
		return error_set(err, EPROTO, "%s: not a name", name);
	return 0;
}

int check_range(uint64_t value, uint64_t min, uint64_t max, const char *name, struct error *err)
{
	if (value < min || value > max)
		return error_set(err, EPROTO, "%s: %" PRIu64 ", want %" PRIu64 " to %" PRIu64, name,
			value, min, max);
	return 0;
}

int check_zero(const void *bytes, size_t size, const char *name, struct error *err)
{
	const char *p = bytes;

	for (size_t i = 0; i < size; i++)
		if (p[i] != 0)
			return error_set(err, EPROTO, "%s: not zero", name);
	return 0;
}
