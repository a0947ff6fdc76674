#include "proto/limit_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TEXT_MAX 80 /* one limit */

struct limit_values limit_values_of(const struct control_leased *lease)
{
	return (struct limit_values){
		.memory_bytes = lease->memory_bytes,
		.disk_bytes = lease->disk_bytes,
		.disk_inodes = lease->disk_inodes,
		.pids = lease->pids,
		.cpu_milli = lease->cpu_milli,
	};
}

const char *limit_name(uint32_t limit)
{
	switch (limit) {
	case LIMIT_HIT_MEMORY:
		return "memory";
	case LIMIT_HIT_PIDS:
		return "pids";
	case LIMIT_HIT_DISK:
		return "disk";
	case LIMIT_HIT_TIME:
		return "time";
	case LIMIT_HIT_OUTPUT:
		return "output";
	case LIMIT_HIT_CPU:
		return "cpu";
	case LIMIT_HIT_IO:
		return "io";
	}
	return "?";
}

/* The largest unit in which it is a whole number. */
static const char *format_size(uint64_t bytes, char text[static TEXT_MAX])
{
	static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
	size_t unit = 0;

	for (; bytes >= 1024 && bytes % 1024 == 0 && unit < 4; unit++)
		bytes /= 1024;
	snprintf(text, TEXT_MAX, "%" PRIu64 " %s", bytes, units[unit]);
	return text;
}

static const char *format_time(uint64_t ms, char text[static TEXT_MAX])
{
	if (ms % 1000 == 0)
		snprintf(text, TEXT_MAX, "%" PRIu64 " s", ms / 1000);
	else
		snprintf(text, TEXT_MAX, "%" PRIu64 " ms", ms);
	return text;
}

static void say_disk(char *text, const struct limit_values *values)
{
	char size[TEXT_MAX];

	if (values->disk_inodes)
		snprintf(text, LIMIT_TEXT_MAX, "disk full, limit %s and %" PRIu64 " files",
			format_size(values->disk_bytes, size), values->disk_inodes);
	else
		snprintf(text, LIMIT_TEXT_MAX, "disk full, limit %s",
			format_size(values->disk_bytes, size));
}

static void say_cpu(char *text, uint64_t milli)
{
	char number[TEXT_MAX];
	size_t length;

	snprintf(
		number, sizeof(number), "%" PRIu64 ".%03u", milli / 1000, (unsigned)(milli % 1000));
	for (length = strlen(number); number[length - 1] == '0'; length--)
		number[length - 1] = '\0';
	if (number[length - 1] == '.')
		number[length - 1] = '\0';
	snprintf(text, LIMIT_TEXT_MAX, "CPU quota of %s used up", number);
}

/* 0: its value is not known. */
static uint64_t value_of(uint32_t limit, const struct limit_values *values)
{
	switch (limit) {
	case LIMIT_HIT_MEMORY:
		return values->memory_bytes;
	case LIMIT_HIT_PIDS:
		return values->pids;
	case LIMIT_HIT_DISK:
		return values->disk_bytes;
	case LIMIT_HIT_TIME:
		return values->time_ms;
	case LIMIT_HIT_OUTPUT:
		return values->output_bytes;
	case LIMIT_HIT_CPU:
		return values->cpu_milli;
	}
	return 0;
}

static const char *text_without_value(uint32_t limit)
{
	switch (limit) {
	case LIMIT_HIT_MEMORY:
		return "out of memory";
	case LIMIT_HIT_PIDS:
		return "too many processes";
	case LIMIT_HIT_DISK:
		return "disk full";
	case LIMIT_HIT_TIME:
		return "time limit";
	case LIMIT_HIT_OUTPUT:
		return "output cut";
	case LIMIT_HIT_CPU:
		return "CPU quota used up";
	}
	return limit_name(limit);
}

const char *limit_text(
	uint32_t limit, const struct limit_values *values, char text[static LIMIT_TEXT_MAX])
{
	uint64_t value = value_of(limit, values);
	char number[TEXT_MAX];

	snprintf(text, LIMIT_TEXT_MAX, "%s", text_without_value(limit));
	if (value == 0)
		return text;
	if (limit == LIMIT_HIT_MEMORY)
		snprintf(text, LIMIT_TEXT_MAX, "out of memory, limit %s",
			format_size(value, number));
	else if (limit == LIMIT_HIT_PIDS)
		snprintf(text, LIMIT_TEXT_MAX, "too many processes, limit %" PRIu64, value);
	else if (limit == LIMIT_HIT_DISK)
		say_disk(text, values);
	else if (limit == LIMIT_HIT_TIME)
		snprintf(text, LIMIT_TEXT_MAX, "time limit of %s", format_time(value, number));
	else if (limit == LIMIT_HIT_OUTPUT)
		snprintf(text, LIMIT_TEXT_MAX, "output cut at %" PRIu64 " bytes", value);
	else
		say_cpu(text, value);
	return text;
}

static void append(char *text, const char *between, const char *more)
{
	size_t length = strlen(text);

	snprintf(text + length, LIMIT_TEXT_MAX - length, "%s%s", length ? between : "", more);
}

const char *limit_text_all(
	uint32_t limits_hit, const struct limit_values *values, char text[static LIMIT_TEXT_MAX])
{
	char one[LIMIT_TEXT_MAX];

	text[0] = '\0';
	for (uint32_t i = 0; i < LIMIT_KINDS; i++)
		if (limits_hit & 1u << i)
			append(text, "; ", limit_text(1u << i, values, one));
	return text;
}

const char *limit_names(uint32_t limits, char text[static LIMIT_TEXT_MAX])
{
	text[0] = '\0';
	for (uint32_t i = 0; i < LIMIT_KINDS; i++)
		if (limits & 1u << i)
			append(text, ", ", limit_name(1u << i));
	return text;
}

static const char *without_a_limit(enum lease_end_reason reason)
{
	switch (reason) {
	case LEASE_RELEASED:
		return "released";
	case LEASE_OWNER_GONE:
		return "its owner has gone";
	case LEASE_IDLE:
		return "idle for too long";
	case LEASE_DEADLINE:
		return "its time is over";
	case LEASE_OOM:
		return "out of memory";
	case LEASE_GUEST_DIED:
		return "its guest died";
	case LEASE_BUILDER_LOST:
		return "its builder was lost";
	case LEASE_SHUTDOWN:
		return "the supervisor stops";
	case LEASE_KILLED:
		return "killed by an administrator";
	}
	return "?";
}

const char *limit_lease_end_text(const struct control_lease_ended *ended,
	const struct limit_values *values, char text[static LIMIT_TEXT_MAX])
{
	struct limit_values hit = *values;
	char time[TEXT_MAX];

	snprintf(text, LIMIT_TEXT_MAX, "%s", without_a_limit(ended->reason));
	if (ended->reason == LEASE_OOM) {
		if (ended->limit)
			hit.memory_bytes = ended->limit;
		return limit_text(LIMIT_HIT_MEMORY, &hit, text);
	}
	if (ended->reason == LEASE_IDLE && ended->limit)
		snprintf(text, LIMIT_TEXT_MAX, "idle for %s", format_time(ended->limit, time));
	if (ended->reason == LEASE_DEADLINE && ended->limit)
		snprintf(text, LIMIT_TEXT_MAX, "its time of %s is over",
			format_time(ended->limit, time));
	return text;
}
