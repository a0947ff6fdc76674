#include "tests/escape/escape.h"

const struct escape_cases *const escape_cases[] = {
	&escape_build_races,
	&escape_build_links,
	&escape_replies,
	&escape_requests,
	&escape_secrets,
	&escape_views,
	&escape_guest,
	NULL,
};
