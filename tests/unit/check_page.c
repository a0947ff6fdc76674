#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "tests/unit/check_fields.h"

#define PAGE_MAX (1u << 20)

static char *read_page(void)
{
	const char *source = getenv("top_srcdir");
	struct error err = {0};
	char path[4096];
	char *page;

	snprintf(path, sizeof(path), "%s/proto/PROTOCOL.md", source ? source : ".");
	if (file_read_all_at(AT_FDCWD, path, PAGE_MAX, &page, &err) < 0)
		fail_msg("%s", err.text);
	return page;
}

/* From the heading that has "NAME (number)" to the next one; the caller's to free. */
static char *section_of(const char *page, const struct message_rule *rule)
{
	char title[64];

	snprintf(title, sizeof(title), "%s (%u),", rule->name, rule->type);
	for (const char *at = page; (at = strstr(at, "\n### ")); at++) {
		size_t heading = strcspn(at + 1, "\n") + 1;
		const char *end = strstr(at + 1, "\n##");
		const char *found = strstr(at, title);

		if (found && found < at + heading)
			return end ? strndup(at, (size_t)(end - at)) : strdup(at);
	}
	fail_msg("no section has %s in its heading", title);
	return NULL;
}

void check_fields_in_page(const struct message_protocol *protocol, const struct message_case *cases,
	size_t case_count)
{
	auto_free char *page = read_page();

	for (size_t i = 0; i < case_count; i++) {
		const struct message_rule *rule = check_find(protocol, cases[i].type);
		auto_free char *section = section_of(page, rule);
		char row[256];

		snprintf(row, sizeof(row), ", %u bytes", rule->fixed_size);
		if (!strstr(section, row))
			fail_msg("%s: its heading says not \"%s\"", rule->name, row);
		for (size_t j = 0; j < cases[i].field_count; j++) {
			const struct field *f = &cases[i].fields[j];

			snprintf(row, sizeof(row), "\n| %zu | %zu | %s |", f->offset, f->size,
				f->name);
			if (!strstr(section, row))
				fail_msg("%s: no row \"%s\"", rule->name, row + 1);
		}
	}
}
