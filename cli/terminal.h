/*
 * terminal.h - the caller's terminal in raw mode while a command inside has one of its own.
 */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H
#include <stdbool.h>
#include <stdint.h>
#include <termios.h>

struct error;

struct terminal {
	struct termios before;
	bool is_raw;
};

/*
 * Make stdin's terminal raw, without with_keys for output only; nothing when it is none. Put it back
 * with terminal_restore().
 */
int terminal_make_raw(struct terminal *terminal, bool with_keys, struct error *err);
void terminal_restore(struct terminal *terminal);

/* The size of the terminal at stdin or stdout; 24 x 80 when there is none. */
void terminal_size(uint16_t *ret_rows, uint16_t *ret_columns);
#endif
