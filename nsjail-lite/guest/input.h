/*
 * input.h - INPUT on its way to a command's stdin or a worker, under the client's credit.
 *
 * What the pipe does not take waits here; a client may never have more than GUEST_INPUT_CREDIT bytes
 * on their way, so neither does this buffer grow beyond that.
 */
#ifndef NSJAIL_LITE_GUEST_INPUT_H
#define NSJAIL_LITE_GUEST_INPUT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nsjail-lite/guest/source.h"

struct guest;

struct input {
	struct source
		sink;	  /* the pipe's or pty's end; not open: nothing takes it yet, or any more */
	bool is_wanted;	  /* the request takes INPUT, its end has not come */
	bool has_ended;	  /* the end has come, but may still be behind bytes */
	bool is_broken;	  /* nobody reads: drop it */
	bool is_terminal; /* the end is a character there */
	uint32_t credit;  /* bytes that the client may still send */
	uint32_t owed;	  /* bytes consumed and not yet granted anew */
	uint32_t start, size, capacity;
	char *bytes;
};

void input_init(struct input *input, bool is_wanted);
void input_finish(struct input *input);

/* The reader is there: fd becomes the input's. */
void input_open(struct guest *guest, struct input *input, int fd, bool is_terminal);

/* Bytes from the client. 0; -EPROTO: not wanted or beyond the credit; -ENOMEM. */
int input_receive(
	struct guest *guest, struct input *input, const char *bytes, uint32_t size, bool is_end);

/* Bytes of CREDIT that are worth a packet now; 0: none yet. */
uint32_t input_credit_due(const struct input *input);
void input_credit_sent(struct input *input, uint32_t bytes);
#endif
