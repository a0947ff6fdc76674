#include "agentd/upstream/tools_text.h"

#include <stdlib.h>

#include "agentd/upstream/dialect.h"
#include "base/cleanup.h"

const char *tools_text_get(
	struct tools_text *texts, const struct dialect *dialect, const json_t *tools)
{
	unsigned at = texts->next;
	json_auto_t *encoded = NULL;
	char *text;

	for (unsigned i = 0; i < TOOLS_TEXT_KEPT; i++)
		if (texts->kept[i].tools == tools && texts->kept[i].dialect == dialect)
			return texts->kept[i].text;
	encoded = dialect->encode_tools(tools);
	text = encoded ? json_dumps(encoded, JSON_COMPACT) : NULL;
	if (!text)
		return NULL;
	json_decref(texts->kept[at].tools);
	free(texts->kept[at].text);
	texts->kept[at].tools = json_incref((json_t *)tools);
	texts->kept[at].dialect = dialect;
	texts->kept[at].text = text;
	texts->next = (at + 1) % TOOLS_TEXT_KEPT;
	return text;
}

void tools_text_finish(struct tools_text *texts)
{
	for (unsigned i = 0; i < TOOLS_TEXT_KEPT; i++) {
		json_decref(texts->kept[i].tools);
		free(texts->kept[i].text);
	}
}
