#include "supervisor/host_check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "nsjail-lite/doctor/doctor.h"
#include "supervisor/config.h"

#define NAMES_MAX 1024

struct findings {
	char warned[NAMES_MAX]; /* names, with commas */
	struct error first;	/* code 0: no required check failed */
};

static void on_result(void *arg, const struct doctor_result *result)
{
	struct findings *findings = arg;
	size_t used = strlen(findings->warned);

	if (result->verdict == DOCTOR_WARN)
		snprintf(findings->warned + used, sizeof(findings->warned) - used, "%s%s",
			used ? ", " : "", result->name);
	if (result->verdict != DOCTOR_FAIL)
		return;
	log_event(LOG_LEVEL_ERROR, "doctor_failed", "check", result->name, "why", result->detail,
		"fix", result->fix, NULL);
	if (!findings->first.code)
		error_set(&findings->first, result->error ? result->error : ENODEV,
			"this host cannot run Hearth: %s: %s: %s", result->name, result->detail,
			result->fix);
}

int host_check(const struct supervisor_config *config, struct error *err)
{
	const struct doctor_options options = {
		.store = config->store, .user = config->user, .is_start = true};
	struct findings findings = {.warned = ""};
	char count[DOCTOR_VERDICTS][16];
	struct doctor_summary summary;

	doctor_run(&options, on_result, &findings, &summary);
	for (int i = 0; i < DOCTOR_VERDICTS; i++)
		snprintf(count[i], sizeof(count[i]), "%u", summary.count[i]);
	log_event(LOG_LEVEL_INFO, "doctor", "passed", count[DOCTOR_PASS], "warned",
		count[DOCTOR_WARN], "failed", count[DOCTOR_FAIL], "unknown", count[DOCTOR_UNKNOWN],
		"warnings", findings.warned, NULL);
	if (!findings.first.code)
		return 0;
	*err = findings.first;
	return -err->code;
}
