/*
 * api_fault.h - what each fault is over HTTP: status, type, code; and an error's body in both shapes.
 */
#ifndef AGENTD_API_API_FAULT_H
#define AGENTD_API_API_FAULT_H
#include "agentd/api/api.h"

int api_fault_status(enum api_fault fault);	    /* 400 */
const char *api_fault_reason(enum api_fault fault); /* "Bad Request" */
const char *api_fault_type(enum api_fault fault);   /* "invalid_request_error" */
const char *api_fault_code(enum api_fault fault);   /* "not_found" */

/*
 * {error: {message, type, code, param}} or {ok: false, error, code, details: {type, param}}; param may be NULL, and
 * text is cut where it is no UTF-8. NULL: out of memory.
 */
json_t *api_fault_body(
	enum api_shape shape, enum api_fault fault, const char *param, const char *text);
#endif
