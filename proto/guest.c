#include "proto/guest.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "proto/control.h"

#define EXEC_FLAGS_FD  (GUEST_EXEC_FD_STDIN | GUEST_EXEC_FD_STDOUT | GUEST_EXEC_FD_STDERR)
#define EXEC_FLAGS_ALL (GUEST_EXEC_STDIN | GUEST_EXEC_PTY | GUEST_EXEC_ENV_ONLY | EXEC_FLAGS_FD)
#define ERRNO_MAX      4095 /* the kernel's MAX_ERRNO */
#define SIGNAL_MAX     64

const char *guest_next_string(const char **payload, const char *end)
{
	const char *string = *payload;

	if (string >= end)
		return NULL;
	*payload = string + strlen(string) + 1;
	return string;
}

/* Exactly count strings, the last byte of the last one ends the payload. */
static int check_strings(const char *payload, size_t size, uint32_t count, struct error *err)
{
	const char *end = payload + size;

	for (uint32_t i = 0; i < count; i++) {
		const char *nul = memchr(payload, '\0', (size_t)(end - payload));

		if (!nul)
			return error_set(err, EPROTO,
				"payload: %u strings, want %u terminated ones", i, count);
		payload = nul + 1;
	}
	if (payload != end)
		return error_set(err, EPROTO, "payload: %zu bytes behind the last string",
			(size_t)(end - payload));
	return 0;
}

/* Names of variables are not empty: setenv(3) refuses such a one too. */
static int check_environment(
	const char *payload, const char *end, uint32_t argc, uint32_t envc, struct error *err)
{
	for (uint32_t i = 0; i < argc; i++)
		guest_next_string(&payload, end);
	for (uint32_t i = 0; i < envc; i++) {
		const char *variable = guest_next_string(&payload, end);

		if (variable[0] == '=' || !strchr(variable, '='))
			return error_set(err, EPROTO, "payload: variable %u is no NAME=VALUE", i);
	}
	return 0;
}

/* A terminal is all three; a limit cannot hold for bytes that the guest does not see. */
static int check_passed(const struct guest_exec *m, struct error *err)
{
	if (!(m->flags & EXEC_FLAGS_FD))
		return 0;
	if (m->flags & GUEST_EXEC_PTY)
		return error_set(err, EPROTO, "flags: a terminal and a passed fd");
	if (m->flags & GUEST_EXEC_STDIN && m->flags & GUEST_EXEC_FD_STDIN)
		return error_set(err, EPROTO, "flags: stdin is passed and comes as INPUT");
	if (m->output_max && m->flags & (GUEST_EXEC_FD_STDOUT | GUEST_EXEC_FD_STDERR))
		return error_set(err, EPROTO, "output_max: not of a passed fd");
	return 0;
}

static int check_exec(const void *message, uint32_t size, struct error *err)
{
	const struct guest_exec *m = message;
	const char *payload = (const char *)(m + 1);
	uint32_t length = size - (uint32_t)sizeof(*m);
	int r;

	r = check_range(m->flags, 0, EXEC_FLAGS_ALL, "flags", err);
	if (r == 0)
		r = check_range(m->argc, 1, GUEST_STRINGS_MAX, "argc", err);
	if (r == 0)
		r = check_range(m->envc, 0, GUEST_STRINGS_MAX, "envc", err);
	if (r == 0)
		r = check_range(m->timeout_ms, 0, GUEST_TIMEOUT_MAX, "timeout_ms", err);
	if (r == 0)
		r = check_range(m->rows, 0, GUEST_WINDOW_MAX, "rows", err);
	if (r == 0)
		r = check_range(m->columns, 0, GUEST_WINDOW_MAX, "columns", err);
	if (r == 0)
		r = check_zero(&m->reserved, sizeof(m->reserved), "reserved", err);
	if (r == 0)
		r = check_passed(m, err);
	if (r == 0)
		r = check_strings(payload, length, m->argc + m->envc + 1, err);
	if (r == 0)
		r = check_environment(payload, payload + length, m->argc, m->envc, err);
	return r;
}

/* What the file requests differ in. */
static const struct file_rule {
	uint32_t strings;
	uint32_t flags;
} file_rules[] = {
	[GUEST_READ] = {1, GUEST_FILE_LINES},
	[GUEST_WRITE] = {1, 0},
	[GUEST_EDIT] = {1, GUEST_FILE_ALL},
	[GUEST_STAT] = {1, GUEST_FILE_FOLLOW},
	[GUEST_LIST] = {1, 0},
	[GUEST_GLOB] = {2, GUEST_FILE_HIDDEN | GUEST_FILE_NO_IGNORE},
	[GUEST_GREP] = {3, GUEST_FILE_ICASE | GUEST_FILE_FILES | GUEST_FILE_COUNT},
};

static int check_file(const void *message, uint32_t size, struct error *err)
{
	const struct guest_file *m = message;
	const struct file_rule *rule = &file_rules[m->header.type];
	int r;

	r = check_zero(&(uint32_t){m->flags & ~rule->flags}, sizeof(uint32_t), "other flags", err);
	if (r == 0)
		r = check_range(m->timeout_ms, 0, GUEST_TIMEOUT_MAX, "timeout_ms", err);
	if (r == 0 && m->flags & GUEST_FILE_LINES)
		r = check_range(m->offset, 1, UINT64_MAX, "offset", err);
	if (r == 0)
		r = check_range(m->max_bytes, 0, GUEST_FILE_MAX, "max_bytes", err);
	if (r == 0)
		r = check_strings(
			(const char *)(m + 1), size - (uint32_t)sizeof(*m), rule->strings, err);
	return r;
}

static int check_input(const void *message, uint32_t size, struct error *err)
{
	const struct guest_input *m = message;
	int r;

	(void)size;
	r = check_range(m->is_end, 0, 1, "is_end", err);
	return r < 0 ? r : check_zero(&m->reserved, sizeof(m->reserved), "reserved", err);
}

static int check_signal(const void *message, uint32_t size, struct error *err)
{
	const struct guest_signal *m = message;
	int r;

	(void)size;
	r = check_range(m->signal, 1, SIGNAL_MAX, "signal", err);
	return r < 0 ? r : check_zero(&m->reserved, sizeof(m->reserved), "reserved", err);
}

static int check_resize(const void *message, uint32_t size, struct error *err)
{
	const struct guest_resize *m = message;
	int r;

	(void)size;
	r = check_range(m->rows, 1, GUEST_WINDOW_MAX, "rows", err);
	if (r == 0)
		r = check_range(m->columns, 1, GUEST_WINDOW_MAX, "columns", err);
	if (r == 0)
		r = check_zero(&m->reserved, sizeof(m->reserved), "reserved", err);
	return r;
}

static int check_output(const void *message, uint32_t size, struct error *err)
{
	const struct guest_output *m = message;
	int r;

	r = check_range(m->stream, GUEST_STDOUT, GUEST_DATA, "stream", err);
	if (r == 0)
		r = check_zero(&m->reserved, sizeof(m->reserved), "reserved", err);
	if (r == 0 && size == sizeof(*m))
		r = error_set(err, EMSGSIZE, "payload: empty");
	return r;
}

static int check_credit(const void *message, uint32_t size, struct error *err)
{
	const struct guest_credit *m = message;
	int r;

	(void)size;
	r = check_range(m->bytes, 1, GUEST_INPUT_CREDIT, "bytes", err);
	return r < 0 ? r : check_zero(&m->reserved, sizeof(m->reserved), "reserved", err);
}

/* LOST never travels: only the client library makes it. */
static int check_reply(const void *message, uint32_t size, struct error *err)
{
	const struct guest_reply *m = message;
	bool has_failed = m->end == GUEST_END_FAILED;
	int r;

	(void)size;
	r = check_range(m->end, GUEST_END_DONE, GUEST_END_CANCELLED, "end", err);
	if (r == 0)
		r = check_range(
			m->error, has_failed ? 1 : 0, has_failed ? ERRNO_MAX : 0, "error", err);
	if (r == 0)
		r = check_range(m->exit_status, 0, 255, "exit_status", err);
	if (r == 0)
		r = check_range(m->signal, 0, SIGNAL_MAX, "signal", err);
	if (r == 0)
		r = check_range(m->limits_hit, 0, LIMIT_HIT_ALL, "limits_hit", err);
	if (r == 0)
		r = check_zero(&m->reserved, sizeof(m->reserved), "reserved", err);
	if (r == 0)
		r = check_string(m->text, sizeof(m->text), "text", err);
	return r;
}

#define ROW(type_, direction_, struct_, payload, check)                                            \
	{                                                                                          \
		.type = GUEST_##type_, .direction = MESSAGE_TO_##direction_, .name = #type_,       \
		.fixed_size = sizeof(struct struct_), .payload_max = (payload), .has_id = true,    \
		.check_fields = (check)                                                            \
	}

static const struct message_rule rules[] = {
	{
		.type = GUEST_EXEC,
		.direction = MESSAGE_TO_SERVER,
		.name = "EXEC",
		.fixed_size = sizeof(struct guest_exec),
		.payload_max = GUEST_ARGUMENTS_MAX,
		.fds_max = GUEST_EXEC_FDS_MAX,
		.has_id = true,
		.check_fields = check_exec,
	},
	ROW(READ, SERVER, guest_file, GUEST_ARGUMENTS_MAX, check_file),
	ROW(WRITE, SERVER, guest_file, GUEST_ARGUMENTS_MAX, check_file),
	ROW(EDIT, SERVER, guest_file, GUEST_ARGUMENTS_MAX, check_file),
	ROW(STAT, SERVER, guest_file, GUEST_ARGUMENTS_MAX, check_file),
	ROW(LIST, SERVER, guest_file, GUEST_ARGUMENTS_MAX, check_file),
	ROW(GLOB, SERVER, guest_file, GUEST_ARGUMENTS_MAX, check_file),
	ROW(GREP, SERVER, guest_file, GUEST_ARGUMENTS_MAX, check_file),
	ROW(INPUT, SERVER, guest_input, GUEST_CHUNK_MAX, check_input),
	ROW(SIGNAL, SERVER, guest_signal, 0, check_signal),
	ROW(RESIZE, SERVER, guest_resize, 0, check_resize),
	ROW(CANCEL, SERVER, guest_cancel, 0, NULL),
	ROW(OUTPUT, CLIENT, guest_output, GUEST_CHUNK_MAX, check_output),
	ROW(CREDIT, CLIENT, guest_credit, 0, check_credit),
	ROW(REPLY, CLIENT, guest_reply, 0, check_reply),
};

const struct message_protocol guest_protocol = {
	.name = "guest",
	.version = GUEST_VERSION,
	.rules = rules,
	.rule_count = ARRAY_SIZE(rules),
};

size_t guest_fd_count(const struct message_header *h)
{
	const struct guest_exec *m = (const void *)h;

	return h->type == GUEST_EXEC ? (size_t)__builtin_popcount(m->flags & EXEC_FLAGS_FD) : 0;
}

void guest_header(struct message_header *h, uint16_t type, uint32_t size, uint32_t id)
{
	*h = (struct message_header){
		.version = GUEST_VERSION, .type = type, .size = size, .id = id};
}
