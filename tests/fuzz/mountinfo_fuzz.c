/* Any text as /proc/self/mountinfo, where mount points have names that others chose. */
#include <errno.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/text.h"
#include "nsjail-lite/cgroup/discover.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = fuzz_next_text(&data, &size);
	struct cgroup_mounts mounts;
	struct error err = {0};
	size_t found = 0;
	int r = cgroup_discover(text, &mounts, &err);

	if (r < 0 && (err.code != -r || err.text[0] == '\0'))
		abort();
	if (r < 0)
		return 0;
	for (int c = 0; c < CGROUP_CONTROLLERS; c++) {
		if (!text_is_terminated(mounts.v1[c], sizeof(mounts.v1[c])))
			abort();
		found += strlen(mounts.v1[c]);
	}
	if (!text_is_terminated(mounts.v2, sizeof(mounts.v2)) || found + strlen(mounts.v2) == 0)
		abort();
	return 0;
}
