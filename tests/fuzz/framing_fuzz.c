/* Any bytes as a client's: framing.c tells the same of them whole, byte by byte, and cut in two anywhere. */
#include <stdint.h>

#include "tests/fuzz/fuzz.h"
#include "tests/unit/framing_trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data;
	size_t cut = size > 0 ? (data[size - 1] + data[size / 2]) % size : 0;
	char *whole = trace_framing(bytes, size, SIZE_MAX, SIZE_MAX);
	char *single = trace_framing(bytes, size, 1, 1);
	char *halves = trace_framing(bytes, size, cut, SIZE_MAX);

	if (strcmp(whole, single) != 0 || strcmp(whole, halves) != 0)
		abort();
	free(whole);
	free(single);
	free(halves);
	return 0;
}
