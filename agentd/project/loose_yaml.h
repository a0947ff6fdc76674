/*
 * loose_yaml.h - front matter as people write it: `description: use it: always` is no YAML, but means something.
 *
 * Side: agentd; the bytes are foreign. Values of the outermost mapping that stand on one line without quotes and hold
 * ': ', end with ':' or begin with @, ` or % are put in quotes, only where the whole is YAML with them and not without.
 */
#ifndef AGENTD_PROJECT_LOOSE_YAML_H
#define AGENTD_PROJECT_LOOSE_YAML_H
#include "agentd/project/front_matter.h"

/* *ret_text: with quotes, line by line the same, the caller's; NULL: as it is. Each value is a warning. 0 or -ENOMEM. */
int loose_yaml_mend(const struct front_matter_span *span, const char *file,
	struct problems *problems, char **ret_text);
#endif
