/* sandbox_inspect.c - hearth sandbox inspect: what a leased sandbox has and what its network has done. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/number.h"
#include "cli/cli.h"
#include "cli/query.h"
#include "cli/table.h"
#include "proto/receipt.h"

#define VALUE_MAX LIMIT_TEXT_MAX

enum kind {
	TEXT,  /* empty: none */
	COUNT, /* of which there may be 0 */
	SIZE,  /* likewise, in bytes */
	CAP,   /* a number, of which 0 is none */
	SIZE_CAP,
	MILLI_CAP, /* thousandths */
	EPOCH,	   /* larger than a number of JSON may be */
	STATE,
	LIMITS, /* a set of enum limit_hit */
};

struct field {
	const char *name, *key; /* for people, of JSON: units named */
	enum kind kind;
	size_t offset, size;
};

#define FIELD(name, key, kind, member)                                                             \
	{                                                                                          \
		name, key, kind, offsetof(struct control_sandbox_details, member),                 \
			sizeof(((struct control_sandbox_details *)0)->member)                      \
	}

static const struct field fields[] = {
	FIELD("sandbox", "id", COUNT, handle.sandbox),
	FIELD("epoch", "epoch", EPOCH, handle.epoch),
	FIELD("pool", "pool", TEXT, template_name),
	FIELD("state", "state", STATE, state),
	FIELD("owner's pid", "owner_pid", COUNT, owner_pid),
	FIELD("owner's uid", "owner_uid", COUNT, owner_uid),
	FIELD("age in ms", "age_ms", COUNT, age_ms),
	FIELD("leased for ms", "lease_age_ms", COUNT, lease_age_ms),
	FIELD("host name", "hostname", TEXT, hostname),
	FIELD("workspace", "workspace", TEXT, workspace),
	FIELD("memory at most", "memory_bytes", SIZE_CAP, memory_bytes),
	FIELD("disk at most", "disk_bytes", SIZE_CAP, disk_bytes),
	FIELD("processes at most", "pids", CAP, pids),
	FIELD("CPUs at most", "cpu_milli", MILLI_CAP, cpu_milli),
	FIELD("not enforced", "unenforced", LIMITS, unenforced),
	FIELD("network", "net", TEXT, net),
	FIELD("connections at most", "connections_max", CAP, connections_max),
	FIELD("new connections a second at most", "new_per_second_max", CAP, new_per_second_max),
	FIELD("names a second at most", "names_per_second_max", CAP, names_per_second_max),
	FIELD("bytes a second at most", "bytes_per_second_max", SIZE_CAP, bytes_per_second_max),
	FIELD("connections", "connections", COUNT, connections),
	FIELD("bytes sent", "sent_bytes", SIZE, sent_bytes),
	FIELD("bytes received", "received_bytes", SIZE, received_bytes),
	FIELD("packets denied", "denied_packets", COUNT, denied_packets),
	FIELD("names denied", "denied_names", COUNT, denied_names),
};

static uint64_t number_of(const struct field *field, const void *value)
{
	return field->size == sizeof(uint32_t) ? *(const uint32_t *)value
					       : *(const uint64_t *)value;
}

static json_t *json_of(const struct field *field, const void *value)
{
	char text[24];

	switch (field->kind) {
	case TEXT:
		return *(const char *)value ? json_string(value) : json_null();
	case EPOCH:
		snprintf(text, sizeof(text), "%" PRIu64, number_of(field, value));
		return json_string(text);
	case STATE:
		return json_string(control_state_name((uint32_t)number_of(field, value)));
	case LIMITS:
		return receipt_limits((uint32_t)number_of(field, value));
	case COUNT:
	case SIZE:
	case CAP:
	case SIZE_CAP:
	case MILLI_CAP:
		break;
	}
	return json_integer((json_int_t)number_of(field, value));
}

static const char *words_of(const struct field *field, const void *value, char words[VALUE_MAX])
{
	uint64_t number = field->kind == TEXT ? 0 : number_of(field, value);
	char size[24];

	snprintf(words, VALUE_MAX, "%" PRIu64, number);
	switch (field->kind) {
	case TEXT:
		return *(const char *)value ? value : "none";
	case STATE:
		return control_state_name((uint32_t)number);
	case LIMITS:
		return number ? limit_names((uint32_t)number, words) : "none";
	case SIZE:
		snprintf(words, VALUE_MAX, "%s", number_format_size(number, size));
		break;
	case SIZE_CAP:
		snprintf(
			words, VALUE_MAX, "%s", number ? number_format_size(number, size) : "none");
		break;
	case CAP:
		if (number == 0)
			return "none";
		break;
	case MILLI_CAP:
		if (number == 0)
			return "none";
		snprintf(words, VALUE_MAX, "%g", (double)number / 1000);
		break;
	case COUNT:
	case EPOCH:
		break;
	}
	return words;
}

static int print_words(
	const struct cli *cli, const struct control_sandbox_details *details, struct error *err)
{
	static const struct cli_column columns[] = {{"NAME", false}, {"VALUE", false}};
	struct cli_table *table = NULL;
	int r = cli_table_create(cli, "sandbox", columns, ARRAY_SIZE(columns), &table, err);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(fields); i++) {
		char words[VALUE_MAX];

		cli_table_add(table, "%s", fields[i].name);
		cli_table_add(table, "%s",
			words_of(&fields[i], (const char *)details + fields[i].offset, words));
	}
	if (r == 0)
		r = cli_table_print(table, err);
	cli_table_destroy(table);
	return r;
}

static void print_json(const struct control_sandbox_details *details)
{
	json_t *result = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		json_object_set_new(result, fields[i].key,
			json_of(&fields[i], (const char *)details + fields[i].offset));
	cli_print_json(result);
}

int cli_sandbox_inspect(struct cli *cli, int argc, char **argv)
{
	struct control_sandbox_details details;
	struct control_lease request = {0};
	struct error err;
	uint64_t id;
	int r;

	(void)argc;
	r = cli_operand_sandbox(cli, argv[1], &id);
	if (r != 0)
		return r;
	r = query_lease(cli->directory, id, CONTROL_INSPECT, &request, sizeof(request), &details,
		sizeof(details), &err);
	if (r == 0 && cli->json)
		print_json(&details);
	else if (r == 0)
		r = print_words(cli, &details, &err);
	if (r < 0)
		return cli_fail(cli, &err, r == -ESRCH ? "see hearth sandbox ls" : NULL);
	return CLI_OK;
}
