/*
 * Any text as the host's file of uid ranges. What is accepted lies above the host's ids and below the
 * kernel's limit, and a span that is found free meets none of it. A part of uid_ranges.c.
 */
#include "nsjail-lite/uid_ranges.c"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/text.h"

static bool meets(const struct span *a, uint32_t first, uint32_t count)
{
	return a->first < first + count && first < a->first + a->count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t counts[] = {1, 8, 1000, LAST_RANGE};
	static struct spans spans;
	char *text = fuzz_next_text(&data, &size);
	struct error err = {0};
	int r = spans_parse(text, &spans, &err);

	free(text);
	if (r < 0 && (r != -EBADMSG || err.code != EBADMSG))
		abort();
	if (r < 0)
		return 0;
	for (unsigned i = 0; i < spans.count; i++)
		if (spans.span[i].first < FIRST_RANGE ||
			spans.span[i].first + spans.span[i].count - 1 > LAST_RANGE)
			abort();
	for (size_t k = 0; k < sizeof(counts) / sizeof(counts[0]); k++) {
		uint32_t first = find_free(&spans, counts[k]);

		if (first == 0)
			continue;
		if (first < FIRST_RANGE || first + counts[k] - 1 > LAST_RANGE)
			abort();
		for (unsigned i = 0; i < spans.count; i++)
			if (meets(&spans.span[i], first, counts[k]))
				abort();
	}
	return 0;
}
