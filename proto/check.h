/*
 * check.h - one table row per message: size, fds, direction, fields. Both ends look here.
 *
 * Every protocol of Hearth (control.h, guest.h, nsjail-lite/builder/link.h) is a const table of
 * struct message_rule; check_message() is the only place where a received packet is judged, before
 * anything else reads it.
 */
#ifndef PROTO_CHECK_H
#define PROTO_CHECK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

/* Each packet of each protocol begins with this. size counts the whole packet, header included. */
struct message_header {
	uint16_t version;
	uint16_t type;
	uint32_t size;
	uint32_t id;	   /* request that it belongs to; chosen by the asking side; 0: none */
	uint32_t reserved; /* zero */
};

enum message_direction {
	MESSAGE_TO_SERVER = 1, /* client to supervisor; client to guest; supervisor to builder */
	MESSAGE_TO_CLIENT = 2,
};

struct message_rule {
	uint16_t type;
	enum message_direction direction;
	const char *name;
	uint32_t fixed_size;  /* header and fixed struct */
	uint32_t payload_max; /* bytes that may follow; 0: none */
	uint8_t fds_min, fds_max;
	bool has_id; /* id must be non-zero; otherwise it must be zero */
	/* Fields in range, strings terminated, reserved bytes zero. Packet size is already right. */
	int (*check_fields)(const void *message, uint32_t size, struct error *err);
};

struct message_protocol {
	const char *name;
	uint16_t version;
	const struct message_rule *rules;
	size_t rule_count;
};

/*
 * Judge a packet of size bytes that came with fd_count fds from the other side. Returns its rule in
 * *ret_rule and 0; -EPROTO, -EPROTONOSUPPORT (version) or -EMSGSIZE with the reason in err.
 */
int check_message(const struct message_protocol *protocol, enum message_direction direction,
	const void *packet, size_t size, size_t fd_count, const struct message_rule **ret_rule,
	struct error *err);

/* Rule of a type, or NULL. */
const struct message_rule *check_find(const struct message_protocol *protocol, uint16_t type);

/* Helpers for check_fields. Each returns 0 or -EPROTO with "FIELD: why" in err. */
int check_string(const char *field, size_t size, const char *name, struct error *err);
int check_name(
	const char *field, size_t size, bool may_be_empty, const char *name, struct error *err);
int check_range(uint64_t value, uint64_t min, uint64_t max, const char *name, struct error *err);
int check_zero(const void *bytes, size_t size, const char *name, struct error *err);
#endif
