/* start_report.h - what hearth start says once agentd answers: where the API is, which agents there are. */
#ifndef CLI_START_REPORT_H
#define CLI_START_REPORT_H
#include <stdbool.h>

struct cli;

struct start_report {
	unsigned long port;
	const char *project, *directory;
	const char *net; /* of the sandboxes; NULL: not ours to say */
	bool is_scripted;
};

/* Asks agentd, as user hearth from then on: for a process of its own. Returns its exit code; a failure is said. */
int start_report(const struct cli *cli, const struct start_report *report);
#endif
