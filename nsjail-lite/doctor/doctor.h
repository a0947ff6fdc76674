/*
 * doctor.h - can this host run Hearth? Each feature is tried, none is believed.
 *
 * Host side. Each check that makes anything runs in a child with a time limit, and what it makes goes with
 * it: a host is never left changed, and a check that hangs or crashes is one that failed. Versions,
 * mount options and configuration files of the kernel prove nothing and are not asked.
 *
 * Used by libexec/hearth/hearth-doctor and by the supervisor at its start.
 */
#ifndef NSJAIL_LITE_DOCTOR_DOCTOR_H
#define NSJAIL_LITE_DOCTOR_DOCTOR_H
#include <stdbool.h>

#define DOCTOR_TEXT_MAX 256

enum doctor_verdict { DOCTOR_PASS, DOCTOR_WARN, DOCTOR_FAIL, DOCTOR_UNKNOWN, DOCTOR_VERDICTS };

struct doctor_options {
	const char *store; /* of images: its file system is the one that has to map ids */
	const char *user;  /* whom agentd runs as */
	bool is_start;	   /* a start waits for this: leave out what builds sandboxes */
};

struct doctor_result {
	const char *name;
	bool is_required; /* without it no sandbox is built, or one that does not hold */
	enum doctor_verdict verdict;
	int error;		      /* positive errno behind the verdict; 0: none */
	char detail[DOCTOR_TEXT_MAX]; /* what was found, or why not */
	char fix[DOCTOR_TEXT_MAX];    /* a command or a sentence; empty when it passed */
};

struct doctor_summary {
	unsigned count[DOCTOR_VERDICTS];
	bool is_failed;	    /* a required check failed */
	bool is_incomplete; /* a required check could not be made */
};

/* Make the checks in the table's order and show each result, which is valid during the call only. */
void doctor_run(const struct doctor_options *options,
	void (*visit)(void *arg, const struct doctor_result *result), void *arg,
	struct doctor_summary *ret_summary);

/* What is good to know and cannot be wrong: name and value, each valid during the call only. */
void doctor_facts(const struct doctor_options *options,
	void (*visit)(void *arg, const char *name, const char *value), void *arg);

const char *doctor_verdict_name(enum doctor_verdict verdict);
#endif
