#include "base/number.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Leading digits of *text; *text moves behind them. -EINVAL when there are none. */
static int parse_digits(const char **text, uint64_t *ret_value)
{
	const char *p = *text;
	uint64_t value = 0;

	if (*p < '0' || *p > '9')
		return -EINVAL;
	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
			__builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
			return -ERANGE;
	*text = p;
	*ret_value = value;
	return 0;
}

static int in_range(uint64_t value, uint64_t min, uint64_t max, uint64_t *ret_value)
{
	if (value < min || value > max)
		return -ERANGE;
	*ret_value = value;
	return 0;
}

int number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value)
{
	uint64_t value;
	int r = parse_digits(&text, &value);

	if (r < 0)
		return r;
	if (*text != '\0')
		return -EINVAL;
	return in_range(value, min, max, ret_value);
}

int number_parse_size(const char *text, uint64_t min, uint64_t max, uint64_t *ret_bytes)
{
	static const char units[] = "KMGT";
	uint64_t value;
	int r = parse_digits(&text, &value);

	if (r < 0)
		return r;
	if (*text != '\0') {
		const char *unit = strchr(units, *text);

		if (!unit || text[1] != '\0')
			return -EINVAL;
		if (__builtin_mul_overflow(value, UINT64_C(1) << (10 * (unit - units + 1)), &value))
			return -ERANGE;
	}
	return in_range(value, min, max, ret_bytes);
}

/* A number with up to three decimals, in thousandths. */
static int parse_thousandths(const char **text, uint64_t *ret_value)
{
	uint64_t value;
	int r = parse_digits(text, &value);

	if (r < 0)
		return r;
	if (__builtin_mul_overflow(value, UINT64_C(1000), &value))
		return -ERANGE;
	if (**text == '.') {
		unsigned scale = 100;

		(*text)++;
		if (**text < '0' || **text > '9')
			return -EINVAL;
		for (; **text >= '0' && **text <= '9'; (*text)++, scale /= 10) {
			if (scale == 0)
				return -EINVAL;
			if (__builtin_add_overflow(
				    value, (uint64_t)scale * (uint64_t)(**text - '0'), &value))
				return -ERANGE;
		}
	}
	*ret_value = value;
	return 0;
}

int number_parse_duration_ms(const char *text, uint64_t min, uint64_t max, uint64_t *ret_ms)
{
	static const struct {
		const char *unit;
		uint64_t thousandths; /* of a millisecond, per unit */
	} units[] = {{"ms", 1}, {"s", 1000}, {"", 1000}, {"m", 60000}, {"h", 3600000}};
	uint64_t value;
	int r = parse_thousandths(&text, &value);

	if (r < 0)
		return r;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(text, units[i].unit) != 0)
			continue;
		if (__builtin_mul_overflow(value, units[i].thousandths, &value))
			return -ERANGE;
		return in_range(value / 1000, min, max, ret_ms);
	}
	return -EINVAL;
}

int number_parse_milli(const char *text, uint64_t min, uint64_t max, uint64_t *ret_milli)
{
	uint64_t value;
	int r = parse_thousandths(&text, &value);

	if (r < 0)
		return r;
	if (*text != '\0')
		return -EINVAL;
	return in_range(value, min, max, ret_milli);
}

const char *number_format_size(uint64_t bytes, char buffer[static 24])
{
	static const char units[] = "KMGT";
	int unit = 0;

	while (unit < 4 && bytes != 0 && bytes % 1024 == 0) {
		bytes /= 1024;
		unit++;
	}
	if (unit == 0)
		snprintf(buffer, 24, "%" PRIu64, bytes);
	else
		snprintf(buffer, 24, "%" PRIu64 "%c", bytes, units[unit - 1]);
	return buffer;
}
