#include "base/config_value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/number.h"
#include "base/text.h"

/* The greatest value that both the table and the field allow. */
static uint64_t option_max(const struct config_option *option)
{
	uint64_t field_max = UINT64_MAX;

	if (option->type == CONFIG_STRING || option->type == CONFIG_LIST ||
		option->type == CONFIG_NAME)
		field_max = option->size - 1;
	else if (option->size == sizeof(uint32_t))
		field_max = UINT32_MAX;
	return option->max > 0 && option->max < field_max ? option->max : field_max;
}

static int set_number(const struct config_option *option, const char *text, void *field,
	int (*parse)(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value))
{
	uint64_t value;
	uint32_t narrow;

	if (parse(text, option->min, option_max(option), &value) < 0)
		return -EINVAL;
	if (option->size == sizeof(value)) {
		memcpy(field, &value, sizeof(value));
		return 0;
	}
	narrow = (uint32_t)value;
	memcpy(field, &narrow, sizeof(narrow));
	return 0;
}

static int set_string(const struct config_option *option, const char *text, void *field)
{
	size_t length = strlen(text);

	if (length < option->min || length > option_max(option))
		return -EINVAL;
	return text_copy(field, option->size, text);
}

static int set_list(const struct config_option *option, const char *text, void *field)
{
	char *list = field;
	size_t used = strlen(list), length = strlen(text);
	size_t gap = used > 0 && length > 0 ? 1 : 0;

	if (used + gap + length < option->min || used + gap + length > option_max(option))
		return -EINVAL;
	memcpy(list + used, " ", gap);
	return text_copy(list + used + gap, length + 1, text);
}

static int set_name(const struct config_option *option, const char *text, void *field)
{
	bool is_empty_default = text[0] == '\0' && option->standard[0] == '\0';

	if (!is_empty_default && !text_is_name(text, (size_t)option_max(option)))
		return -EINVAL;
	return text_copy(field, option->size, text);
}

static int set_bool(const char *text, void *field)
{
	static const char *const words[] = {"no", "yes", "false", "true", "off", "on"};
	bool value;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(text, words[i]) != 0)
			continue;
		value = i % 2 == 1;
		memcpy(field, &value, sizeof(value));
		return 0;
	}
	return -EINVAL;
}

static int set_choice(const struct config_option *option, const char *text, void *field)
{
	for (const struct config_choice *choice = option->choices; choice->name; choice++) {
		if (strcmp(text, choice->name) != 0)
			continue;
		memcpy(field, &choice->value, sizeof(choice->value));
		return 0;
	}
	return -EINVAL;
}

static int set_field(const struct config_option *option, const char *text, void *field)
{
	switch (option->type) {
	case CONFIG_STRING:
		return set_string(option, text, field);
	case CONFIG_LIST:
		return set_list(option, text, field);
	case CONFIG_NAME:
		return set_name(option, text, field);
	case CONFIG_BOOL:
		return set_bool(text, field);
	case CONFIG_NUMBER:
		return set_number(option, text, field, number_parse);
	case CONFIG_SIZE:
		return set_number(option, text, field, number_parse_size);
	case CONFIG_DURATION:
		return set_number(option, text, field, number_parse_duration_ms);
	case CONFIG_MILLI_CPU:
		return set_number(option, text, field, number_parse_milli);
	case CONFIG_CHOICE:
		return set_choice(option, text, field);
	}
	return -EINVAL;
}

static const char *format_duration(uint64_t ms, char buffer[static 24])
{
	static const struct {
		uint64_t ms;
		const char *unit;
	} units[] = {{3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
	size_t i = 0;

	while (ms % units[i].ms != 0)
		i++;
	if (ms == 0)
		i = 2;
	snprintf(buffer, 24, "%" PRIu64 "%s", ms / units[i].ms, units[i].unit);
	return buffer;
}

static int want_choice(const struct config_option *option, struct error *err)
{
	char list[160] = "";
	size_t used = 0;

	for (const struct config_choice *choice = option->choices; choice->name; choice++) {
		if (used >= sizeof(list))
			break;
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",
			used > 0 ? ", " : "", choice->name);
	}
	return error_set(err, EINVAL, "want one of %s", list);
}

/* What would have been right. */
static int want(const struct config_option *option, struct error *err)
{
	uint64_t min = option->min, max = option_max(option);
	char a[24], b[24];

	switch (option->type) {
	case CONFIG_STRING:
		return error_set(
			err, EINVAL, "want text of %" PRIu64 " to %" PRIu64 " bytes", min, max);
	case CONFIG_LIST:
		return error_set(err, EINVAL,
			"want a list of %" PRIu64 " to %" PRIu64 " bytes, all its lines together",
			min, max);
	case CONFIG_NAME:
		return error_set(err, EINVAL,
			"want a name: 1 to %" PRIu64 " of a-z 0-9 . _ -, a letter or digit first",
			max);
	case CONFIG_BOOL:
		return error_set(err, EINVAL, "want yes or no");
	case CONFIG_NUMBER:
		return error_set(
			err, EINVAL, "want a whole number from %" PRIu64 " to %" PRIu64, min, max);
	case CONFIG_SIZE:
		return error_set(err, EINVAL, "want a size from %s to %s, as 256M",
			number_format_size(min, a), number_format_size(max, b));
	case CONFIG_DURATION:
		return error_set(err, EINVAL, "want a duration from %s to %s, as 250ms or 30s",
			format_duration(min, a), format_duration(max, b));
	case CONFIG_MILLI_CPU:
		return error_set(err, EINVAL,
			"want a number of CPUs from %" PRIu64 ".%03u to %" PRIu64 ".%03u",
			min / 1000, (unsigned)(min % 1000), max / 1000, (unsigned)(max % 1000));
	case CONFIG_CHOICE:
		return want_choice(option, err);
	}
	return error_set(err, EINVAL, "its type in the table is unknown");
}

/* libinih ends a value at " ;" alone: what was meant as a comment would become part of it. */
static bool has_hash_comment(const char *value)
{
	for (const char *hash = strchr(value, '#'); hash; hash = strchr(hash + 1, '#'))
		if (hash == value || hash[-1] == ' ' || hash[-1] == '\t')
			return true;
	return false;
}

int config_value_set(
	const struct config_option *option, const char *text, void *element, struct error *err)
{
	void *field = (char *)element + option->offset;

	if (has_hash_comment(text))
		return error_set(err, EINVAL, "a comment behind a value begins with ;, not with #");
	if (set_field(option, text, field) < 0)
		return want(option, err);
	return option->check ? option->check(field, err) : 0;
}
