/* Two texts, cut at a NUL, as lists of an image's files: the first difference is told, whatever they are. */
#include <errno.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "images/file_list.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *was = fuzz_next_text(&data, &size);
	auto_free char *is = fuzz_next_text(&data, &size);
	struct error err = {0};

	if (file_list_explain(was, is, &err) != -EBADMSG || err.code != EBADMSG || !err.text[0])
		abort();
	return 0;
}
