/* Two .gitignore files, one above the other, and a path, cut at NULs: it is ignored, or it is not. */
#include "base/cleanup.h"
#include "nsjail-lite/guest/ignore.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ignore *above = ignore_parse(fuzz_next_text(&data, &size), 0, NULL);
	char *text = fuzz_next_text(&data, &size);
	auto_free char *path = fuzz_next_text(&data, &size);
	const char *slash = strchr(path, '/');
	size_t prefix = slash ? (size_t)(slash + 1 - path) : 0;
	struct ignore *ignore = above ? ignore_parse(text, prefix, above) : NULL;

	if (!ignore || ignore->count > IGNORE_RULES_MAX)
		abort();
	for (size_t i = 0; i < ignore->count; i++)
		if (ignore->rules[i].pattern[0] == '\0')
			abort();
	/* What the rule of everything says comes last. */
	if (!ignore_matches(&(struct ignore){.above = ignore,
				    .rules = &(struct ignore_rule){.pattern = "*"},
				    .count = 1},
		    path, false))
		abort();
	ignore_matches(ignore, path, false);
	ignore_matches(ignore, path, true);
	ignore_free(ignore, NULL);
	return 0;
}
