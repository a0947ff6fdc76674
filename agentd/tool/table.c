/* The tools that a model can call, in the order in which a list shows them. */
#include <string.h>

#include "agentd/tool/tool.h"
#include "base/cleanup.h"

const struct tool *const tool_table[] = {
	&tool_read,
	&tool_write,
	&tool_edit,
	&tool_bash,
	&tool_glob,
	&tool_grep,
	&tool_ls,
	&tool_http_fetch,
	/* in agentd, behind those in a sandbox */
	&tool_search_web,
	&tool_memory_get,
	&tool_memory_save,
	&tool_memory_append,
	&tool_memory_update,
};
const size_t tool_count = ARRAY_SIZE(tool_table);
_Static_assert(ARRAY_SIZE(tool_table) <= TOOLS_MAX, "TOOLS_MAX");

const char *const *tool_names(void)
{
	static const char *names[ARRAY_SIZE(tool_table) + 1];

	for (size_t i = 0; i < ARRAY_SIZE(tool_table); i++)
		names[i] = tool_table[i]->name;
	return names;
}

const struct tool *tool_find(const char *name)
{
	for (size_t i = 0; i < tool_count; i++)
		if (strcmp(tool_table[i]->name, name) == 0)
			return tool_table[i];
	return NULL;
}
