/* Any text as each kind of number: within the limits or refused; what is written of it is read again. */
#include <errno.h>
#include <inttypes.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/text.h"

#define MIN 2
#define MAX (UINT64_C(1) << 50)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int (*const parsers[])(const char *, uint64_t, uint64_t, uint64_t *) = {
		number_parse, number_parse_size, number_parse_duration_ms, number_parse_milli};
	auto_free char *text = fuzz_next_text(&data, &size);
	char buffer[24];

	for (size_t i = 0; i < ARRAY_SIZE(parsers); i++) {
		uint64_t value = 1, again;
		int r = parsers[i](text, MIN, MAX, &value);

		if (r < 0 && ((r != -EINVAL && r != -ERANGE) || value != 1))
			abort();
		if (r < 0)
			continue;
		if (value < MIN || value > MAX)
			abort();
		number_format_size(value, buffer);
		if (number_parse_size(buffer, 0, UINT64_MAX, &again) < 0 || again != value)
			abort();
	}
	return 0;
}
