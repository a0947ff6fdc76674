/*
 * Content, old text and new text of an EDIT, cut at NULs: the result is as long as was told beforehand,
 * and the old text is counted as often as it is replaced. A part of guest/file.c, whose functions the
 * guest calls in a worker only.
 */
#include "nsjail-lite/guest/file.c"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *content = fuzz_next_text(&data, &size);
	char *old_text = fuzz_next_text(&data, &size);
	struct edit edit = {.content = content,
		.size = strlen(content),
		.old = old_text,
		.old_size = strlen(old_text),
		.new = (const char *)data,
		.new_size = size};

	if (edit.old_size > 0) {
		uint64_t found = count(&edit);
		size_t expected = edit.size - found * edit.old_size + found * edit.new_size;
		char *result = malloc(expected + 1);

		if (!result || substitute(&edit, result) != expected)
			abort();
		if (found == 0 && memcmp(result, content, expected) != 0)
			abort();
		free(result);
	}
	free(old_text);
	free(content);
	return 0;
}
