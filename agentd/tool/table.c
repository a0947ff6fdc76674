/* The tools that a model can call, in the order in which tool.list shows them. */
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
};
const size_t tool_count = ARRAY_SIZE(tool_table);

const struct tool *tool_find(const char *name)
{
	for (size_t i = 0; i < tool_count; i++)
		if (strcmp(tool_table[i]->name, name) == 0)
			return tool_table[i];
	return NULL;
}
