/*
 * verdict.h - what a failed try means: once more, the next model, or the end; and how long to wait. Pure.
 */
#ifndef AGENTD_UPSTREAM_VERDICT_H
#define AGENTD_UPSTREAM_VERDICT_H
#include <stdint.h>

enum verdict {
	VERDICT_DONE,
	VERDICT_AGAIN, /* it may pass: the same model, later */
	VERDICT_NEXT,  /* not of this provider or model */
	VERDICT_END,   /* of nobody */
};

/* Of an HTTP status that is not 2xx, and what was said with it. *ret_status is what upstream_result has for it. */
enum verdict verdict_of_http(long http, const char *text, int *ret_status);
/* Of a transfer's or a decoder's -errno, likewise. */
enum verdict verdict_of_errno(int error, int *ret_status);

/*
 * Before the try after `made` ones: first_ms doubled each time up to last_ms, of which `random` (any number) takes away up to
 * a half, so that those who failed together do not come back together. What the server asks for (seconds; -1: nothing) is
 * waited at least, but no longer than last_ms.
 */
uint32_t verdict_wait_ms(
	unsigned made, uint32_t first_ms, uint32_t last_ms, long retry_after_s, uint32_t random);
#endif
