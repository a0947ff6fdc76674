/* Any bytes as an image's manifest: refused with a reason, or within what the rest of Hearth expects. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/text.h"
#include "images/manifest.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image_manifest m = {.env = NULL};
	struct error err = {0};
	size_t env_size = 0, count = 0;
	int r = manifest_parse((const char *)data, size, "base", &m, &err);

	if (r < 0 && (r != -EPROTO || err.code != EPROTO || err.text[0] == '\0'))
		abort();
	if (r < 0)
		return 0;
	if (strcmp(m.name, "base") != 0 || strncmp(m.digest, "sha256:", 7) != 0 ||
		m.cwd[0] != '/' || m.package_count > MANIFEST_PACKAGES_MAX || !m.env)
		abort();
	for (; m.env[count]; count++) {
		if (!strchr(m.env[count], '=') || m.env[count][0] == '=')
			abort();
		env_size += strlen(m.env[count]) + 1;
	}
	if (count > MANIFEST_ENV_MAX || env_size > MANIFEST_ENV_SIZE_MAX)
		abort();
	manifest_finish(&m);
	return 0;
}
