/*
 * front.h - what a front does for the calls that came by it; api.c dispatches to it.
 *
 * Each call sees header() some times, then reply() or fail() once, or stream_start(), stream_send() some times and
 * stream_end() or fail() once. After reply(), fail() and stream_end() the call is gone.
 */
#ifndef AGENTD_API_FRONT_H
#define AGENTD_API_FRONT_H
#include "agentd/api/api.h"

struct api_front {
	void (*header)(struct api_call *call, const char *name, const char *value);
	void (*reply)(struct api_call *call, json_t *result);
	void (*fail)(struct api_call *call, enum api_fault fault, const char *param,
		uint32_t retry_ms, const char *text);
	void (*stream_start)(struct api_call *call);
	void (*stream_send)(struct api_call *call, uint64_t id, const char *name, json_t *frame);
	bool (*stream_is_full)(const struct api_call *call);
	void (*stream_end)(struct api_call *call, const char *last);
	void (*keep_alive)(struct api_call *call);
};
#endif
